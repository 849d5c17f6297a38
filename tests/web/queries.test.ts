import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client/core/index.js';
import { DefaultApolloClient } from '@vue/apollo-composable';
import { GraphQLError } from 'graphql';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createApp, effectScope, inject, ref } from 'vue';
import {
  createReel,
  type ReelApolloOptions,
  useCreateLogMutation,
  useExportLogsMutation,
  useLogAddedSubscription,
  useLogQuery,
  useLogStatsQuery,
  useLogsQuery,
} from '../../web/reel/apollo.js';
import { evokeClient, FakeBackend, type FakeServer, startFakeServer } from '../support/fake-server.js';

// @vue/apollo-composable subscribes only where there is a window.
vi.hoisted(() => vi.stubGlobal('window', globalThis));

let server: FakeServer;
let scope: ReturnType<typeof effectScope>;
beforeEach(async () => {
  // @vue/apollo-composable uses deprecated options of Apollo's, and logs every error.
  for (const method of ['warn', 'error'] as const) vi.spyOn(console, method).mockImplementation(() => {});
  server = await startFakeServer(new FakeBackend(3));
  scope = effectScope();
});
afterEach(async () => {
  scope.stop();
  await server.close();
});

const use = <T>(act: () => T): T => scope.run(act) as T;

const app = createApp({});
const CONNECTIONS: [string, () => ReelApolloOptions][] = [
  [
    'a host’s Apollo client',
    () => ({
      client: new ApolloClient({ link: new HttpLink({ uri: server.url }), cache: new InMemoryCache() }),
    }),
  ],
  ['Evoke', () => ({ evoke: evokeClient(server.backend) })],
  ['a url', () => ({ url: server.url })],
];

describe.each(CONNECTIONS)('over %s', (_, options) => {
  beforeEach(() => {
    app.use(createReel(options()));
  });

  test('queries return GraphQL’s shape, and follow their variables', async () => {
    const variables = ref({ first: 2, count: true });
    const { result, error } = use(() => useLogsQuery(variables));
    await vi.waitFor(
      () => expect(result.value?.logs.nodes.map(({ resourceId }) => resourceId)).toEqual(['3', '2']),
      60_000,
    );
    expect(result.value?.logs.totalCount).toMatchObject({ value: 3, precision: 'AT_LEAST' });
    variables.value = { first: 1, count: false };
    await vi.waitFor(() => expect(result.value?.logs.nodes).toHaveLength(1), 60_000);
    expect(result.value?.logs.totalCount).toBeUndefined();
    expect(error.value).toBeNull();
  });

  test('one entry with its details, and counts', async () => {
    const one = use(() => useLogQuery({ id: '01940000-0000-7000-8000-000000000002' }));
    const stats = use(() => useLogStatsQuery(() => ({ facets: true, timeline: true })));
    await vi.waitFor(
      () => expect(one.result.value?.log).toMatchObject({ resourceId: '2', changes: [], related: [] }),
      60_000,
    );
    await vi.waitFor(
      () => expect(stats.result.value?.logStats).toMatchObject({ totalEntries: 3, modules: [] }),
      60_000,
    );
  });

  test('mutations', async () => {
    const { mutate } = use(() => useCreateLogMutation());
    const created = await mutate({ input: { module: 'guardian', action: 'user.create' } });
    expect(created?.data?.createLog).toMatchObject({ sequence: 4 });
    const exported = await use(() => useExportLogsMutation()).mutate({ input: { format: 'JSON' } });
    expect(exported?.data?.exportLogs.recordCount).toBe(4);
  });

  test('an error of the server is the query’s error', async () => {
    server.backend.error = new GraphQLError('reel.logs.view is missing', {
      extensions: { code: 'FORBIDDEN' },
    });
    const { error } = use(() => useLogsQuery());
    await vi.waitFor(() => expect(error.value?.graphQLErrors[0]?.extensions?.code).toBe('FORBIDDEN'), 60_000);
  });
});

test('a subscription over a url receives entries as they are added', async () => {
  app.use(createReel({ url: server.url }));
  const seen: unknown[] = [];
  const { onResult } = use(() => useLogAddedSubscription({ after: 1 }));
  onResult(({ data }) => seen.push(data?.logAdded.sequence));
  await vi.waitFor(() => expect(seen).toEqual([2, 3]), 60_000);
  server.backend.add();
  await vi.waitFor(() => expect(seen).toEqual([2, 3, 4]), 60_000);
});

test('a subscription over Evoke fails and says why', async () => {
  app.use(createReel({ evoke: evokeClient(server.backend) }));
  const { error } = use(() => useLogAddedSubscription());
  await vi.waitFor(() => expect(error.value?.message).toMatch(/Evoke/), 60_000);
});

test('the host’s own Apollo client stays provided', () => {
  const theirs = new ApolloClient({ cache: new InMemoryCache() });
  app.provide(DefaultApolloClient, theirs).use(createReel({ url: server.url }));
  app.runWithContext(() => {
    use(() => useLogsQuery({}, { enabled: false }));
    expect(inject(DefaultApolloClient)).toBe(theirs);
  });
});
