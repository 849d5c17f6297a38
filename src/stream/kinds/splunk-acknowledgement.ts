import { setTimeout as pause } from 'node:timers/promises';
import type { HttpAnswer } from '../egress/egress.js';
import { readAnswer } from './answer.js';
import type { AcceptedOutcome } from './http-kind.js';

/** Names the channel within which ids of acknowledgements count. */
export const CHANNEL_HEADER = 'x-splunk-request-channel';

/** How often it is asked whether events are indexed, and for how long. */
const [ASK_MS, MOST_ASK_MS, INDEXED_MS] = [250, 5_000, 60_000];

/**
 * Asks until what was taken under an id is indexed (Splunk, "HTTP Event Collector indexer acknowledgment"). `ask`: posts a body
 * to the collector's /ack under a query.
 */
export async function indexing(
  ackId: number | undefined,
  ask: (query: string, body: string) => Promise<HttpAnswer>,
  channel: string,
  signal: AbortSignal,
): Promise<AcceptedOutcome> {
  if (ackId === undefined) return { kind: 'failing', answer: 'the token has no indexer acknowledgement' };
  const until = performance.now() + INDEXED_MS;
  for (let wait = ASK_MS; performance.now() < until; wait = Math.min(2 * wait, MOST_ASK_MS)) {
    const answer = await ask(`channel=${channel}`, JSON.stringify({ acks: [ackId] }));
    if (readAnswer<{ acks?: Record<string, boolean> }>(answer)?.acks?.[ackId] === true) return null;
    await pause(wait, undefined, { signal });
  }
  return { kind: 'later', answer: 'not indexed within a minute' };
}
