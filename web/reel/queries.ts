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
import { cannotSubscribe, getConnection } from './connection.js';
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
import type { Connection, SubscriptionObserver } from './transport.js';

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

/** Runs a composable with the module's Apollo client, without touching the one that the host provides. */
function withApollo<T>(use: () => T): T {
  const connection = getConnection();
  connection.apolloApp ??= createApp({}).provide(
    DefaultApolloClient,
    connection.client ?? clientFor(connection),
  );
  return connection.apolloApp.runWithContext(use);
}

/** An Apollo client on top of a connection that has none. */
function clientFor({ send, subscribe }: Connection): ApolloClient<unknown> {
  const link = new ApolloLink(({ query, variables }) => {
    const text = print(query);
    if (!/^subscription/m.test(text)) return fromPromise(send(text, variables) as Promise<FetchResult>);
    return new Observable((observer) => {
      if (!subscribe) throw cannotSubscribe();
      return subscribe(text, variables, observer as SubscriptionObserver);
    });
  });
  return new ApolloClient({ link, cache: new InMemoryCache() });
}
