import type { SubscribePayload } from 'graphql-ws';
import type { Listener } from './connection.js';
import type { GraphQLAnswer } from './refusal.js';

/**
 * One subscription over a websocket of its own (graphql-transport-ws). The headers go as connection parameters, names
 * in lower case, since browsers send none of their own with a websocket. Reconnecting is the listener's: only it
 * knows what it has seen. graphql-ws itself is loaded here, when it is first needed.
 */
export async function openSocket(
  url: string,
  headers: () => Promise<Record<string, string>>,
  payload: { query: string; variables: object },
  listener: Listener,
): Promise<() => void> {
  const { createClient } = await import('graphql-ws');
  let silence: ReturnType<typeof setTimeout> | undefined;
  const client = createClient({
    url,
    retryAttempts: 0,
    keepAlive: 10_000,
    connectionParams: async () =>
      Object.fromEntries(Object.entries(await headers()).map(([name, value]) => [name.toLowerCase(), value])),
    on: {
      connected: () => listener.open?.(),
      // A connection that died without a word is only found by asking.
      ping: (received) => {
        if (!received) silence = setTimeout(() => client.terminate(), 5_000);
      },
      pong: () => clearTimeout(silence),
      closed: () => clearTimeout(silence),
    },
  });
  const unsubscribe = client.subscribe(payload as SubscribePayload, {
    next: (answer) => listener.next(answer as GraphQLAnswer),
    error: (cause) => listener.error(cause),
    complete: () => listener.complete(),
  });
  return () => {
    unsubscribe();
    void client.dispose();
  };
}
