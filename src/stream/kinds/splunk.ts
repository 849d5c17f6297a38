import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { StreamFormat } from '../formats/format.js';
import { readAnswer } from './answer.js';
import {
  type BatchToSend,
  type CommonSettings,
  checkToken,
  type Kind,
  StreamKind,
  settingsOf,
  text,
  truth,
  urlText,
} from './kind.js';
import { outcomeOfStatus } from './outcome.js';

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
export const splunk: Kind<SplunkSettings> = {
  name: StreamKind.SPLUNK,
  formats: [StreamFormat.REEL, StreamFormat.OCSF, StreamFormat.ECS],
  settings: settingsOf({
    url: urlText,
    index: text(100).optional(),
    sourcetype: text(100).optional(),
    acknowledge: truth.optional(),
  }),
  destination: ['url'],
  batch: { entries: 500, bytes: 1_048_576, seconds: 0 },
  proofs: false,
  check: ({ url }, egress) => egress.checkUrl('settings.url', url),
  checkSecret: (secret) => checkToken(secret, "a collector's token"),
  open: ({ settings, secret, tls, egress }) => {
    const http = egress.http(tls);
    const channel = randomUUID();
    const at = (path: string) => new URL(COLLECTOR + path, settings.url).href;
    const headers = {
      authorization: `Splunk ${secret}`,
      'content-type': 'application/json',
      ...(settings.acknowledge ? { 'x-splunk-request-channel': channel } : {}),
    };
    const post = (url: string, body: string, signal: AbortSignal) =>
      http.call({ method: 'POST', url, headers, body, readsAnswer: true, signal });
    return {
      async send(batch, signal) {
        const answer = await post(
          at('/event'),
          batch.entries.map((each) => eventOf(each, batch, settings)).join('\n'),
          signal,
        );
        const said = readAnswer<Answer>(answer);
        const outcome = outcomeOfStatus(answer.status, answer.body.toString('utf8'), answer.retryAfter);
        if (outcome.kind === 'refused' && answer.status === 400 && !ABOUT_DATA.has(said?.code))
          return { kind: 'failing', answer: outcome.answer };
        if (outcome.kind !== 'done') return outcome;
        if (said?.code !== 0)
          return { kind: 'later', answer: `${answer.status} with an answer that cannot be read` };
        if (!settings.acknowledge) return outcome;
        if (said.ackId === undefined)
          return { kind: 'failing', answer: 'the token has no indexer acknowledgement' };
        return (await isIndexed(said.ackId, signal))
          ? outcome
          : { kind: 'later', answer: 'not indexed within a minute' };
      },
      close: () => http.close(),
    };

    async function isIndexed(ackId: number, signal: AbortSignal): Promise<boolean> {
      const until = performance.now() + INDEXED_MS;
      for (let wait = ASK_MS; performance.now() < until; wait = Math.min(2 * wait, MOST_ASK_MS)) {
        const answer = await post(at(`/ack?channel=${channel}`), JSON.stringify({ acks: [ackId] }), signal);
        if (readAnswer<{ acks?: Record<string, boolean> }>(answer)?.acks?.[ackId]) return true;
        await pause(wait, undefined, { signal });
      }
      return false;
    }
  },
};

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
