import type { ApolloClient, ApolloLink } from '@apollo/client/core';
import { parse } from 'graphql';
import type { App } from 'vue';
import { fromErrors, ReelError, readResponse, toReelError } from './error.js';
import type { Operation } from './generated.js';
import { openSocket } from './socket.js';
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

/** One of client, evoke and url. `url` with one of the others is the GraphQL endpoint, if that is not /graphql. */
export type ReelOptions =
  | { client: ApolloClient<unknown>; url?: string }
  | { evoke: EvokeClient; url?: string }
  | { url: string; headers?: Headers | (() => Headers | Promise<Headers>) };

const JSON_HEADERS = {
  'content-type': 'application/json',
  accept: 'application/graphql-response+json',
};

interface AnyOptions {
  client?: ApolloClient<unknown>;
  evoke?: EvokeClient;
  url?: string;
  headers?: Headers | (() => Headers | Promise<Headers>);
}

let current: Connection | undefined;

/** Connects the module: `app.use(createReel({ client }))`. */
export function createReel(options: ReelOptions): { install(app?: App): void } {
  const { client, evoke, url, headers }: AnyOptions = options;
  const connection = client
    ? apolloConnection(client, url)
    : evoke
      ? evokeConnection(evoke, url)
      : url && httpConnection(url, headers);
  if (!connection) throw new TypeError('createReel: expected client, evoke or url');
  return {
    install() {
      current = connection;
    },
  };
}

export function getConnection(): Connection {
  if (current) return current;
  throw new ReelError('UNAVAILABLE', 'Call app.use(createReel()) first');
}

export const cannotSubscribe = () => new ReelError('UNAVAILABLE', 'Evoke cannot subscribe');

/** Sends one operation. Always rejects with ReelError, and at once when the signal aborts, whatever the client does with it. */
export async function run<Result, Variables extends object>(
  operation: Operation<Result, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Result> {
  let onAbort = () => {};
  try {
    signal?.throwIfAborted();
    const response = await Promise.race([
      getConnection().send(operation, variables, signal),
      new Promise<never>((_, reject) => {
        onAbort = () => reject(signal?.reason);
        signal?.addEventListener('abort', onAbort);
      }),
    ]);
    if (response.errors?.length) throw fromErrors(response.errors);
    return response.data as Result;
  } catch (cause) {
    throw toReelError(cause, signal);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

function apolloConnection(client: ApolloClient<unknown>, url?: string): Connection {
  const request = (text: string, variables: object, signal?: AbortSignal) => ({
    query: parse(text),
    variables,
    fetchPolicy: 'no-cache' as const,
    errorPolicy: 'all' as const,
    // Were two equal requests deduplicated, aborting the first would abort the second.
    context: { queryDeduplication: false, fetchOptions: { signal } },
  });
  return {
    client,
    endpoint: url ?? uriOf(client.link) ?? '/graphql',
    send(text, variables, signal) {
      const { query, ...options } = request(text, variables, signal);
      return text.startsWith('query')
        ? client.query({ query, ...options })
        : client.mutate({ mutation: query, ...options });
    },
    subscribe(text, variables, observer) {
      const subscription = client.subscribe(request(text, variables)).subscribe(observer);
      observer.open?.();
      return () => subscription.unsubscribe();
    },
  };
}

/** The URI of the first HTTP link in a chain. */
function uriOf(link: ApolloLink & { options?: { uri?: unknown } }): string | undefined {
  const { options, left, right } = link;
  if (typeof options?.uri === 'string') return options.uri;
  return (right && uriOf(right)) ?? (left && uriOf(left));
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

function httpConnection(url: string, headers: AnyOptions['headers'] = {}): Connection {
  const getHeaders = async () => (typeof headers === 'function' ? headers() : headers);
  return {
    endpoint: url,
    async send(query, variables, signal) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...JSON_HEADERS, ...(await getHeaders()) },
        body: JSON.stringify({ query, variables }),
        signal: signal ?? null,
      });
      return readResponse(await response.json().catch(() => null), response.status);
    },
    subscribe(query, variables, observer) {
      const opening = openSocket(
        resolveUrl(url).replace('http', 'ws'),
        getHeaders,
        { query, variables },
        observer,
      );
      opening.catch((cause) => observer.error(cause));
      return () => {
        opening.then(
          (close) => close(),
          () => {},
        );
      };
    },
  };
}

/** An absolute URL, resolved against the endpoint, or against the page where the endpoint has no origin. */
export const resolveUrl = (url: string, endpoint = url) =>
  new URL(url, new URL(endpoint, globalThis.location?.href)).href;
