import { StartError } from '../errors.js';
import type { Frame } from './frame.js';

/** A running Reel that a command speaks to. */
export interface Remote {
  url: string;
  token: string;
  tenantId?: string;
  clientId?: string;
}

export interface RemoteOptions {
  url?: string;
  token?: string;
  tenant?: string;
  client?: string;
}

/** Errors: StartError where neither option nor environment names server or token. */
export function remoteOf({ url, token, tenant, client }: RemoteOptions, frame: Frame): Remote {
  const given = frame.remote();
  const place = url ?? given.url;
  if (place === null)
    throw new StartError('--url (or REEL_URL): expected the URL of a Reel server, got nothing');
  if (!URL.canParse(place) || !/^https?:$/.test(new URL(place).protocol))
    throw new StartError('--url (or REEL_URL): expected an http or https URL, got something else');
  const credential = token ?? given.token;
  if (credential === null)
    throw new StartError("--token (or REEL_TOKEN): expected a person's token, got nothing");
  if (!/^[\w.~+/=-]+$/.test(credential))
    throw new StartError(
      `--token (or REEL_TOKEN): expected a token, got ${credential.length} characters that are not one`,
    );
  return {
    url: place.endsWith('/') ? place : `${place}/`,
    token: credential,
    ...(tenant ? { tenantId: tenant } : {}),
    ...(client ? { clientId: client } : {}),
  };
}

/** A path of the server, also where it stands behind a prefix; an absolute address stays. */
export const placeOn = (remote: Remote, path: string): string =>
  new URL(path.replace(/^\//, ''), remote.url).href;

/** Who asks, and for whom. */
export const headersOf = (remote: Remote): Record<string, string> => ({
  authorization: `Bearer ${remote.token}`,
  ...(remote.tenantId ? { 'x-tenant-id': remote.tenantId } : {}),
  ...(remote.clientId ? { 'x-client-id': remote.clientId } : {}),
});

interface Answer<T> {
  data?: T | null;
  errors?: { message: string; extensions?: { code?: string } }[];
}

/** One GraphQL operation. Errors: StartError with code and message of the first fault. */
export async function askGraphql<T>(remote: Remote, query: string, variables: unknown): Promise<T> {
  const response = await fetchOrSay(placeOn(remote, '/graphql'), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
      ...headersOf(remote),
    },
    body: JSON.stringify({ query, variables }),
  });
  const answer = (await response.json().catch(() => ({}))) as Answer<T>;
  const [fault] = answer.errors ?? [];
  if (fault) throw new StartError(`${fault.extensions?.code ?? response.status}: ${fault.message}`);
  if (!answer.data)
    throw new StartError(
      `expected a GraphQL response from Reel at ${remote.url}, got HTTP ${response.status}`,
    );
  return answer.data;
}

export async function fetchOrSay(url: string, init: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
    throw new StartError(
      `expected a server at ${new URL(url).origin}: ${cause?.code ?? cause?.message ?? message}`,
      {
        cause: error,
      },
    );
  }
}
