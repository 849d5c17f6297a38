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

/** Begins a subscription, and returns the function that ends it. */
export type Subscribe = (query: string, variables: object, observer: SubscriptionObserver) => () => void;

export interface Connection {
  /** URL of the GraphQL endpoint, as far as it is known. */
  endpoint: string;
  /** Resolves with the response, including its errors; rejects where there was none. */
  send(query: string, variables: object, signal?: AbortSignal): Promise<GraphQLResponse>;
  /** Of a client that can subscribe by itself. */
  subscribe?: Subscribe;
  /** Over a url, where subscriptions have a WebSocket: the host's headers as they are now. */
  headers?: () => Promise<Record<string, string>>;
}
