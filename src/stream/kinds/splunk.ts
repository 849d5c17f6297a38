import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { readAnswer } from './answer.js';
import { originOf, withMember } from './batch-text.js';
import { httpKind, type Post, unreadable } from './http-kind.js';
import { type BatchToSend, type Delivered, StreamKind } from './kind.js';
import { checkToken, settingsOf, text, truth, urlText } from './settings.js';
import { CHANNEL_HEADER, indexing } from './splunk-acknowledgement.js';

const SETTINGS = settingsOf({
  url: urlText,
  index: text(100).optional(),
  sourcetype: text(100).optional(),
  acknowledge: truth.optional(),
});
type SplunkSettings = z.infer<typeof SETTINGS>;

const COLLECTOR = '/services/collector';
/** Codes of the collector's answers (Splunk, "HTTP Event Collector error codes") that are about the data, and not about token, index or channel. */
const ABOUT_DATA: ReadonlySet<unknown> = new Set([5, 6, 12, 13, 15]);

/** Splunk's HTTP Event Collector. */
export const splunk = httpKind<SplunkSettings>({
  name: StreamKind.SPLUNK,
  settings: SETTINGS,
  checkSecret: (secret) => checkToken(secret, "a collector's token"),
  readsAnswer: true,
  exchange: ({ settings, secret }) => {
    const channel = settings.acknowledge ? randomUUID() : null;
    const { origin, pathname } = new URL(settings.url);
    const collector = origin + pathname.replace(/\/$/, '') + COLLECTOR;
    const post = (path: string, body: string): Post => ({
      url: collector + path,
      headers: {
        authorization: `Splunk ${secret}`,
        'content-type': 'application/json',
        ...(channel === null ? {} : { [CHANNEL_HEADER]: channel }),
      },
      body,
    });
    return {
      post: (batch) => post('/event', batch.entries.map((each) => eventOf(each, batch, settings)).join('\n')),
      refused: (outcome, answer) =>
        outcome.kind === 'refused' &&
        answer.status === 400 &&
        !ABOUT_DATA.has(readAnswer<{ code?: number }>(answer)?.code)
          ? { kind: 'failing', answer: outcome.answer }
          : outcome,
      accepted(answer, _batch, call, signal) {
        const said = readAnswer<{ code?: number; ackId?: number }>(answer);
        if (said?.code !== 0) return unreadable(answer);
        if (channel === null) return null;
        return indexing(said.ackId, (query, body) => call(post(`/ack?${query}`, body)), channel, signal);
      },
    };
  },
});

function eventOf(
  each: Delivered,
  batch: BatchToSend,
  { index, sourcetype = 'reel:audit' }: SplunkSettings,
): string {
  const about = {
    time: Date.parse(each.entry.createdAt) / 1_000,
    source: 'reel',
    sourcetype,
    ...(index === undefined ? {} : { index }),
    fields: originOf(each, batch, '_'),
  };
  return withMember(about, 'event', each.text);
}
