import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { SequencedReader } from '../../../src/log/read/sequenced.js';
import { Tail } from '../../../src/log/read/tail.js';
import { moduleToken, startReel, type TestReel, viewer } from '../../support/reel.js';

let reel: TestReel;
beforeAll(async () => {
  reel = await startReel();
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => reel?.close());

const FOLLOW = 'subscription { logAdded(after: 0) { sequence data } }';

async function openSocket(): Promise<WebSocket> {
  const socket = new WebSocket(`${reel.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await once(socket, 'open');
  return socket;
}

async function follow(token: string, query: string): Promise<WebSocket> {
  const socket = await openSocket();
  socket.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } }));
  await once(socket, 'message');
  socket.send(JSON.stringify({ id: 'one', type: 'subscribe', payload: { query } }));
  return socket;
}

async function write(tenantId: string, count: number, data: object): Promise<void> {
  const inputs = Array.from({ length: count }, () => ({ module: 'm', action: 'a.b', tenantId, data }));
  const { body } = await reel.graphql(
    await moduleToken(),
    'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
    { inputs },
  );
  expect(body.errors).toBeUndefined();
}

test('a message past 256 KiB closes the websocket with 1009 and prints nothing', async () => {
  const printed = [vi.spyOn(console, 'error'), vi.spyOn(process.stderr, 'write'), vi.spyOn(console, 'warn')];
  const socket = await openSocket();
  socket.send(JSON.stringify({ type: 'connection_init', payload: { text: 'x'.repeat(300 * 1024) } }));
  expect((await once(socket, 'close'))[0]).toBe(1009);
  for (const print of printed) expect(print).not.toHaveBeenCalled();
  expect((await fetch(`${reel.url}/health/live`)).status).toBe(200);
});

test.each(['websocket', 'event stream'])(
  'who goes away while the trail is quiet is not followed for any more: %s',
  async (kind) => {
    const followed = vi.spyOn(Tail.prototype, 'follow');
    const token = await viewer(randomUUID());
    const gone = new AbortController();
    const opened =
      kind === 'websocket'
        ? await follow(token, FOLLOW)
        : await fetch(`${reel.url}/graphql`, {
            method: 'POST',
            signal: gone.signal,
            headers: {
              accept: 'text/event-stream',
              'content-type': 'application/json',
              authorization: `Bearer ${token}`,
            },
            body: JSON.stringify({ query: FOLLOW }),
          });
    await expect.poll(() => followed.mock.calls.length).toBe(1);
    const signal = followed.mock.calls[0]![2];
    expect(signal.aborted).toBe(false);
    if (opened instanceof WebSocket) opened.terminate();
    else gone.abort();
    await expect.poll(() => signal.aborted).toBe(true);
  },
);

/** 4,000 entries of 16 KiB, 64 MiB in all, of which the system takes some on its way. */
const [ENTRIES, ENTRY_BYTES, AT_ONCE] = [4_000, 16 * 1024, 500];

test('who does not read is not read for: the server waits, holds little, and goes on where it was', async () => {
  const tenantId = randomUUID();
  for (let written = 0; written < ENTRIES; written += AT_ONCE)
    await write(tenantId, AT_ONCE, { text: 'x'.repeat(ENTRY_BYTES) });
  const token = await viewer(tenantId);
  const places = vi.spyOn(SequencedReader.prototype, 'next');
  const furthest = () => Math.max(0, ...places.mock.calls.map(([after]) => after));
  const resting = async () => {
    let before = -1;
    while (furthest() !== before || before === 0) {
      before = furthest();
      await setTimeout(1_000);
    }
    return before;
  };
  const upTo = Array.from({ length: ENTRIES }, (_, index) => index + 1);

  const socket = await follow(token, FOLLOW);
  const seen: number[] = [];
  socket.on('message', (text) => {
    const { type, payload } = JSON.parse(String(text));
    if (type === 'next') seen.push(payload.data.logAdded.sequence);
  });
  socket.pause();
  expect(await resting()).toBeLessThan(ENTRIES / 2);
  socket.resume();
  await expect.poll(() => seen.length, { timeout: 60_000 }).toBe(ENTRIES);
  expect(seen).toEqual(upTo);
  socket.terminate();

  places.mockClear();
  const asked = request(`${reel.url}/graphql`, {
    method: 'POST',
    headers: {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
    },
  });
  asked.end(JSON.stringify({ query: FOLLOW }));
  const [answer] = await once(asked, 'response');
  answer.pause();
  expect(await resting()).toBeLessThan(ENTRIES / 2);
  let text = '';
  answer.setEncoding('utf8').on('data', (piece: string) => {
    text += piece.replace(/x{100,}/g, 'x');
  });
  answer.resume();
  const received = () => [...text.matchAll(/"sequence":(\d+)/g)].map(([, place]) => Number(place));
  await expect.poll(() => received().length, { timeout: 60_000 }).toBe(ENTRIES);
  expect(received()).toEqual(upTo);
  asked.destroy();
}, 180_000);
