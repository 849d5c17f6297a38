import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { connect } from '../../src/database/connect.js';
import { moduleToken, person, startReel, type TestReel, viewer } from '../support/reel.js';

const PATIENT = { timeout: 60_000 };
let reel: TestReel;
beforeAll(async () => {
  reel = await startReel({ REEL_METRICS: 'on' });
});
afterAll(() => reel?.close());

const metric = async (name: string): Promise<number> => {
  const text = await (await fetch(`${reel.url}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length));
};

describe('reading connections', () => {
  test('half of them read for one tenant, 200 more may wait, and no other tenant is kept waiting', async () => {
    const database = await connect(reel.own.runtimeUrl, 4);
    try {
      const [busy, quiet] = [randomUUID(), randomUUID()];
      let goOn = () => {};
      const held = new Promise<void>((done) => {
        goOn = done;
      });
      let running = 0;
      const slow = () =>
        database.read(busy, async (execute) => {
          running += 1;
          await held;
          return execute(sql`select 1 as one`);
        });
      const taken = Array.from({ length: 202 }, slow);
      await expect.poll(() => running, PATIENT).toBe(2);
      expect(database.waitingReads).toBe(200);
      await expect(slow()).rejects.toMatchObject({ code: 'OVERLOADED', status: 503, retryAfter: 1 });
      expect(await database.read(quiet, (execute) => execute(sql`select 2 as two`))).toEqual([{ two: 2 }]);
      expect(running).toBe(2);
      goOn();
      expect((await Promise.all(taken)).flat()).toHaveLength(202);
      expect(database.waitingReads).toBe(0);
    } finally {
      await database.close();
    }
  });
});

describe('beside a tenant that asks for all it can get', () => {
  test('a neighbour reads and writes before most of that is done', async () => {
    const [busy, quiet] = [randomUUID(), randomUUID()];
    const [flooding, billing] = [await moduleToken('guardian'), await moduleToken('billing')];
    const many = (tenantId: string, count: number) =>
      reel.graphql(
        flooding,
        'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
        {
          inputs: Array.from({ length: count }, () => ({ module: 'guardian', action: 'a.b', tenantId })),
        },
      );
    await many(busy, 500);
    await many(quiet, 20);
    const read = (token: string) =>
      reel.graphql(
        token,
        '{ logs(first: 100, filter: { search: "nothing" }) { totalCount(exact: true) { value } } }',
      );
    const [busyViewer, quietViewer] = [await viewer(busy), await viewer(quiet)];
    let done = 0;
    const flood = [
      ...Array.from({ length: 120 }, () => read(busyViewer)),
      ...Array.from({ length: 20 }, () => many(busy, 100)),
    ].map((call) =>
      call.then((answer) => {
        done += 1;
        return answer.status;
      }),
    );
    const doneBefore = async (call: Promise<{ status: number }>) => [(await call).status, done] as const;
    const single = { module: 'billing', action: 'a.b', tenant_id: quiet };
    const own = await Promise.all([
      doneBefore(read(quietViewer)),
      doneBefore(reel.rest(billing, 'POST', '/logs', single)),
    ]);
    expect(own.map(([status]) => status)).toEqual([200, 201]);
    for (const [, before] of own) expect(before).toBeLessThan(flood.length - 20);
    expect(new Set(await Promise.all(flood))).toEqual(new Set([200]));
  }, 120_000);
});

describe("a person's entries", () => {
  const text = 'x'.repeat(60_000);
  const wires = {
    GraphQL: async (token: string, data: object) => {
      const query = 'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }';
      const { status, headers, body } = await reel.graphql(token, query, {
        input: { module: 'crm', action: 'a.b', data },
      });
      return { status: status === 200 ? 201 : status, headers, code: body.errors?.[0].extensions.code };
    },
    REST: async (token: string, data: object) => {
      const { status, headers } = await reel.rest(token, 'POST', '/logs', {
        module: 'crm',
        action: 'a.b',
        data,
      });
      return { status, headers, code: status === 429 ? 'TOO_MANY_REQUESTS' : undefined };
    },
  };

  test.each(Object.entries(wires))(
    'are a mebibyte a minute by %s, and what is left of it is said',
    async (_, create) => {
      const [tenantId, id] = [randomUUID(), randomUUID()];
      const token = await person({ id, tenants: [tenantId] });
      const answers = [];
      for (let nr = 0; nr < 18; nr += 1) answers.push(await create(token, { text }));
      expect(answers.map(({ status }) => status)).toEqual([...Array(17).fill(201), 429]);
      const { headers, code } = answers.at(-1)!;
      expect(code).toBe('TOO_MANY_REQUESTS');
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(headers.get('ratelimit-policy')).toBe('"browser-bytes";q=1048576;w=60');
      // Another person of the tenant, and a module, are not kept from writing.
      expect((await create(await person({ tenants: [tenantId] }), { text })).status).toBe(201);
      const { status } = await reel.rest(await moduleToken(), 'POST', '/logs', {
        module: 'crm',
        action: 'a.b',
        tenant_id: tenantId,
        data: { text },
      });
      expect(status).toBe(201);
    },
  );

  test('count together over both', async () => {
    const token = await person({ tenants: [randomUUID()] });
    for (let nr = 0; nr < 17; nr += 1) await (nr % 2 ? wires.REST : wires.GraphQL)(token, { text });
    for (const create of Object.values(wires)) expect((await create(token, { text })).status).toBe(429);
  });
});

describe('subscriptions', () => {
  const query = 'subscription { logAdded { id } }';

  async function openSocket(token: string) {
    const socket = new WebSocket(`${reel.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } }));
    await once(socket, 'message');
    return socket;
  }
  const subscribe = (socket: WebSocket, id: string) =>
    socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query } }));
  const stream = (token: string | null, signal: AbortSignal) =>
    fetch(`${reel.url}/graphql`, {
      method: 'POST',
      signal,
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ query }),
    });

  test('are 200 a person, over websockets and as event streams together, and those that end count no more', async () => {
    const token = await viewer(randomUUID());
    const sockets = await Promise.all(Array.from({ length: 4 }, () => openSocket(token)));
    for (const socket of sockets) for (let nr = 0; nr < 49; nr += 1) subscribe(socket, String(nr));
    const gone = new AbortController();
    for (let nr = 0; nr < 4; nr += 1) expect((await stream(token, gone.signal)).status).toBe(200);
    await expect.poll(() => metric('reel_subscriptions'), PATIENT).toBe(200);

    const refused = await stream(token, gone.signal);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({ errors: [{ extensions: { code: 'OVERLOADED' } }] });
    const [socket] = sockets;
    const answer = once(socket!, 'message');
    subscribe(socket!, 'more');
    expect(JSON.parse(String((await answer)[0]))).toMatchObject({
      id: 'more',
      type: 'error',
      payload: [{ extensions: { code: 'OVERLOADED' } }],
    });
    expect(socket!.readyState).toBe(WebSocket.OPEN);
    // Another person is not refused.
    const other = await openSocket(await viewer(randomUUID()));
    subscribe(other, 'one');
    await expect.poll(() => metric('reel_subscriptions'), PATIENT).toBe(201);

    gone.abort();
    await expect.poll(() => metric('reel_subscriptions'), PATIENT).toBe(197);
    socket!.send(JSON.stringify({ id: '0', type: 'complete' }));
    await expect.poll(() => metric('reel_subscriptions'), PATIENT).toBe(196);
    for (const each of [...sockets, other]) each.terminate();
    await expect.poll(() => metric('reel_subscriptions'), PATIENT).toBe(0);
  });

  test('without a credential, or of one that may not, take nothing', async () => {
    const { signal } = new AbortController();
    for (const token of [null, await person()]) expect((await stream(token, signal)).status).not.toBe(503);
    for (let nr = 0; nr < 210; nr += 1) await (await stream(null, signal)).text();
    await expect.poll(() => metric('reel_subscriptions'), PATIENT).toBe(0);
  });
});
