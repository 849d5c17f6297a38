import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { HttpAnswer } from '../egress/egress.js';
import { readAnswer } from './answer.js';
import { httpKind, type Post, unreadable } from './http-kind.js';
import {
  type BatchToSend,
  type CommonSettings,
  checkToken,
  StreamKind,
  settingsOf,
  text,
  truth,
  urlText,
} from './kind.js';

interface SplunkSettings extends CommonSettings {
  url: string;
  index?: string | undefined;
  sourcetype?: string | undefined;
  acknowledge?: boolean | undefined;
}

const COLLECTOR = '/services/collector';
/** Codes of the collector's answers (Splunk, "HTTP Event Collector error codes") that are about the data, and not about token, index or channel. */
const ABOUT_DATA: ReadonlySet<unknown> = new Set([5, 6, 12, 13, 15]);
/** How often it is asked whether events are indexed, and for how long. */
const [ASK_MS, MOST_ASK_MS, INDEXED_MS] = [250, 5_000, 60_000];

interface Answer {
  code?: number;
  ackId?: number;
}

/** Splunk's HTTP Event Collector. */
export const splunk = httpKind<SplunkSettings>({
  name: StreamKind.SPLUNK,
  settings: settingsOf({
    url: urlText,
    index: text(100).optional(),
    sourcetype: text(100).optional(),
    acknowledge: truth.optional(),
  }),
  checkSecret: (secret) => checkToken(secret, "a collector's token"),
  readsAnswer: true,
  exchange: ({ settings, secret }) => {
    const channel = randomUUID();
    const post = (path: string, body: string): Post => ({
      url: new URL(COLLECTOR + path, settings.url).href,
      headers: {
        authorization: `Splunk ${secret}`,
        'content-type': 'application/json',
        ...(settings.acknowledge ? { 'x-splunk-request-channel': channel } : {}),
      },
      body,
    });
    return {
      post: (batch) => post('/event', batch.entries.map((each) => eventOf(each, batch, settings)).join('\n')),
      refused: (outcome, answer) =>
        outcome.kind === 'refused' &&
        answer.status === 400 &&
        !ABOUT_DATA.has(readAnswer<Answer>(answer)?.code)
          ? { kind: 'failing', answer: outcome.answer }
          : outcome,
      async accepted(answer, _batch, call, signal) {
        const said = readAnswer<Answer>(answer);
        if (said?.code !== 0) return unreadable(answer);
        if (!settings.acknowledge) return null;
        const { ackId } = said;
        if (ackId === undefined)
          return { kind: 'failing', answer: 'the token has no indexer acknowledgement' };
        const ask = () => call(post(`/ack?channel=${channel}`, JSON.stringify({ acks: [ackId] })));
        return (await isIndexed(ackId, ask, signal))
          ? null
          : { kind: 'later', answer: 'not indexed within a minute' };
      },
    };
  },
});

async function isIndexed(
  ackId: number,
  ask: () => Promise<HttpAnswer>,
  signal: AbortSignal,
): Promise<boolean> {
  const until = performance.now() + INDEXED_MS;
  for (let wait = ASK_MS; performance.now() < until; wait = Math.min(2 * wait, MOST_ASK_MS)) {
    if (readAnswer<{ acks?: Record<string, boolean> }>(await ask())?.acks?.[ackId]) return true;
    await pause(wait, undefined, { signal });
  }
  return false;
}

function eventOf(
  { entry, text: event }: BatchToSend['entries'][number],
  { streamId, tenantId }: BatchToSend,
  { index, sourcetype = 'reel:audit' }: SplunkSettings,
): string {
  const about = {
    time: Date.parse(entry.createdAt) / 1_000,
    source: 'reel',
    sourcetype,
    ...(index === undefined ? {} : { index }),
    fields: {
      reel_stream: streamId,
      reel_tenant: tenantId,
      reel_id: entry.id,
      reel_sequence: entry.sequence,
    },
  };
  return `${JSON.stringify(about).slice(0, -1)},"event":${event}}`;
}
