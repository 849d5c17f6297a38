import { ApolloClient, ApolloLink, InMemoryCache, Observable } from '@apollo/client/core/index.js';
import { GraphQLError } from 'graphql';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createApp, effectScope } from 'vue';
import { createReel } from '../../web/reel/apollo.js';
import { ReelError, type UseReelTailReturn, useReelTail } from '../../web/reel/index.js';
import {
  entryAt,
  evokeClient,
  FakeBackend,
  type FakeServer,
  startFakeServer,
} from '../support/fake-server.js';

const WAIT = { timeout: 60_000, interval: 5 };
const sequences = (tail: UseReelTailReturn) => tail.entries.value.map(({ sequence }) => sequence).reverse();
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
const app = createApp({});
const setUp = (options: Parameters<typeof createReel>[0]) => app.use(createReel(options));

let server: FakeServer;
const scope = effectScope();
const tailOf = (options?: Parameters<typeof useReelTail>[0]) => scope.run(() => useReelTail(options))!;

beforeEach(async () => {
  server = await startFakeServer(new FakeBackend());
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

test('is stopped until start(), then live; newest first', async () => {
  const tail = tailOf({ filter: { modules: ['guardian'] }, after: 0 });
  expect(tail.state.value).toBe('stopped');
  tail.start();
  stops.push(tail.stop);
  expect(tail.state.value).toBe('connecting');
  await vi.waitFor(() => expect(tail.state.value).toBe('live'), WAIT);
  server.backend.add();
  server.backend.add();
  await vi.waitFor(() => expect(tail.entries.value.map(({ sequence }) => sequence)).toEqual([2, 1]), WAIT);
  expect(tail.entries.value[0]).toMatchObject({ module: 'guardian', actorEmail: 'ana@example.com' });
  expect(server.backend.lastRequest.variables).toEqual({ filter: { modules: ['guardian'] }, after: 0 });
  expect(server.parameters).toEqual([{ authorization: 'Bearer token', 'x-tenant-id': 't' }]);
  tail.stop();
  expect(tail.state.value).toBe('stopped');
  server.backend.add();
  tail.start();
  await vi.waitFor(() => expect(sequences(tail)).toEqual([1, 2, 3]), WAIT);
});

test('is behind while it catches up', async () => {
  for (let n = 0; n < 5; n++) server.backend.entries.push(entryAt(n + 1));
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
  const { backend } = server;
  for (let round = 1; round <= 8; round++) {
    backend.add();
    backend.add();
    await vi.waitFor(() => expect(sequences(tail)).toEqual(upTo(round * 3 - 1)), WAIT);
    server.breakSockets();
    backend.add();
    await vi.waitFor(() => expect(sequences(tail)).toEqual(upTo(round * 3)), WAIT);
  }
  const port = Number(new URL(server.url).port);
  await server.close();
  await vi.waitFor(() => expect(tail.state.value).toBe('connecting'), WAIT);
  expect(tail.error.value?.code).toBe('NETWORK');
  backend.add();
  server = await startFakeServer(backend, port);
  await vi.waitFor(() => expect(sequences(tail)).toEqual(upTo(25)), WAIT);
  await vi.waitFor(() => expect(tail.state.value).toBe('live'), WAIT);
  expect(tail.error.value).toBeNull();
});

test('without after it starts at the end of the log, and misses nothing if the connection breaks before the first entry', async () => {
  const { backend } = server;
  for (let n = 0; n < 3; n++) backend.entries.push(entryAt(n + 1));
  backend.entries.push(entryAt(4, { sequence: null }));
  const tail = started();
  await vi.waitFor(() => expect(backend.lastRequest.variables).toEqual({ filter: {}, after: 3 }), WAIT);
  const port = Number(new URL(server.url).port);
  await server.close();
  await vi.waitFor(() => expect(tail.state.value).toBe('connecting'), WAIT);
  backend.entries[3] = entryAt(4);
  backend.add();
  server = await startFakeServer(backend, port);
  await vi.waitFor(() => expect(sequences(tail)).toEqual([4, 5]), WAIT);
});

test('can be stopped while it connects', async () => {
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
  server.backend.error = new GraphQLError('Refused', { extensions: { code } });
  tail.start();
  expect(tail.error.value).toBeNull();
  await vi.waitFor(() => expect(tail.error.value).toMatchObject({ code, message: 'Refused' }), WAIT);
  expect(tail.state.value).toBe('stopped');
});

test('an expired token is asked for once more, then it stops', async () => {
  server.closeWith = { code: 4401, reason: 'Expired' };
  const tail = started();
  await vi.waitFor(() => expect(tail.state.value).toBe('stopped'), WAIT);
  expect(server.parameters).toHaveLength(2);
  expect(tail.error.value?.code).toBe('UNAUTHENTICATED');
});

test('keeps at most `keep` entries', async () => {
  for (let n = 0; n < 10; n++) server.backend.entries.push(entryAt(n + 1));
  const tail = started({ after: 0, keep: 3 });
  await vi.waitFor(() => expect(sequences(tail)).toEqual([8, 9, 10]), WAIT);
});

test('a different filter starts a new list; the first edition’s names work too', async () => {
  server.backend.entries.push(entryAt(1));
  let filter: object = { module: 'guardian', min_severity: 'ERROR' };
  const tail = started({ filter: () => filter, after: 0 });
  await vi.waitFor(() => expect(sequences(tail)).toEqual([1]), WAIT);
  expect(server.backend.lastRequest.variables.filter).toEqual({
    modules: ['guardian'],
    minSeverity: 'ERROR',
  });
  tail.stop();
  filter = { modules: ['aurora'], search: 'x' };
  tail.start();
  expect(tail.entries.value).toEqual([]);
  await vi.waitFor(() => expect(server.backend.requests).toHaveLength(2), WAIT);
  expect(server.backend.lastRequest.variables.filter).toEqual(filter);
});

test('a filter with an unknown name is refused before anything is sent', () => {
  const tail = started({ filter: { actor_idd: 'x' } as never });
  expect(tail.state.value).toBe('stopped');
  expect(tail.error.value).toMatchObject({
    code: 'BAD_USER_INPUT',
    message: 'unknown name actor_idd, did you mean actor_id?',
  });
  expect(server.backend.requests).toEqual([]);
});

test('stops with the scope it was created in', async () => {
  const own = effectScope();
  const tail = own.run(() => useReelTail())!;
  tail.start();
  await vi.waitFor(() => expect(tail.state.value).toBe('live'), WAIT);
  own.stop();
  expect(tail.state.value).toBe('stopped');
});

test('over an Apollo client, repeated entries are ignored and missed ones are requested again', async () => {
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

test('over Evoke it throws that Evoke cannot subscribe', () => {
  setUp({ evoke: evokeClient(server.backend) });
  expect(() => useReelTail()).toThrow(ReelError);
  expect(() => useReelTail()).toThrow(/Evoke/);
});
