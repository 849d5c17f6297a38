import type { SubscribePayload } from 'graphql-ws';
import { resolveUrl } from './connection.js';
import { ReelError } from './error.js';
import type { Connection, GraphQLResponse, Subscribe, SubscriptionObserver } from './transport.js';

/**
 * How to subscribe over a connection. Throws ReelError over Evoke, which cannot.
 *
 * Over a url each subscription has a WebSocket of its own (graphql-transport-ws). The headers are sent as connection
 * parameters, with names in lower case, since browsers cannot set headers on a WebSocket. It does not reconnect: only
 * the observer knows which entries it has received. graphql-ws is loaded on first use.
 */
export function subscriberOf({ subscribe, headers, endpoint }: Connection): Subscribe {
  if (subscribe) return subscribe;
  if (!headers) throw new ReelError('UNAVAILABLE', 'Evoke cannot subscribe');
  return (query, variables, observer) => {
    const opening = openSocket(endpoint, headers, { query, variables }, observer);
    opening.catch((cause) => observer.error(cause));
    return () => {
      opening.then(
        (close) => close(),
        () => {},
      );
    };
  };
}

async function openSocket(
  endpoint: string,
  headers: () => Promise<Record<string, string>>,
  payload: { query: string; variables: object },
  observer: SubscriptionObserver,
): Promise<() => void> {
  const { createClient } = await import('graphql-ws');
  let pongTimeout: ReturnType<typeof setTimeout> | undefined;
  const client = createClient({
    url: resolveUrl(endpoint).replace('http', 'ws'),
    retryAttempts: 0,
    keepAlive: 10_000,
    connectionParams: async () =>
      Object.fromEntries(Object.entries(await headers()).map(([name, value]) => [name.toLowerCase(), value])),
    on: {
      connected: () => observer.open?.(),
      // A connection that died silently is noticed only by a missing pong.
      ping: (received) => {
        if (!received) pongTimeout = setTimeout(() => client.terminate(), 5_000);
      },
      pong: () => clearTimeout(pongTimeout),
      closed: () => clearTimeout(pongTimeout),
    },
  });
  const unsubscribe = client.subscribe(payload as SubscribePayload, {
    next: (response) => observer.next(response as GraphQLResponse),
    error: (cause) => observer.error(cause),
    complete: () => observer.complete(),
  });
  return () => {
    unsubscribe();
    void client.dispose();
  };
}
