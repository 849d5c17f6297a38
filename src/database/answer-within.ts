import type { Socket } from 'node:net';
import type { ClientBase } from 'pg';

/**
 * Ends a connection at once, whatever the other side does: pending statements reject with ETIMEDOUT. `Client.end()` would
 * wait for an answer.
 */
export function cut(client: ClientBase, reason: string): void {
  const { connection } = client as unknown as { connection: { stream: Socket } };
  connection.stream.destroy(cutError(reason));
}

export const cutError = (reason: string) => Object.assign(new Error(reason), { code: 'ETIMEDOUT' });

/**
 * Waits for an answer on a connection for `ms` (null: for ever), then cuts the connection: what came on it later would be
 * taken for the answer to something else.
 */
export async function answerWithin<T>(client: ClientBase, ms: number | null, answer: Promise<T>): Promise<T> {
  if (ms === null) return answer;
  let isOver = false;
  const timer = setTimeout(
    // An answer that has arrived while the event loop was held is read before this.
    () =>
      setImmediate(
        () => isOver || cut(client, `expected an answer of the database within ${ms} ms, got none`),
      ),
    ms,
  );
  try {
    return await answer;
  } finally {
    isOver = true;
    clearTimeout(timer);
  }
}
