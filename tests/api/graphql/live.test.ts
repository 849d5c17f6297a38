import { randomUUID } from 'node:crypto';
import { createClient as createEventClient } from 'graphql-sse';
import { type Client, createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { grant, moduleToken, person, startReel, type TestReel, viewer } from '../../support/reel.js';

let reel: TestReel;
let writer: string;
beforeAll(async () => {
  reel = await startReel();
  writer = await moduleToken();
});
afterAll(() => reel?.close());

const QUERY =
  'subscription ($filter: LogFilter, $after: Count) { logAdded(filter: $filter, after: $after) { sequence action } }';

const write = async (tenantId: string, count: number, more: object = {}) => {
  const inputs = Array.from({ length: count }, (_, index) => ({
    module: 'm',
    action: `a.${index}`,
    tenantId,
    ...more,
  }));
  const { body } = await reel.graphql(
    writer,
    'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
    { inputs },
  );
  expect(body.errors).toBeUndefined();
};

function websocket(token: string, more: object = {}): Client {
  return createClient({
    url: `${reel.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${token}` },
    retryAttempts: 0,
    ...more,
  });
}

// biome-ignore lint/suspicious/noExplicitAny: results as they came
async function take(results: AsyncIterable<any>, count: number): Promise<any[]> {
  const taken = [];
  for await (const result of results) {
    taken.push(result.errors ? result : result.data.logAdded);
    if (taken.length === count) break;
  }
  return taken;
}

const sequences = (entries: { sequence: number }[]) => entries.map((entry) => entry.sequence);
const upTo = (last: number, from = 1) => Array.from({ length: last - from + 1 }, (_, index) => from + index);

describe.each(['a websocket', 'an event stream'])('over %s', (kind) => {
  const open = (token: string) => {
    if (kind === 'a websocket') return websocket(token);
    return createEventClient({
      url: `${reel.url}/graphql`,
      headers: { Authorization: `Bearer ${token}` },
      retryAttempts: 0,
    });
  };

  test('entries come in sealed order, from the place asked for, while more are written', async () => {
    const tenantId = randomUUID();
    await write(tenantId, 300);
    const client = open(await viewer(tenantId));
    const following = take(client.iterate({ query: QUERY, variables: { after: 10 } }), 490);
    await write(tenantId, 200);
    expect(sequences(await following)).toEqual(upTo(500, 11));
    client.dispose();
  });

  test('from now on where no place is named; of the filter only; of no other tenant', async () => {
    const [tenantId, other] = [randomUUID(), randomUUID()];
    const token = await viewer(tenantId);
    await write(tenantId, 3);
    await expect
      .poll(
        async () =>
          (await reel.graphql(token, '{ logs(first: 1) { nodes { sequence } } }')).body.data.logs.nodes[0]
            .sequence,
      )
      .toBe(3);
    const client = open(token);
    const first = client.iterate({ query: QUERY, variables: { filter: { actions: ['a.1'] } } }).next();
    // Nothing tells a client that its subscription has begun, so more is written until it sees some.
    let seen = false;
    void first.then(() => {
      seen = true;
    });
    for (let round = 0; !seen && round < 500; round += 1) {
      await write(other, 2);
      await write(tenantId, 2);
    }
    const { value } = await first;
    expect(value.data.logAdded.action).toBe('a.1');
    expect(value.data.logAdded.sequence).toBeGreaterThan(3);
    client.dispose();
  });

  test('nothing is lost or comes twice through connections that break', async () => {
    const tenantId = randomUUID();
    const token = await viewer(tenantId);
    const seen: number[] = [];
    const writing = (async () => {
      for (let round = 0; round < 20; round += 1) await write(tenantId, 10);
    })();
    while (seen.length < 200) {
      const client = open(token);
      const some = Math.min(13, 200 - seen.length);
      seen.push(
        ...sequences(
          await take(client.iterate({ query: QUERY, variables: { after: seen.at(-1) ?? 0 } }), some),
        ),
      );
      client.dispose();
    }
    await writing;
    expect(seen).toEqual(upTo(200));
  });

  test('a query is refused, and a document past its bounds', async () => {
    const client = open(await viewer(randomUUID()));
    await expect(take(client.iterate({ query: '{ __typename }' }), 1)).rejects.toBeTruthy();
    const deep = `subscription { logAdded { ${'related { '.repeat(16)} id ${'}'.repeat(16)} } }`;
    await expect(take(client.iterate({ query: deep }), 1)).rejects.toBeTruthy();
    client.dispose();
  });

  test('without the grant it is FORBIDDEN', async () => {
    const tenantId = randomUUID();
    const client = open(await person({ tenants: [tenantId] }));
    const [result] = await take(client.iterate({ query: QUERY }), 1);
    expect(result.errors[0].extensions.code).toBe('FORBIDDEN');
    client.dispose();
  });
});

test('a bad token closes the websocket with 4401, and answers an event stream with 401', async () => {
  const closed = new Promise<{ code: number }>((resolve) => {
    const client = websocket('not-a-token', {
      on: { closed: (event: unknown) => resolve(event as { code: number }) },
    });
    void take(client.iterate({ query: QUERY }), 1).catch(() => {});
  });
  expect((await closed).code).toBe(4401);
  const response = await fetch(`${reel.url}/graphql`, {
    method: 'POST',
    headers: {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      authorization: 'Bearer nope',
    },
    body: JSON.stringify({ query: QUERY }),
  });
  expect([response.status, (await response.json()).errors[0].extensions.code]).toEqual([
    401,
    'UNAUTHENTICATED',
  ]);
});

test('an event stream without a token is answered with 401', async () => {
  const response = await fetch(`${reel.url}/graphql`, {
    method: 'POST',
    headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ query: QUERY }),
  });
  expect([response.status, (await response.json()).errors[0].extensions.code]).toEqual([
    401,
    'UNAUTHENTICATED',
  ]);
});

test('a token that runs out ends a subscription with UNAUTHENTICATED and closes with 4401', async () => {
  const tenantId = randomUUID();
  const token = await person({ grants: [grant(tenantId, 'reel.logs.view:ACCOUNT')], minutes: 2 / 60 });
  const closed = Promise.withResolvers<{ code: number }>();
  const client = websocket(token, {
    on: { closed: (event: unknown) => closed.resolve(event as { code: number }) },
  });
  const results = client.iterate({ query: QUERY });
  // biome-ignore lint/suspicious/noExplicitAny: results as they came
  const { value } = (await results.next()) as any;
  expect(value.errors[0].extensions.code).toBe('UNAUTHENTICATED');
  expect((await closed.promise).code).toBe(4401);
});

test('a page of another origin may not open a websocket', async () => {
  const socket = new WebSocket(`${reel.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    origin: 'https://evil.example',
  });
  const status = await new Promise((resolve) =>
    socket
      .on('unexpected-response', (_request, response) => resolve(response.statusCode))
      .on('error', () => {}),
  );
  expect(status).toBe(403);
});

test('a server that closes ends its subscriptions', async () => {
  const own = await startReel();
  const tenantId = randomUUID();
  const token = await viewer(tenantId);
  const closed = Promise.withResolvers<{ code: number }>();
  const client = createClient({
    url: `${own.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${token}` },
    retryAttempts: 0,
    lazy: false,
    on: { connected: () => void own.close(), closed: (event) => closed.resolve(event as { code: number }) },
    onNonLazyError: () => {},
  });
  expect((await closed.promise).code).toBe(1001);
  await client.dispose();
});
