import { createPublicKey, randomUUID, verify } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCommand, settingsOf } from '../support/cli.js';
import { batchOf, Receiver } from '../support/receiver.js';
import { moduleToken, startReel, type TestReel } from '../support/reel.js';
import { SECRET, StreamCalls, store } from '../support/streams.js';

let reel: TestReel;
let token: string;
beforeAll(async () => {
  reel = await startReel();
  token = await moduleToken();
});
afterAll(() => reel.close());

let receiver: Receiver;
let tenant: string;
let calls: StreamCalls;
beforeEach(async () => {
  receiver = await Receiver.start();
  tenant = randomUUID();
  calls = await StreamCalls.of(reel, tenant);
});
afterEach(() => receiver.close());

const batches = () => receiver.requests.map(batchOf);
const sequences = () => batches().flatMap(({ entries }) => entries.map(({ sequence }) => sequence));
const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1);

describe('a stream to a webhook', () => {
  it('delivers what is sealed, in order and without a gap, signed and with proofs', async () => {
    const ids = await store(reel, token, tenant, [{ resource_id: 'a' }, { resource_id: 'b' }]);
    const stream = await calls.create({ settings: { url: `${receiver.url}/in` }, after: 0 });
    expect(stream).toMatchObject({
      state: 'RUNNING',
      hasSecret: true,
      settings: { url: `${receiver.url}/in` },
    });
    await store(reel, token, tenant, [{ resource_id: 'c' }]);
    // Its own record among them.
    await calls.until(stream.id, ({ position, lagEntries }) => {
      expect(position).toBe(4);
      expect(lagEntries).toBe(0);
    });
    const received = batches();
    expect(sequences()).toEqual(upTo(4));
    expect(received[0]!.entries.map(({ id }) => id).slice(0, 2)).toEqual(ids);
    let previous = 0;
    for (const [at, batch] of received.entries()) {
      const { headers, body } = receiver.requests[at]!;
      expect(batch).toMatchObject({ stream: stream.id, tenant_id: tenant, previous, first: previous + 1 });
      expect(batch.id).toBe(`${stream.id}_1_${batch.first}_${batch.last}`);
      expect(batch.entries.at(-1)).toMatchObject({ sequence: batch.last, proof: { leaf_version: 2 } });
      expect(batch.checkpoint).toContain(`/${tenant}\n`);
      new Webhook(SECRET).verify(body, headers as Record<string, string>);
      previous = batch.last;
    }
    const { attempts } = await calls.get(stream.id);
    expect(attempts[0]).toMatchObject({ last: 4, delivered: true, answer: '204' });
  });

  it('signs with a key of its own making, which it shows the public part of', async () => {
    const stream = await calls.create({
      settings: { url: receiver.url, signing: 'v1a' },
      secret: null,
      after: 0,
    });
    const raw = Buffer.from(stream.settings.publicKey.replace('whpk_', ''), 'base64');
    expect(raw).toHaveLength(32);
    await calls.until(stream.id, ({ position }) => expect(position).toBe(1));
    const [{ headers, body }] = receiver.requests as [(typeof receiver.requests)[number]];
    const key = createPublicKey({
      key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]),
      format: 'der',
      type: 'spki',
    });
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    const [version, signature] = String(headers['webhook-signature']).split(',');
    expect(version).toBe('v1a');
    expect(verify(null, Buffer.from(signed), key, Buffer.from(signature!, 'base64'))).toBe(true);
  });

  it('delivers what matches alone, and says that it is filtered', async () => {
    const stream = await calls.create({ settings: { url: receiver.url }, query: 'action:invoices.cancel' });
    const created = Array.from({ length: 30 }, (_, at) => ({
      action: at % 10 === 9 ? 'invoices.cancel' : 'invoices.create',
    }));
    await store(reel, token, tenant, created);
    await calls.until(stream.id, ({ lagEntries, position }) => {
      expect(position).toBe(31);
      expect(lagEntries).toBe(0);
    });
    const received = batches();
    expect(received.flatMap(({ entries }) => entries.map(({ action }) => action))).toEqual(
      Array(3).fill('invoices.cancel'),
    );
    expect(received.every(({ filtered }) => filtered)).toBe(true);
    for (const [at, { previous }] of received.entries()) expect(previous).toBe(received[at - 1]?.last ?? 0);
  });

  it('sends one marked entry as a test, and answers what came back', async () => {
    const stream = await calls.create({ settings: { url: receiver.url } });
    receiver.behaviour = () => ({ status: 418, body: 'a teapot' });
    expect(await calls.test(stream.id)).toEqual({ delivered: false, answer: '418 a teapot' });
    receiver.behaviour = () => ({ status: 200 });
    expect(await calls.test(stream.id)).toEqual({ delivered: true, answer: '200' });
    expect(batches().filter(({ test }) => test)).toHaveLength(2);
  });

  it('tries the same batch again, under the same id, for as long as it takes', async () => {
    let failures = 2;
    receiver.behaviour = () => (failures-- > 0 ? { status: 503, body: 'busy' } : { status: 200 });
    const stream = await calls.create({ settings: { url: receiver.url }, after: 0 });
    await calls.until(stream.id, ({ lastError }) => expect(lastError).toBe('503 busy'));
    await store(reel, token, tenant, [{}, {}]);
    await calls.until(stream.id, ({ position, lastError }) => {
      expect(position).toBe(3);
      expect(lastError).toBeNull();
    });
    const received = batches();
    expect(new Set(received.slice(0, 3).map(({ id }) => id)).size).toBe(1);
    expect(received[1]).toEqual(received[0]);
    expect(received[2]).toEqual(received[0]);
  });

  it('halves a batch that is refused for good until the one entry stands alone, parks it, and sends it again when asked', async () => {
    const isBad = (body: Buffer) => body.includes('"resource_id":"bad"');
    receiver.behaviour = ({ body }) =>
      isBad(body) ? { status: 422, body: 'no such thing' } : { status: 200 };
    await store(
      reel,
      token,
      tenant,
      Array.from({ length: 40 }, (_, at) => ({ resource_id: at === 17 ? 'bad' : `${at}` })),
    );
    const stream = await calls.create({ settings: { url: receiver.url }, after: 0 });
    // The stream's own record among them, which may be sealed after a lag of nothing.
    await calls.until(stream.id, ({ lagEntries, parkedCount, position }) => {
      expect(position).toBeGreaterThanOrEqual(41);
      expect(lagEntries).toBe(0);
      expect(parkedCount).toBe(1);
    });
    const taken = batches().filter((_, at) => !isBad(receiver.requests[at]!.body));
    const numbers = taken.flatMap(({ entries }) => entries.map(({ sequence }) => sequence));
    expect(numbers.slice(0, 40)).toEqual(upTo(41).filter((each) => each !== 18));
    expect(taken.filter(({ parked }) => parked?.includes(18))).toHaveLength(1);
    for (const [at, { previous }] of taken.entries()) expect(previous).toBe(taken[at - 1]?.last ?? 0);
    expect(await calls.parked(stream.id)).toMatchObject([{ sequence: 18, reason: '422 no such thing' }]);
    receiver.behaviour = () => ({ status: 200 });
    await calls.act('retryParked', stream.id);
    await calls.until(stream.id, ({ parkedCount }) => expect(parkedCount).toBe(0));
    expect(batches().at(-1)).toMatchObject({
      previous: 17,
      first: 18,
      last: 18,
      entries: [{ sequence: 18 }],
    });
  });

  it('waits where ten in a row are refused', async () => {
    receiver.behaviour = () => ({ status: 400, body: 'never' });
    await store(
      reel,
      token,
      tenant,
      Array.from({ length: 25 }, () => ({})),
    );
    const stream = await calls.create({ settings: { url: receiver.url }, after: 0 });
    await calls.until(stream.id, ({ state }) => expect(state).toBe('FAILING'));
    expect(await calls.get(stream.id)).toMatchObject({ parkedCount: 10, position: 10 });
  });

  it.each([
    [401, 'FAILING'],
    [404, 'FAILING'],
    [302, 'FAILING'],
    [410, 'DISABLED'],
  ])('is after %i %s', async (status, state) => {
    receiver.behaviour = () => ({ status, headers: { location: `${receiver.url}/elsewhere` } });
    const stream = await calls.create({ settings: { url: receiver.url }, after: 0 });
    await calls.until(stream.id, (now) => expect(now.state).toBe(state));
    expect(new Set(receiver.requests.map(({ path }) => path))).toEqual(new Set(['/']));
    receiver.behaviour = () => ({ status: 200 });
    await calls.act('resumeStream', stream.id);
    await calls.until(stream.id, (now) => expect(now).toMatchObject({ state: 'RUNNING', lagEntries: 0 }));
  });

  it('is failing after five minutes, recorded once, and recovers by itself', async () => {
    receiver.behaviour = () => ({ status: 503, headers: { 'retry-after': '1' } });
    const stream = await calls.create({ settings: { url: receiver.url }, after: 0 });
    await calls.until(stream.id, ({ lastError }) => expect(lastError).toBe('503'));
    const shift = (assignments: string) =>
      reel.own.query(`update reel_streams set ${assignments} where id = $1`, [stream.id]);
    await shift(`failing_since = failing_since - interval '6 minutes', retry_at = null`);
    await calls.until(stream.id, ({ state }) => expect(state).toBe('FAILING'));
    const before = receiver.requests.length;
    await shift('retry_at = null');
    await expect.poll(() => receiver.requests.length).toBeGreaterThan(before);
    receiver.behaviour = () => ({ status: 200 });
    await calls.until(stream.id, async ({ state }) => {
      await shift('retry_at = null');
      expect(state).toBe('RUNNING');
    });
    await calls.until(stream.id, ({ position }) => expect(position).toBeGreaterThanOrEqual(3));
    const { logs } = await calls.ask('{ logs(orderBy: OLDEST_FIRST) { nodes { action data actorType } } }');
    expect(logs.nodes.map(({ action }: { action: string }) => action)).toEqual(
      ['created', 'failed', 'recovered'].map((each) => `reel.streams.${each}`),
    );
    expect(logs.nodes[1]).toMatchObject({ data: { answer: '503' }, actorType: 'SYSTEM' });
    expect(receiver.requests.at(-1)!.headers['webhook-id']).toContain(`${stream.id}_1_`);
  });

  it('is failing after five minutes, however long it is to wait for its next attempt, and is sent then', async () => {
    receiver.behaviour = () => ({ status: 503, headers: { 'retry-after': '3600' } });
    const stream = await calls.create({ settings: { url: receiver.url }, after: 0 });
    await calls.until(stream.id, ({ lastError }) => expect(lastError).toBe('503'));
    const pass = (seconds: number) =>
      reel.own.query(
        `update reel_streams set failing_since = failing_since - make_interval(secs => $2),
           retry_at = retry_at - make_interval(secs => $2) where id = $1`,
        [stream.id, seconds],
      );
    const isDue = async () => {
      const due = await reel.own.query('select id from reel_due_streams(1000)');
      return due.some(({ id }) => id === stream.id);
    };
    expect(await isDue()).toBe(false);
    // A machine that stands still for four minutes would be taken for it.
    await pass(60);
    expect(await isDue()).toBe(false);
    expect((await calls.get(stream.id)).state).toBe('RUNNING');
    await pass(241);
    await calls.until(stream.id, ({ state }) => expect(state).toBe('FAILING'));
    expect(await isDue()).toBe(false);
    expect(receiver.requests).toHaveLength(1);
    const metrics = await (await fetch(`${reel.url}/metrics`)).text();
    const ofStream = metrics.split('\n').filter((line) => line.includes(stream.id));
    expect(ofStream).toContainEqual(expect.stringMatching(/^reel_stream_error\{.*"503".*\} 2$/));
    receiver.behaviour = () => ({ status: 200 });
    await pass(3_300);
    await calls.until(stream.id, ({ state }) => expect(state).toBe('RUNNING'));
    await calls.until(stream.id, ({ lagEntries }) => expect(lagEntries).toBe(0));
    const { logs } = await calls.ask('{ logs(orderBy: OLDEST_FIRST) { nodes { action data } } }');
    expect(logs.nodes.map(({ action }: { action: string }) => action)).toEqual(
      ['created', 'failed', 'recovered'].map((each) => `reel.streams.${each}`),
    );
    expect(logs.nodes[1]).toMatchObject({ data: { answer: '503' } });
  });

  it('is not failing by refusals before and after an answer', async () => {
    receiver.behaviour = () => ({ status: 503, headers: { 'retry-after': '3600' } });
    const stream = await calls.create({ settings: { url: receiver.url }, after: 0 });
    await calls.until(stream.id, ({ lastError }) => expect(lastError).toBe('503'));
    receiver.behaviour = () => ({ status: 400 });
    await reel.own.query(
      `update reel_streams set failing_since = failing_since - interval '4 minutes', retry_at = null where id = $1`,
      [stream.id],
    );
    await calls.until(stream.id, ({ parkedCount }) => expect(parkedCount).toBeGreaterThan(0));
    const rows = await reel.own.query('select failing_since, state from reel_streams where id = $1', [
      stream.id,
    ]);
    expect(rows).toEqual([{ failing_since: null, state: 'RUNNING' }]);
  });

  it('is paused, resumed and replayed', async () => {
    const stream = await calls.create({ settings: { url: receiver.url }, after: 0 });
    await calls.until(stream.id, ({ position }) => expect(position).toBe(1));
    await calls.act('pauseStream', stream.id);
    await store(reel, token, tenant, [{}, {}]);
    await calls.until(stream.id, ({ lagEntries }) => expect(lagEntries).toBe(3));
    expect(sequences()).toEqual([1]);
    await calls.act('resumeStream', stream.id);
    await calls.until(stream.id, ({ position }) => expect(position).toBe(5));
    expect(sequences()).toEqual(upTo(5));
    receiver.requests.length = 0;
    await calls.act('replayStream', stream.id, ', after: 1');
    await calls.until(stream.id, ({ position }) => expect(position).toBe(6));
    expect(sequences()).toEqual([2, 3, 4, 5, 6]);
    expect(batches()[0]).toMatchObject({ id: expect.stringContaining('_2_2_'), previous: 1 });
  });
});

