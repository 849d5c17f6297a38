import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { BOUNDS } from '../../../src/graphql/websockets.js';
import { bootGraphql } from '../../support/graphql-server.js';

/** Shortened. */
const INITIALISATION_MS = 600;
const MAX_UNAUTHENTICATED = 10;

let server: Awaited<ReturnType<typeof bootGraphql>>;
/** Websockets that the server has. */
let count = 0;
const connections = () => count;
beforeAll(async () => {
  server = await bootGraphql(
    {},
    {},
    {
      initialisationMs: INITIALISATION_MS,
      maxUnauthenticated: MAX_UNAUTHENTICATED,
    },
  );
  server.server.on('upgrade', (_request, socket) => {
    count += 1;
    socket.once('close', () => {
      count -= 1;
    });
  });
});
afterAll(() => server?.close());

const begin = () => new WebSocket(server.url.replace('http', 'ws'), 'graphql-transport-ws');
async function open(): Promise<WebSocket> {
  const socket = begin();
  await once(socket, 'open');
  return socket;
}
const closed = async (socket: WebSocket) => (await once(socket, 'close'))[0] as number;
const init = (payload?: object) => JSON.stringify({ type: 'connection_init', payload });

test('a websocket has 5 s to show a credential', () => {
  expect(BOUNDS).toEqual({ initialisationMs: 5_000, maxUnauthenticated: 1_000 });
});

test('without a connection_init it is closed with 4408, however much else is said', async () => {
  const socket = await open();
  const pings = setInterval(() => socket.send('{"type":"ping"}'), 50);
  expect(await closed(socket)).toBe(4408);
  clearInterval(pings);
});

test.each([
  ['no credential', undefined],
  ['a bad one', { authorization: 'bad' }],
])('with %s in it it is closed with 4401 at once', async (_, payload) => {
  const socket = await open();
  socket.send(init(payload));
  expect(await closed(socket)).toBe(4401);
});

test('with a credential it may be silent', async () => {
  const socket = await open();
  socket.send(init({ authorization: 'viewer' }));
  await once(socket, 'message');
  await new Promise((passed) => setTimeout(passed, 2 * INITIALISATION_MS));
  expect(socket.readyState).toBe(socket.OPEN);
  socket.terminate();
});

test('before that 16 KiB are read, of whatever kind of frame, and then no more', async () => {
  for (const say of [
    (socket: WebSocket) => socket.send(init({ text: 'x'.repeat(17_000) })),
    (socket: WebSocket) => {
      for (let at = 0; at < 200; at += 1) socket.ping('x'.repeat(100));
    },
    (socket: WebSocket) => {
      for (let at = 0; at < 20; at += 1) socket.send('x'.repeat(1_000), { fin: false });
    },
  ]) {
    const socket = await open();
    socket.on('error', () => {});
    say(socket);
    // Of pings alone ws has had enough before.
    expect([1006, 1009]).toContain(await closed(socket));
  }
});

test('one that ignores its closing is cut off', async () => {
  const socket = await open();
  // Neither reads nor answers what it is told.
  socket.pause();
  await expect.poll(() => connections()).toBe(0);
  socket.terminate();
});

test('past so many that are unknown others are refused at once, those that are known are not counted', async () => {
  await expect.poll(connections).toBe(0);
  const known = await open();
  known.send(init({ authorization: 'viewer' }));
  await once(known, 'message');
  const unknown = await Promise.all(Array.from({ length: MAX_UNAUTHENTICATED }, open));
  const refused = begin();
  const [, response] = await once(refused, 'unexpected-response');
  expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1']);
  response.resume();
  expect(response.headers['x-content-type-options']).toBe('nosniff');
  for (const socket of unknown) socket.terminate();
  await expect.poll(connections).toBe(1);
  const next = await open();
  for (const socket of [next, known]) socket.terminate();
});
