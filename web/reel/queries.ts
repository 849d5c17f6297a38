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
import { createApp, type MaybeRefOrGetter } from 'vue';
import { type Connection, cannotSubscribe, connected, type Listener } from './connection.js';
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

type Values<T> = MaybeRefOrGetter<T>;

/** A page of the list, with its count where `count` is set (exact where `exact` is). */
export const useLogsQuery = (
  variables: Values<LogsQueryVariables> = {},
  options: Values<UseQueryOptions<LogsQuery, LogsQueryVariables>> = {},
) => within(() => useQuery(node(LogsDocument), variables, options));

/** One entry with what changed and what else its request did, unless `details` is false; null where there is none. */
export const useLogQuery = (
  variables: Values<LogQueryVariables>,
  options: Values<UseQueryOptions<LogQuery, LogQueryVariables>> = {},
) => within(() => useQuery(node(LogDocument), variables, options));

/** Counts of what matches, over time where `timeline` is set, by field where `facets` is. */
export const useLogStatsQuery = (
  variables: Values<LogStatsQueryVariables> = {},
  options: Values<UseQueryOptions<LogStatsQuery, LogStatsQueryVariables>> = {},
) => within(() => useQuery(node(LogStatsDocument), variables, options));

export const useCreateLogMutation = (
  options?: Values<UseMutationOptions<CreateLogMutation, CreateLogMutationVariables>>,
) => within(() => useMutation(node(CreateLogDocument), options));

export const useExportLogsMutation = (
  options?: Values<UseMutationOptions<ExportLogsMutation, ExportLogsMutationVariables>>,
) => within(() => useMutation(node(ExportLogsDocument), options));

/** Entries as they are sealed. It does not resume by itself: useReelTail does. */
export const useLogAddedSubscription = (
  variables: Values<LogAddedSubscriptionVariables> = {},
  options: Values<UseSubscriptionOptions<LogAddedSubscription, LogAddedSubscriptionVariables>> = {},
) => within(() => useSubscription(node(LogAddedDocument), variables, options));

const nodes: Record<string, DocumentNode> = {};

/** Parsed once, since Apollo knows an operation again by its node. */
function node<Result, Variables>(text: Operation<Result, Variables>): TypedDocumentNode<Result, Variables> {
  nodes[text] ??= parse(text);
  return nodes[text];
}

/** Lends the module's Apollo client to the composables, and leaves the host's as it is. */
function within<T>(use: () => T): T {
  const connection = connected();
  connection.lender ??= createApp({}).provide(
    DefaultApolloClient,
    connection.client ?? clientOver(connection),
  );
  return connection.lender.runWithContext(use);
}

/** An Apollo client over a connection that has none. */
function clientOver({ send, subscribe }: Connection): ApolloClient<unknown> {
  const link = new ApolloLink(({ query, variables }) => {
    const text = print(query);
    if (!/^subscription/m.test(text)) return fromPromise(send(text, variables) as Promise<FetchResult>);
    return new Observable((observer) => {
      if (!subscribe) throw cannotSubscribe();
      return subscribe(text, variables, observer as Listener);
    });
  });
  return new ApolloClient({ link, cache: new InMemoryCache() });
}
