import { readResponse } from './error.js';
import type { Connection } from './transport.js';

/** A host's HTTP client. A status other than 2xx rejects with `response.status` and `response.data`. */
export interface EvokeClient {
  post(
    url: string,
    body: unknown,
    options: { headers: Record<string, string>; signal?: AbortSignal | undefined },
  ): Promise<{ data: unknown }>;
  /** As in axios; download links are resolved against it. */
  defaults?: { baseURL?: string | undefined };
}

type Headers = Record<string, string>;

/** One of evoke and url; `url` beside evoke is the GraphQL endpoint, if that is not /graphql. */
export type ReelOptions =
  | { evoke: EvokeClient; url?: string }
  | { url: string; headers?: Headers | (() => Headers | Promise<Headers>) };

const JSON_HEADERS = {
  'content-type': 'application/json',
  accept: 'application/graphql-response+json',
};

interface AnyOptions {
  evoke?: EvokeClient;
  url?: string;
  headers?: Headers | (() => Headers | Promise<Headers>);
}

export function connect(options: ReelOptions): Connection {
  const { evoke, url, headers }: AnyOptions = options;
  const connection = evoke ? evokeConnection(evoke, url) : url && httpConnection(url, headers);
  if (connection) return connection;
  throw new TypeError('createReel: expected evoke or url (createReel of reel/apollo takes client)');
}

function evokeConnection(evoke: EvokeClient, url = '/graphql'): Connection {
  return {
    endpoint: (evoke.defaults?.baseURL ?? '') + url,
    async send(query, variables, signal) {
      try {
        return readResponse(
          (await evoke.post(url, { query, variables }, { headers: JSON_HEADERS, signal })).data,
        );
      } catch (cause) {
        const { response } = cause as { response?: { status: number; data?: unknown } };
        if (response) return readResponse(response.data, response.status);
        throw cause;
      }
    },
  };
}

function httpConnection(url: string, given: AnyOptions['headers'] = {}): Connection {
  const headers = async () => (typeof given === 'function' ? given() : given);
  return {
    endpoint: url,
    headers,
    async send(query, variables, signal) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...JSON_HEADERS, ...(await headers()) },
        body: JSON.stringify({ query, variables }),
        signal: signal ?? null,
      });
      return readResponse(await response.json().catch(() => null), response.status);
    },
  };
}

/** An absolute URL, resolved against the endpoint, or against the page where the endpoint has no origin. */
export const resolveUrl = (url: string, endpoint = url) =>
  new URL(url, new URL(endpoint, globalThis.location?.href)).href;
