import { StartError } from '../errors.js';
import type { CommandContext } from './context.js';

/** A running server that a command calls. */
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

/** Errors: StartError if neither the options nor the environment name the server and the token. */
export function remoteOf(
  { url, token, tenant, client }: RemoteOptions,
  context: CommandContext,
  whose = "a person's token",
): Remote {
  const given = context.remote();
  const serverUrl = url ?? given.url;
  if (serverUrl === null)
    throw new StartError('--url (or REEL_URL): expected the URL of a Reel server, got nothing');
  if (!URL.canParse(serverUrl) || !/^https?:$/.test(new URL(serverUrl).protocol))
    throw new StartError('--url (or REEL_URL): expected an http or https URL, got something else');
  const credential = token ?? given.token;
  if (credential === null) throw new StartError(`--token (or REEL_TOKEN): expected ${whose}, got nothing`);
  if (!/^[\w.~+/=-]+$/.test(credential))
    throw new StartError(
      `--token (or REEL_TOKEN): expected a token, got ${credential.length} characters that are not one`,
    );
  return {
    url: serverUrl.endsWith('/') ? serverUrl : `${serverUrl}/`,
    token: credential,
    ...(tenant ? { tenantId: tenant } : {}),
    ...(client ? { clientId: client } : {}),
  };
}

/** The URL of a path on the server, which may be under a prefix; an absolute URL is returned as it is. */
export const urlOn = (remote: Remote, path: string): string =>
  new URL(path.replace(/^\//, ''), remote.url).href;

/** The credential, tenant and client of a request. */
export const headersOf = (remote: Remote): Record<string, string> => ({
  authorization: `Bearer ${remote.token}`,
  ...(remote.tenantId ? { 'x-tenant-id': remote.tenantId } : {}),
  ...(remote.clientId ? { 'x-client-id': remote.clientId } : {}),
});

interface GraphqlResponse<T> {
  data?: T | null;
  errors?: { message: string; extensions?: { code?: string } }[];
}

/** Runs one GraphQL operation. Errors: StartError with code and message of the first error. */
export async function askGraphql<T>(remote: Remote, query: string, variables: unknown): Promise<T> {
  const response = await fetchOrFail(urlOn(remote, '/graphql'), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
      ...headersOf(remote),
    },
    body: JSON.stringify({ query, variables }),
  });
  const result = (await response.json().catch(() => ({}))) as GraphqlResponse<T>;
  const [error] = result.errors ?? [];
  if (error) throw new StartError(`${error.extensions?.code ?? response.status}: ${error.message}`);
  if (!result.data)
    throw new StartError(
      `expected a GraphQL response from Reel at ${remote.url}, got HTTP ${response.status}`,
    );
  return result.data;
}

export async function fetchOrFail(url: string, init: RequestInit = {}): Promise<Response> {
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