describe('what is recorded', () => {
  it('stands in the trail, with who did it and without any secret', async () => {
    const stream = await calls.create({
      settings: { url: receiver.url, headers: { 'X-Key': 'hidden-value' } },
      after: 0,
    });
    expect(stream.settings).toEqual({ url: receiver.url, headers: { 'X-Key': null } });
    await calls.act('pauseStream', stream.id);
    await calls.update(stream.id, {
      name: 'another name',
      secret: `whsec_${Buffer.alloc(24, 9).toString('base64')}`,
    });
    await calls.act('resumeStream', stream.id);
    await calls.until(stream.id, ({ position }) => expect(position).toBe(4));
    const signatures = String(receiver.requests.at(-1)!.headers['webhook-signature']).split(' ');
    expect(signatures).toHaveLength(2);
    expect(receiver.requests.at(-1)!.headers['x-key']).toBe('hidden-value');
    await calls.ask('mutation ($id: UUID!) { removeStream(id: $id) }', { id: stream.id });
    expect(await calls.get(stream.id)).toBeNull();
    const { logs } = await calls.ask(
      '{ logs(orderBy: OLDEST_FIRST) { nodes { action resourceId actorEmail data } } }',
    );
    expect(logs.nodes.map(({ action }: { action: string }) => action)).toEqual(
      ['created', 'paused', 'changed', 'resumed', 'removed'].map((each) => `reel.streams.${each}`),
    );
    expect(logs.nodes[0]).toMatchObject({ resourceId: stream.id, actorEmail: 'ana@example.com' });
    expect(JSON.stringify(logs)).not.toContain('hidden-value');
    expect(JSON.stringify(logs)).not.toContain('whsec_');
    const rows = await reel.own.query('select s::text as row from reel_streams s');
    expect(JSON.stringify(rows)).not.toMatch(/hidden-value|whsec_/);
  });

  it('and what is kept of answers does not outlive what is erased', async () => {
    receiver.behaviour = ({ body }) =>
      body.includes('bea@example.com')
        ? { status: 422, body: 'bea@example.com is no such person' }
        : { status: 200 };
    const [id] = await store(reel, token, tenant, [{ actor_email: 'bea@example.com' }]);
    const stream = await calls.create({ settings: { url: receiver.url }, after: 0 });
    await calls.until(stream.id, ({ parkedCount }) => expect(parkedCount).toBe(1));
    const kept = async () =>
      JSON.stringify([
        await reel.own.query(`select s::text as row from reel_streams s where tenant_id = $1`, [tenant]),
        await reel.own.query(`select p::text as row from reel_stream_parked p where tenant_id = $1`, [
          tenant,
        ]),
        await reel.own.query(`select data::text as row from reel_log_entries where tenant_id = $1`, [tenant]),
      ]);
    expect(await kept()).toContain('bea@example.com');
    await calls.until(stream.id, ({ lagEntries }) => expect(lagEntries).toBe(0));
    const erased = await runCommand(
      ['erase', '--tenant', tenant, '--entry', id!, '--reason', 'asked'],
      settingsOf(reel.own),
    );
    expect(erased.code).toBe(0);
    expect(await kept()).not.toContain('bea@example.com');
    expect(await calls.parked(stream.id)).toMatchObject([{ entryId: id, reason: '422' }]);
  });

  const [TAKEN, LATER, REFUSED] = [
    { status: 200, body: 'stored bea@example.com' },
    { status: 503, body: 'bea@example.com is not known yet' },
    { status: 422, body: 'bea@example.com is no such person' },
  ];
  it.each([
    ['what it had read before', REFUSED, { status: 200 }],
    ['what it is answered when the batch is taken', TAKEN, TAKEN],
    ['what it is answered when the batch is refused for now', LATER, LATER],
    ['what it is answered when the batch is refused for good', REFUSED, REFUSED],
  ])('nor does a delivery that was under way keep %s', async (_, before, after) => {
    const released = Promise.withResolvers<void>();
    let named = 0;
    receiver.behaviour = async ({ body }) => {
      if (!body.includes('bea@example.com')) return { status: 200 };
      named += 1;
      if (named === 1) return before;
      await released.promise;
      return after;
    };
    const stream = await calls.create({ settings: { url: receiver.url, batchEntries: 1 } });
    const bea = { actor_id: 'bea', actor_email: 'bea@example.com' };
    await store(reel, token, tenant, [bea, bea]);
    const kept = async () =>
      JSON.stringify(
        await reel.own.query(
          `select s::text as row from reel_streams s where tenant_id = $1
           union all select p::text from reel_stream_parked p where tenant_id = $1`,
          [tenant],
        ),
      );
    await expect.poll(() => named).toBe(2);
    expect(await kept()).toContain('bea@example.com');
    const erased = await runCommand(
      ['erase', '--tenant', tenant, '--actor', 'bea', '--reason', 'asked'],
      settingsOf(reel.own),
    );
    expect(erased).toMatchObject({ code: 0, stderr: expect.stringContaining('2 as actor') });
    expect(await kept()).not.toContain('bea@example.com');
    released.resolve();
    await calls.until(stream.id, ({ lagEntries, state }) => {
      expect(state).toBe('RUNNING');
      expect(lagEntries).toBe(0);
    });
    expect(await kept()).not.toContain('bea@example.com');
  });
});
