import { afterEach, beforeEach, expect, it } from 'vitest';
import { batchOf, Receiver } from '../support/receiver.js';
import { reelOfFile, SECRET, store, tenantWith } from '../support/streams.js';

/** What one tenant may do with its streams, beside another tenant's stream that has to deliver all the while. */

const own = reelOfFile();
const CREATE = 'mutation ($input: CreateStreamInput!) { createStream(input: $input) { id } }';
const REPLAY = 'mutation ($id: UUID!) { replayStream(id: $id, after: 0) { id } }';

let receiver: Receiver;
let other: Awaited<ReturnType<typeof otherTenant>>;
beforeEach(async () => {
  receiver = await Receiver.start();
  other = await otherTenant();
});
afterEach(async () => {
  await other.close();
  await receiver.close();
});

/** Another tenant, with a stream that delivers what it stores. */
async function otherTenant() {
  const target = await Receiver.start();
  const { tenant, stream, whole } = await tenantWith(own, [{}]);
  const { id } = await stream({ settings: { url: target.url } });
  await whole(id);
  return {
    /** Stores entries one after another until `work` ends, each when the one before has been delivered; once more after that. */
    async deliversDuring<T>(work: Promise<T>): Promise<T> {
      let isOver = false;
      const ended = work.finally(() => {
        isOver = true;
      });
      ended.catch(() => {});
      for (let isLast = false; !isLast; ) {
        isLast = isOver;
        const [entry] = await store(own.reel, own.token, tenant, [{}]);
        await expect.poll(() => target.requests.some(({ body }) => body.includes(entry!))).toBe(true);
      }
      const sequences = target.requests
        .map(batchOf)
        .flatMap(({ entries }) => entries.map(({ sequence }) => sequence));
      expect(sequences).toEqual(Array.from({ length: sequences.length }, (_, at) => at + 1));
      return ended;
    },
    close: () => target.close(),
  };
}

const sequencesOf = (stream: string, run = 1) =>
  receiver.requests
    .map(batchOf)
    .filter(({ id }) => id.startsWith(`${stream}_${run}_`))
    .flatMap(({ entries }) => entries.map(({ sequence }) => sequence));

it('reads long entries by costly conditions for ten streams, and the other one delivers', async () => {
  const LONG = 100;
  const items = Array.from({ length: 400 }, (_, at) => ({ sku: `number ${at}`, note: 'long '.repeat(10) }));
  const entries = Array.from({ length: LONG }, (_, at) => ({ data: { items, of: at % 50 } }));
  const { calls, stream } = await tenantWith(own, entries);
  const query = 'data.items[*].sku:"number 399" -data.items[*].note:short data.of>48';
  const streams = await Promise.all(
    Array.from({ length: 10 }, () => stream({ settings: { url: receiver.url }, query })),
  );
  await other.deliversDuring(
    Promise.all(
      streams.map(({ id }) =>
        calls.until(id, ({ position }) => expect(position).toBeGreaterThanOrEqual(LONG)),
      ),
    ),
  );
  for (const { id } of streams) expect(sequencesOf(id)).toEqual([50, 100]);
});

it('replays again and again while a replay runs, in one turn, and the other one delivers', async () => {
  const [ENTRIES, REPLAYS] = [60, 24];
  let [under, most] = [0, 0];
  receiver.behaviour = async () => {
    under += 1;
    most = Math.max(most, under);
    await new Promise(setImmediate);
    under -= 1;
    return { status: 204 };
  };
  const { calls, stream, whole } = await tenantWith(
    own,
    Array.from({ length: ENTRIES }, () => ({})),
  );
  const { id } = await stream({ settings: { url: receiver.url, batchEntries: 5 } });
  await whole(id);
  const storm = async () => {
    for (let at = 0; at < REPLAYS; at += 8)
      await Promise.all(Array.from({ length: 8 }, () => calls.ask(REPLAY, { id })));
  };
  await other.deliversDuring(storm());
  const last = await calls.until(id, ({ lagEntries, position }) => {
    expect(position).toBe(ENTRIES + 1 + REPLAYS);
    expect(lagEntries).toBe(0);
  });
  expect(sequencesOf(id, 1 + REPLAYS)).toEqual(Array.from({ length: last.position }, (_, at) => at + 1));
  // One batch at a time, and of the runs that were overtaken no more than what was under way.
  expect(most).toBe(1);
  for (let run = 1; run <= 1 + REPLAYS; run += 1) {
    const sequences = sequencesOf(id, run);
    expect(sequences).toEqual(Array.from({ length: sequences.length }, (_, at) => at + 1));
  }
});

it('has at most twenty streams, however many are asked for at once, and the other one delivers', async () => {
  const ASKED = 300;
  const { calls } = await tenantWith(own, [{}]);
  const input = { name: 'x', kind: 'WEBHOOK', secret: SECRET, settings: { url: receiver.url }, after: 0 };
  const made: string[] = [];
  const refused: { message: string; extensions: { code: string } }[] = [];
  const create = async () => {
    const { body } = await calls.reel.graphql(calls.token, CREATE, { input });
    if (body.errors) refused.push(...body.errors);
    else made.push(body.data.createStream.id);
  };
  await other.deliversDuring(Promise.all(Array.from({ length: ASKED }, create)));
  expect(made).toHaveLength(20);
  expect(refused).toHaveLength(ASKED - 20);
  const reasons = new Set(refused.map(({ message, extensions }) => `${extensions.code}: ${message}`));
  // Those for which there is no room to wait are not told whether there is room for a stream.
  reasons.delete(
    'OVERLOADED: Too many changes to the settings of this tenant are waiting; try again shortly',
  );
  expect([...reasons]).toEqual(['CONFLICT: A tenant has at most 20 streams']);
  // The records of the last ones made may be sealed after a lag of nothing.
  for (const id of made) await calls.until(id, ({ position }) => expect(position).toBe(21));
  for (const id of made) expect(sequencesOf(id)).toEqual(Array.from({ length: 21 }, (_, at) => at + 1));
});
