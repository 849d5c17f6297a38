import type { ApolloClient } from '@apollo/client/core';
import type { App } from 'vue';

/** A GraphQL response, as it comes over any transport. */
export interface GraphQLResponse {
  data?: unknown;
  errors?: readonly { message: string; extensions?: Record<string, unknown> }[];
}

/** Receives the events of one subscription. Nothing follows `error` or `complete`. */
export interface SubscriptionObserver {
  open?(): void;
  next(response: GraphQLResponse): void;
  error(cause: unknown): void;
  complete(): void;
}

export interface Connection {
  /** Resolves with the response, including its errors; rejects where there was none. */
  send(query: string, variables: object, signal?: AbortSignal): Promise<GraphQLResponse>;
  /** Returns the function that unsubscribes. Missing where the host's client cannot subscribe. */
  subscribe?(query: string, variables: object, observer: SubscriptionObserver): () => void;
  /** URL of the GraphQL endpoint, as far as it is known. */
  endpoint: string;
  client?: ApolloClient<unknown>;
  /** Provides the Apollo client to @vue/apollo-composable; created on first use. */
  apolloApp?: App;
}
