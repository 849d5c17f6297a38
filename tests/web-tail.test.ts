import { ApolloClient, ApolloLink, InMemoryCache, Observable } from '@apollo/client/core/index.js';
import { GraphQLError } from 'graphql';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createApp, effectScope } from 'vue';
import { createReel, ReelError, type UseReelTailReturn, useReelTail } from '../web/reel/index.js';
import { entryAt, evokeOver, type FakeServer, FakeTrail, serve } from './web-trail.js';

const WAIT = { timeout: 10_000, interval: 5 };
const sequences = (tail: UseReelTailReturn) => tail.entries.value.map(({ sequence }) => sequence).reverse();
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
const setUp = (options: Parameters<typeof createReel>[0]) => createApp({}).use(createReel(options));

let server: FakeServer;
const scope = effectScope();
const tailOf = (options?: Parameters<typeof useReelTail>[0]) => scope.run(() => useReelTail(options))!;

beforeEach(async () => {
  server = await serve(new FakeTrail());
  setUp({ url: server.url, headers: () => ({ Authorization: 'Bearer token', 'X-Tenant-Id': 't' }) });
});
const stops: (() => void)[] = [];
const started = (options?: Parameters<typeof useReelTail>[0]) => {
  const tail = tailOf(options);
  stops.push(tail.stop);
  tail.start();
  return tail;
};
afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  await server.close();
});

test('is stopped until it is started, then live; the newest come first', async () => {
  const tail = tailOf({ filter: { modules: ['guardian'] }, after: 0 });
  expect(tail.state.value).toBe('stopped');
  tail.start();
  stops.push(tail.stop);
  expect(tail.state.value).toBe('connecting');
  await vi.waitFor(() => expect(tail.state.value).toBe('live'), WAIT);
  server.trail.add();
  server.trail.add();
  await vi.waitFor(() => expect(tail.entries.value.map(({ sequence }) => sequence)).toEqual([2, 1]), WAIT);
  expect(tail.entries.value[0]).toMatchObject({ module: 'guardian', actorEmail: 'ana@example.com' });
  expect(server.trail.last.variables).toEqual({ filter: { modules: ['guardian'] }, after: 0 });
  expect(server.parameters).toEqual([{ authorization: 'Bearer token', 'x-tenant-id': 't' }]);
  tail.stop();
  expect(tail.state.value).toBe('stopped');
  server.trail.add();
  tail.start();
  await vi.waitFor(() => expect(sequences(tail)).toEqual([1, 2, 3]), WAIT);
});

test('says behind while it catches up', async () => {
  for (let n = 0; n < 5; n++) server.trail.entries.push(entryAt(n + 1));
  const tail = tailOf({ after: 2 });
  const states: string[] = [];
  stops.push(tail.stop);
  tail.start();
  await vi.waitFor(() => {
    if (states.at(-1) !== tail.state.value) states.push(tail.state.value);
    expect(tail.state.value).toBe('live');
  }, WAIT);
  expect(states).toEqual(['connecting', 'behind', 'live']);
  expect(sequences(tail)).toEqual([3, 4, 5]);
});

test('resumes through broken connections and a server that restarts, without gap or repeat', async () => {
  const tail = started({ after: 0 });
  const { trail } = server;
  for (let round = 1; round <= 8; round++) {
    trail.add();
    trail.add();
    await vi.waitFor(() => expect(sequences(tail)).toEqual(upTo(round * 3 - 1)), WAIT);
    server.breakSockets();
    trail.add();
    await vi.waitFor(() => expect(sequences(tail)).toEqual(upTo(round * 3)), WAIT);
  }
  const port = Number(new URL(server.url).port);
  await server.close();
  await vi.waitFor(() => expect(tail.state.value).toBe('connecting'), WAIT);
  expect(tail.error.value?.code).toBe('NETWORK');
  trail.add();
  server = await serve(trail, port);
  await vi.waitFor(() => expect(sequences(tail)).toEqual(upTo(25)), WAIT);
  await vi.waitFor(() => expect(tail.state.value).toBe('live'), WAIT);
  expect(tail.error.value).toBeNull();
});

