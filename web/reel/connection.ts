import type { ApolloClient, ApolloLink } from '@apollo/client/core';
import { parse } from 'graphql';
import type { App } from 'vue';
import { ReelError } from './error.js';
import type { Operation } from './generated.js';
import { answerIn, fromErrors, type GraphQLAnswer, toReelError } from './refusal.js';
import { openSocket } from './socket.js';

/** A host's HTTP client. Statuses other than 2xx reject with `response.status` and `response.data`. */
export interface EvokeClient {
  post(
    url: string,
    body: unknown,
    options: { headers: Record<string, string>; signal?: AbortSignal | undefined },
  ): Promise<{ data: unknown }>;
  /** As axios has it: where download links are resolved. */
  defaults?: { baseURL?: string | undefined };
}

type Headers = Record<string, string>;

/** One of client, evoke and url. `url` beside one of the others says where GraphQL is spoken, if not at /graphql. */
export type ReelOptions =
  | { client: ApolloClient<unknown>; url?: string }
  | { evoke: EvokeClient; url?: string }
  | { url: string; headers?: Headers | (() => Headers | Promise<Headers>) };

/** What a subscription tells. After `error` or `complete` it tells nothing more. */
export interface Listener {
  open?(): void;
  next(answer: GraphQLAnswer): void;
  error(cause: unknown): void;
  complete(): void;
}

export interface Connection {
  /** Resolves with what GraphQL answered, errors among it; rejects where it answered nothing. */
  send(query: string, variables: object, signal?: AbortSignal): Promise<GraphQLAnswer>;
  /** Ends with the function it answers. Missing where the host's client cannot subscribe. */
  subscribe?(query: string, variables: object, listener: Listener): () => void;
  /** Where the GraphQL endpoint is, as far as it can be known. */
  endpoint: string;
  client?: ApolloClient<unknown>;
  /** What lends the client to @vue/apollo-composable, made when it is first needed. */
  lender?: App;
}

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
    ? overApollo(client, url)
    : evoke
      ? overEvoke(evoke, url)
      : url && overUrl(url, headers);
  if (!connection) throw new TypeError('createReel: expected client, evoke or url');
  return {
    install() {
      current = connection;
    },
  };
}

export function connected(): Connection {
  if (current) return current;
  throw new ReelError('UNAVAILABLE', 'Reel is not set up: call app.use(createReel()) first');
}

export const cannotSubscribe = () =>
  new ReelError('UNAVAILABLE', 'Expected a client that can subscribe, got Evoke');

/** Sends one operation. Rejects with ReelError alone, at once when the signal is aborted, whatever the client does with it. */
export async function run<Result, Variables extends object>(
  operation: Operation<Result, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Result> {
  let stop = () => {};
  try {
    signal?.throwIfAborted();
    const answer = await Promise.race([
      connected().send(operation, variables, signal),
      new Promise<never>((_, reject) => {
        stop = () => reject(signal?.reason);
        signal?.addEventListener('abort', stop);
      }),
    ]);
    if (answer.errors?.length) throw fromErrors(answer.errors);
    return answer.data as Result;
  } catch (cause) {
    throw toReelError(cause, signal);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

function overApollo(client: ApolloClient<unknown>, url?: string): Connection {
  const asked = (text: string, variables: object, signal?: AbortSignal) => ({
    query: parse(text),
    variables,
    fetchPolicy: 'no-cache' as const,
    errorPolicy: 'all' as const,
    // Two equal requests must not be one: aborting the first would abort the second.
    context: { queryDeduplication: false, fetchOptions: { signal } },
  });
  return {
    client,
    endpoint: url ?? uriOf(client.link) ?? '/graphql',
    send(text, variables, signal) {
      const { query, ...rest } = asked(text, variables, signal);
      return text.startsWith('query')
        ? client.query({ query, ...rest })
        : client.mutate({ mutation: query, ...rest });
    },
    subscribe(text, variables, listener) {
      const subscription = client.subscribe(asked(text, variables)).subscribe(listener);
      listener.open?.();
      return () => subscription.unsubscribe();
    },
  };
}

/** Of the first HTTP link in a chain of links. */
function uriOf(link: ApolloLink & { options?: { uri?: unknown } }): string | undefined {
  const { options, left, right } = link;
  if (typeof options?.uri === 'string') return options.uri;
  return (right && uriOf(right)) ?? (left && uriOf(left));
}

function overEvoke(evoke: EvokeClient, url = '/graphql'): Connection {
  return {
    endpoint: (evoke.defaults?.baseURL ?? '') + url,
    async send(query, variables, signal) {
      try {
        return answerIn(
          (await evoke.post(url, { query, variables }, { headers: JSON_HEADERS, signal })).data,
        );
      } catch (cause) {
        const { response } = cause as { response?: { status: number; data?: unknown } };
        if (response) return answerIn(response.data, response.status);
        throw cause;
      }
    },
  };
}

function overUrl(url: string, headers: AnyOptions['headers'] = {}): Connection {
  const credentials = async () => (typeof headers === 'function' ? headers() : headers);
  return {
    endpoint: url,
    async send(query, variables, signal) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...JSON_HEADERS, ...(await credentials()) },
        body: JSON.stringify({ query, variables }),
        signal: signal ?? null,
      });
      return answerIn(await response.json().catch(() => null), response.status);
    },
    subscribe(query, variables, listener) {
      const opened = openSocket(
        resolved(url).replace('http', 'ws'),
        credentials,
        { query, variables },
        listener,
      );
      opened.catch((cause) => listener.error(cause));
      return () => {
        opened.then(
          (close) => close(),
          () => {},
        );
      };
    },
  };
}

/** An absolute address, seen from the endpoint, or from the page where the endpoint has no origin of its own. */
export const resolved = (address: string, endpoint = address) =>
  new URL(address, new URL(endpoint, globalThis.location?.href)).href;
