import type { z } from 'zod';
import { StreamFormat } from '../formats/format.js';
import { readAnswer } from './answer.js';
import { httpKind } from './http-kind.js';
import { StreamKind } from './kind.js';
import { answerText, type Outcome, type RefusedEntry } from './outcome.js';
import { checkToken, settingsOf, text, urlText } from './settings.js';

const SETTINGS = settingsOf({ url: urlText, index: text(255) });

interface BulkAnswer {
  items?: { create?: { status?: number; error?: { type?: string; reason?: string } } }[];
}

/** Elasticsearch or OpenSearch. */
export const elastic = httpKind<z.infer<typeof SETTINGS>>({
  name: StreamKind.ELASTIC,
  settings: SETTINGS,
  checkSecret: (secret) => checkToken(secret, 'an API key, or user:password'),
  readsAnswer: true,
  exchange: ({ settings, secret, format }) => {
    const credential = secret?.includes(':')
      ? `Basic ${Buffer.from(secret).toString('base64')}`
      : `ApiKey ${secret}`;
    const url = new URL(settings.url);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/_bulk`;
    return {
      post(batch) {
        const lines = batch.entries.map(({ entry, text: document }) => {
          const action = JSON.stringify({ create: { _index: settings.index, _id: entry.id } });
          // A document of a data stream needs one; ECS has it.
          const stamped =
            format === StreamFormat.ECS
              ? document
              : `{"@timestamp":${JSON.stringify(entry.createdAt)},"reel_stream":"${batch.streamId}",${document.slice(1)}`;
          return `${action}\n${stamped}\n`;
        });
        return {
          url: url.href,
          headers: { authorization: credential, 'content-type': 'application/x-ndjson' },
          body: lines.join(''),
        };
      },
      accepted: (answer, { entries }) => outcomeOfItems(readAnswer<BulkAnswer>(answer), entries.length),
    };
  },
});

/** An item that is there already (409) is done: it was sent before. */
function outcomeOfItems(answer: BulkAnswer | null, count: number): Outcome {
  const items = answer?.items;
  if (
    !Array.isArray(items) ||
    items.length !== count ||
    items.some((item) => !Number.isInteger(item?.create?.status))
  )
    return { kind: 'later', answer: '200 with an answer that cannot be read' };
  const refused: RefusedEntry[] = [];
  let done = 0;
  for (const [index, { create }] of items.entries()) {
    const { status, error } = create as { status: number; error?: { type?: string; reason?: string } };
    const reason = answerText(`${status} ${error?.type ?? ''}: ${error?.reason ?? ''}`);
    if ((status >= 200 && status < 300) || status === 409) done += 1;
    else if (status === 429 || status >= 500) return { kind: 'later', answer: reason };
    else refused.push({ index, reason });
  }
  return { kind: 'done', answer: `200: ${done} of ${count}`, refused };
}
