import {
  ApolloClient,
  ApolloLink,
  type FetchResult,
  fromPromise,
  InMemoryCache,
  Observable,
} from '@apollo/client/core';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import {
  DefaultApolloClient,
  type UseMutationOptions,
  type UseQueryOptions,
  type UseSubscriptionOptions,
  useMutation,
  useQuery,
  useSubscription,
} from '@vue/apollo-composable';
import { type DocumentNode, parse, print } from 'graphql';
import { type App, createApp, type MaybeRefOrGetter } from 'vue';
import { currentApp, pluginFor, createReel as withoutApollo } from './app.js';
import type { ReelOptions } from './connection.js';
import { fromErrors, fromStatus } from './error.js';
import {
  CreateLogDocument,
  type CreateLogMutation,
  type CreateLogMutationVariables,
  ExportLogsDocument,
  type ExportLogsMutation,
  type ExportLogsMutationVariables,
  LogAddedDocument,
  type LogAddedSubscription,
  type LogAddedSubscriptionVariables,
  LogDocument,
  type LogQuery,
  type LogQueryVariables,
  LogStatsDocument,
  type LogStatsQuery,
  type LogStatsQueryVariables,
  LogsDocument,
  type LogsQuery,
  type LogsQueryVariables,
  type Operation,
} from './generated.js';
import { subscriberOf } from './socket.js';
import type { Connection, GraphQLResponse, SubscriptionObserver } from './transport.js';

/** What needs Apollo: a host's own client, and composables with GraphQL's names and types. The rest of the module does without. */

/** A host's Apollo client, with `url` where the GraphQL endpoint is neither its link's nor /graphql; or what the module's own createReel takes. */
export type ReelApolloOptions = { client: ApolloClient<unknown>; url?: string } | ReelOptions;

/** Connects an app to Reel: `app.use(createReel({ client }))`. */
export const createReel = (options: ReelApolloOptions): { install(app: App): void } =>
  'client' in options
    ? pluginFor(() => apolloConnection(options.client, options.url))
    : withoutApollo(options);

/** A page of entries, with the total where `count` is set (exact where `exact` is too). */
export const useLogsQuery = (
  variables: MaybeRefOrGetter<LogsQueryVariables> = {},
  options: MaybeRefOrGetter<UseQueryOptions<LogsQuery, LogsQueryVariables>> = {},
) => withApollo(() => useQuery(documentOf(LogsDocument), variables, options));

/** One entry, with its changes, related entries and proof unless `details` is false; null where there is none. */
export const useLogQuery = (
  variables: MaybeRefOrGetter<LogQueryVariables>,
  options: MaybeRefOrGetter<UseQueryOptions<LogQuery, LogQueryVariables>> = {},
) => withApollo(() => useQuery(documentOf(LogDocument), variables, options));

/** Counts of the matching entries, over time where `timeline` is set, by field where `facets` is. */
export const useLogStatsQuery = (
  variables: MaybeRefOrGetter<LogStatsQueryVariables> = {},
  options: MaybeRefOrGetter<UseQueryOptions<LogStatsQuery, LogStatsQueryVariables>> = {},
) => withApollo(() => useQuery(documentOf(LogStatsDocument), variables, options));

export const useCreateLogMutation = (
  options?: MaybeRefOrGetter<UseMutationOptions<CreateLogMutation, CreateLogMutationVariables>>,
) => withApollo(() => useMutation(documentOf(CreateLogDocument), options));

export const useExportLogsMutation = (
  options?: MaybeRefOrGetter<UseMutationOptions<ExportLogsMutation, ExportLogsMutationVariables>>,
) => withApollo(() => useMutation(documentOf(ExportLogsDocument), options));

/** Entries as they are sealed. It does not resume after a broken connection: useReelTail does. */
export const useLogAddedSubscription = (
  variables: MaybeRefOrGetter<LogAddedSubscriptionVariables> = {},
  options: MaybeRefOrGetter<UseSubscriptionOptions<LogAddedSubscription, LogAddedSubscriptionVariables>> = {},
) => withApollo(() => useSubscription(documentOf(LogAddedDocument), variables, options));

const documents: Record<string, DocumentNode> = {};

/** Parsed once, since Apollo caches by the document's identity. */
function documentOf<Result, Variables>(
  text: Operation<Result, Variables>,
): TypedDocumentNode<Result, Variables> {
  documents[text] ??= parse(text);
  return documents[text];
}

/** Of each connection, what provides its Apollo client to @vue/apollo-composable. */
const providers = new WeakMap<Connection, App>();

/** Of each connection that was made of one, the host's client. */
const clients = new WeakMap<Connection, ApolloClient<unknown>>();

/** Runs a composable with the app's Apollo client for Reel, without touching the one that the host provides. */
function withApollo<T>(use: () => T): T {
  const { connection } = currentApp();
  let provider = providers.get(connection);
  if (!provider) {
    provider = createApp({}).provide(DefaultApolloClient, clients.get(connection) ?? clientFor(connection));
    providers.set(connection, provider);
  }
  return provider.runWithContext(use);
}

/** An Apollo client on top of a connection that has none. */
function clientFor(connection: Connection): ApolloClient<unknown> {
  const link = new ApolloLink(({ query, variables }) => {
    const text = print(query);
    if (!/^subscription/m.test(text))
      return fromPromise(connection.send(text, variables) as Promise<FetchResult>);
    return new Observable((observer) =>
      subscriberOf(connection)(text, variables, observer as SubscriptionObserver),
    );
  });
  return new ApolloClient({ link, cache: new InMemoryCache() });
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
  const connection: Connection = {
    endpoint: url ?? uriOf(client.link) ?? '/graphql',
    async send(text, variables, signal) {
      const { query, ...options } = request(text, variables, signal);
      try {
        return await (text.startsWith('query')
          ? client.query({ query, ...options })
          : client.mutate({ mutation: query, ...options }));
      } catch (cause) {
        throw fromApollo(cause);
      }
    },
    subscribe(text, variables, observer) {
      const subscription = client.subscribe(request(text, variables)).subscribe({
        next: (response) => observer.next(response),
        error: (cause) => observer.error(fromApollo(cause)),
        complete: () => observer.complete(),
      });
      observer.open?.();
      return () => subscription.unsubscribe();
    },
  };
  clients.set(connection, client);
  return connection;
}

/** What Apollo rejects with, as far as it is used here. */
interface Rejection {
  message?: string;
  graphQLErrors?: GraphQLResponse['errors'];
  networkError?: unknown;
  statusCode?: number;
  result?: unknown;
}

/** What an Apollo client threw, as what Reel said where it said something. */
function fromApollo(cause: unknown): unknown {
  const { message, graphQLErrors, networkError, statusCode, result } = (cause ?? {}) as Rejection;
  if (graphQLErrors?.length) return fromErrors(graphQLErrors);
  if (networkError) return fromApollo(networkError);
  if (statusCode) return fromStatus(statusCode, result);
  // The WebSocket link has the close code in its message only.
  const closeCode = Number(/with event (\d+)/.exec(message ?? '')?.[1]);
  return closeCode >= 4400 ? fromStatus(closeCode - 4000) : cause;
}

/** The URI of the first HTTP link in a chain. */
function uriOf(link: ApolloLink & { options?: { uri?: unknown } }): string | undefined {
  const { options, left, right } = link;
  if (typeof options?.uri === 'string') return options.uri;
  return (right && uriOf(right)) ?? (left && uriOf(left));
}
