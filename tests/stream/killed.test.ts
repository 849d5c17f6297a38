import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { issuePersonToken } from '../../src/auth/token.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { makeDataDir, ReelProcess } from '../support/process.js';
import { batchOf, type ReceivedBatch, Receiver } from '../support/receiver.js';
import { grant, JWT_SECRET, moduleToken, SERVICE_SECRET } from '../support/reel.js';

/** REEL_TEST_STREAM_KILLS=100 is the long form. */
const KILLS = Number(process.env.REEL_TEST_STREAM_KILLS ?? 10);
const tenant = randomUUID();
let own: TestDatabase;
beforeAll(async () => {
  own = await createDatabase();
});
afterAll(() => own.drop());

const settings = () => ({
  REEL_DATABASE_URL: own.runtimeUrl,
  REEL_JWT_SECRET: JWT_SECRET,
  REEL_SERVICE_SECRET: SERVICE_SECRET,
});

it('loses nothing when servers and receiver are killed under load, and another server takes over', async () => {
  const dataDir = await makeDataDir();
  const start = async () => {
    const server = new ReelProcess(dataDir, settings());
    const url = await server.ready();
    return { server, url };
  };
  const servers = await Promise.all([start(), start()]);
  let receiver = await Receiver.start();
  const { port } = receiver;
  const received: ReceivedBatch[] = [];
  const collect = () => received.push(...receiver.requests.splice(0).map(batchOf));
  const manager = await issuePersonToken(JWT_SECRET, {
    id: randomUUID(),
    email: 'ana@example.com',
    grants: [grant(tenant, 'reel.streams.manage:ACCOUNT')],
  });
  const token = await moduleToken();
  const ask = async (query: string, variables: object) => {
    const response = await fetch(`${servers[0]!.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${manager}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data: never; errors?: unknown };
    if (errors) throw new Error(JSON.stringify(errors));
    return data as { createStream: { id: string }; stream: { lagEntries: number; state: string } };
  };
  const { createStream: stream } = await ask(
    'mutation ($input: CreateStreamInput!) { createStream(input: $input) { id } }',
    {
      input: {
        name: 'killed',
        kind: 'WEBHOOK',
        secret: `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
        settings: { url: receiver.url, batchEntries: 20 },
        after: 0,
      },
    },
  );
  let isWriting = true;
  let acknowledged = 0;
  const writing = (async () => {
    for (let at = 0; isWriting; at += 1) {
      const target = servers[at % 2]!;
      await fetch(`${target.url}/api/v1/reel/logs`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ module: 'billing', action: 'invoices.create', tenant_id: tenant }),
      }).then(
        ({ status }) => {
          if (status === 201) acknowledged += 1;
        },
        () => {},
      );
    }
  })();
  /** Those that were killed last, starting again. */
  const starting: Promise<void>[] = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    // Long enough for batches to be under way, and never at the same point of one.
    await pause(100 + ((kill * 37) % 90));
    if (kill % 2 === 1) {
      collect();
      await receiver.close();
      receiver = await Receiver.start(() => ({ status: 204 }), port);
    } else {
      const at = (kill / 2) % 2;
      await Promise.all(starting.splice(0));
      await servers[at]!.server.stop('SIGKILL');
      starting.push(
        start().then((started) => {
          servers[at] = started;
        }),
      );
    }
  }
  await Promise.all(starting);
  isWriting = false;
  await writing;
  const deadline = Date.now() + 60_000;
  for (;;) {
    // What was stored just now is not sealed yet, and is no part of the lag until it is.
    const [{ unsealed }] = (await own.query(`select count(*)::int as unsealed from reel_log_inbox`)) as [
      { unsealed: number },
    ];
    const { stream: now } = await ask('query ($id: UUID!) { stream(id: $id) { lagEntries state } }', {
      id: stream.id,
    });
    if (unsealed === 0 && now.lagEntries === 0) break;
    expect(Date.now()).toBeLessThan(deadline);
    await pause(100);
  }
  const [{ last }] = (await own.query(
    `select max(seq)::int as last from reel_log_sequence where tenant_id = '${tenant}'`,
  )) as [{ last: number }];
  collect();
  await Promise.all(servers.map(({ server }) => server.stop()));
  await receiver.close();
  expect(last).toBeGreaterThanOrEqual(acknowledged);
  // Each batch once, in the order in which it came first.
  const first = new Map<string, ReceivedBatch>();
  for (const batch of received) {
    const known = first.get(batch.id);
    if (known) expect(batch).toEqual(known);
    else first.set(batch.id, batch);
  }
  let previous = 0;
  for (const batch of first.values()) {
    expect(batch).toMatchObject({ stream: stream.id, previous, first: previous + 1 });
    expect(batch.entries.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: batch.last - previous }, (_, at) => previous + 1 + at),
    );
    previous = batch.last;
  }
  expect(previous).toBe(last);
  console.info(
    `${acknowledged} entries acknowledged, ${KILLS} kills, ${received.length} deliveries of ${first.size} batches`,
  );
}, 600_000);