test('without after it begins where the trail ends, and misses nothing of a break before the first entry', async () => {
  const { trail } = server;
  for (let n = 0; n < 3; n++) trail.entries.push(entryAt(n + 1));
  trail.entries.push(entryAt(4, { sequence: null }));
  const tail = started();
  await vi.waitFor(() => expect(trail.last.variables).toEqual({ filter: {}, after: 3 }), WAIT);
  const port = Number(new URL(server.url).port);
  await server.close();
  await vi.waitFor(() => expect(tail.state.value).toBe('connecting'), WAIT);
  trail.entries[3] = entryAt(4);
  trail.add();
  server = await serve(trail, port);
  await vi.waitFor(() => expect(sequences(tail)).toEqual([4, 5]), WAIT);
});

test('stopping while it connects stops it', async () => {
  const tail = started();
  tail.stop();
  tail.start();
  tail.stop();
  expect(tail.state.value).toBe('stopped');
  const other = started({ after: 0 });
  await vi.waitFor(() => expect(other.state.value).toBe('live'), WAIT);
  expect([tail.state.value, server.parameters.length]).toEqual(['stopped', 1]);
});

test.each([
  ['FORBIDDEN', 4403],
  ['BAD_USER_INPUT', 4400],
])('%s stops it', async (code, close) => {
  server.closeWith = { code: close, reason: 'Said the server' };
  const tail = started();
  await vi.waitFor(() => expect(tail.state.value).toBe('stopped'), WAIT);
  expect(tail.error.value).toMatchObject({ code, message: 'Said the server' });
  server.closeWith = null;
  server.trail.refusal = new GraphQLError('Refused', { extensions: { code } });
  tail.start();
  expect(tail.error.value).toBeNull();
  await vi.waitFor(() => expect(tail.error.value).toMatchObject({ code, message: 'Refused' }), WAIT);
  expect(tail.state.value).toBe('stopped');
});

test('a credential that ran out is asked for once more, then it stops', async () => {
  server.closeWith = { code: 4401, reason: 'Expired' };
  const tail = started();
  await vi.waitFor(() => expect(tail.state.value).toBe('stopped'), WAIT);
  expect(server.parameters).toHaveLength(2);
  expect(tail.error.value?.code).toBe('UNAUTHENTICATED');
});

test('keeps as many as it is told', async () => {
  for (let n = 0; n < 10; n++) server.trail.entries.push(entryAt(n + 1));
  const tail = started({ after: 0, keep: 3 });
  await vi.waitFor(() => expect(sequences(tail)).toEqual([8, 9, 10]), WAIT);
});

test('another filter begins another list; the first edition’s names will do', async () => {
  server.trail.entries.push(entryAt(1));
  let filter: object = { module: 'guardian', min_severity: 'ERROR' };
  const tail = started({ filter: () => filter, after: 0 });
  await vi.waitFor(() => expect(sequences(tail)).toEqual([1]), WAIT);
  expect(server.trail.last.variables.filter).toEqual({ modules: ['guardian'], minSeverity: 'ERROR' });
  tail.stop();
  filter = { modules: ['aurora'], search: 'x' };
  tail.start();
  expect(tail.entries.value).toEqual([]);
  await vi.waitFor(() => expect(server.trail.asked).toHaveLength(2), WAIT);
  expect(server.trail.last.variables.filter).toEqual(filter);
});

test('stops with the scope it was made in', async () => {
  const own = effectScope();
  const tail = own.run(() => useReelTail())!;
  tail.start();
  await vi.waitFor(() => expect(tail.state.value).toBe('live'), WAIT);
  own.stop();
  expect(tail.state.value).toBe('stopped');
});

test('over an Apollo client that subscribes: what its link repeats is taken once, what it drops is asked for again', async () => {
  const asked: unknown[] = [];
  const link = new ApolloLink(
    ({ variables }) =>
      new Observable((observer) => {
        asked.push(variables.after);
        const from = asked.length === 1 ? [1, 2, 2, 1, 3] : [3, 4];
        for (const sequence of from) observer.next({ data: { logAdded: { ...entryAt(sequence) } } });
        if (asked.length === 1) observer.error(new Error('Socket closed with event 1006'));
      }),
  );
  setUp({ client: new ApolloClient({ link, cache: new InMemoryCache() }) });
  const tail = started({ after: 0 });
  await vi.waitFor(() => expect(sequences(tail)).toEqual([1, 2, 3, 4]), WAIT);
  expect(asked).toEqual([0, 3]);
});

test('over Evoke it says that Evoke cannot subscribe', () => {
  setUp({ evoke: evokeOver(server.trail) });
  expect(() => useReelTail()).toThrow(ReelError);
  expect(() => useReelTail()).toThrow(/Evoke/);
});
