import { ApolloClient, ApolloLink, InMemoryCache, Observable } from '@apollo/client/core';
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
import { parse, print } from 'graphql';
import { type App, createApp, type MaybeRefOrGetter, toValue } from 'vue';
import { type Connection, cannotSubscribe, connected } from './connection.js';
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
) =>
  within(() =>
    useQuery(
      node(LogsDocument),
      () => toValue(variables),
      () => toValue(options),
    ),
  );

/** One entry with what changed and what else its request did, unless `details` is false; null where there is none. */
export const useLogQuery = (
  variables: Values<LogQueryVariables>,
  options: Values<UseQueryOptions<LogQuery, LogQueryVariables>> = {},
) =>
  within(() =>
    useQuery(
      node(LogDocument),
      () => toValue(variables),
      () => toValue(options),
    ),
  );

/** Counts of what matches, over time where `timeline` is set, by field where `facets` is. */
export const useLogStatsQuery = (
  variables: Values<LogStatsQueryVariables> = {},
  options: Values<UseQueryOptions<LogStatsQuery, LogStatsQueryVariables>> = {},
) =>
  within(() =>
    useQuery(
      node(LogStatsDocument),
      () => toValue(variables),
      () => toValue(options),
    ),
  );

export const useCreateLogMutation = (
  options: Values<UseMutationOptions<CreateLogMutation, CreateLogMutationVariables>> = {},
) => within(() => useMutation(node(CreateLogDocument), () => toValue(options)));

export const useExportLogsMutation = (
  options: Values<UseMutationOptions<ExportLogsMutation, ExportLogsMutationVariables>> = {},
) => within(() => useMutation(node(ExportLogsDocument), () => toValue(options)));

/** Entries as they are sealed. It does not resume by itself: useReelTail does. */
export const useLogAddedSubscription = (
  variables: Values<LogAddedSubscriptionVariables> = {},
  options: Values<UseSubscriptionOptions<LogAddedSubscription, LogAddedSubscriptionVariables>> = {},
) =>
  within(() =>
    useSubscription(
      node(LogAddedDocument),
      () => toValue(variables),
      () => toValue(options),
    ),
  );

const nodes = new Map<string, unknown>();

function node<Result, Variables>(text: Operation<Result, Variables>): TypedDocumentNode<Result, Variables> {
  if (!nodes.has(text)) nodes.set(text, parse(text));
  return nodes.get(text) as TypedDocumentNode<Result, Variables>;
}

const contexts = new WeakMap<Connection, App>();

/** Lends the module's own Apollo client to the composables, and leaves the host's as it is. */
function within<T>(use: () => T): T {
  const connection = connected();
  let context = contexts.get(connection);
  if (!context) {
    context = createApp({}).provide(DefaultApolloClient, connection.client ?? clientOver(connection));
    contexts.set(connection, context);
  }
  return context.runWithContext(use);
}

/** An Apollo client over a connection that has none. */
function clientOver({ send, subscribe }: Connection): ApolloClient<unknown> {
  const link = new ApolloLink(
    ({ query, variables }) =>
      new Observable((observer) => {
        const text = print(query);
        const deliver = (answer: object) => observer.next(answer);
        if (!/^subscription/m.test(text)) {
          const gone = new AbortController();
          send(text, variables, gone.signal).then(
            (answer) => {
              deliver(answer);
              observer.complete();
            },
            (cause) => observer.error(cause),
          );
          return () => gone.abort();
        }
        if (!subscribe) throw cannotSubscribe();
        return subscribe(text, variables, {
          open() {},
          next: deliver,
          error: (cause) => observer.error(cause),
          complete: () => observer.complete(),
        });
      }),
  );
  return new ApolloClient({ link, cache: new InMemoryCache() });
}
