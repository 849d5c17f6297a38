import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ReelError } from '../../src/errors.js';
import { LogSeverity } from '../../src/log/entry/severity.js';
import { wholeEntry } from '../../src/log/entry/stored-entry.js';
import { toCriteria } from '../../src/log/filter/criteria.js';
import { LogOrder } from '../../src/log/read/page.js';
import { openTrail, type Trail } from '../support/trail.js';

let trail: Trail;
beforeAll(async () => {
  trail = await openTrail();
});
afterAll(() => trail?.close());

const entry = (tenantId: string, more = {}) => ({
  module: 'guardian',
  action: 'users.create',
  tenantId,
  ...more,
});
const rows = (tenantId: string) =>
  trail.own.query('select * from reel_log_entries where tenant_id = $1 order by id', [tenantId]);
const whole = (tenantId: string) => ({ tenantId, clients: null });
const everything = (tenantId: string) => toCriteria(whole(tenantId), null, new Date());

test('an answered entry is on disk, every field as it was said', async () => {
  const tenantId = randomUUID();
  const said = {
    ...entry(tenantId),
    severity: LogSeverity.CRITICAL,
    actorId: randomUUID(),
    actorEmail: 'Ana@Example.com',
    actorName: 'Ana Souza',
    onBehalfOfId: randomUUID(),
    clientId: randomUUID(),
    resourceType: 'user',
    resourceId: '42',
    data: { before: { a: 1 }, after: { a: 2, b: ['ü', null, true, 1.5] } },
    ipAddress: '2001:DB8::1',
    userAgent: 'curl/8',
    requestId: randomUUID(),
    occurredAt: '2026-01-05T10:00:00.123456Z',
  };
  const answered = await trail.service.log(said);
  expect(answered).toMatchObject({
    ...said,
    ipAddress: '2001:db8::1',
    origin: 'MODULE',
    sequence: null,
    erasedAt: null,
  });
  const read = await trail.reader.get(whole(tenantId), answered.id);
  expect(read && wholeEntry(read)).toEqual({ ...answered });
  expect(await trail.reader.get(whole(randomUUID()), answered.id)).toBeNull();
});

test('ids and times grow together, also within one call and when the clock is set back', async () => {
  const tenantId = randomUUID();
  const entries = await trail.service.createMany(
    { kind: 'module', module: '*', ip: null, agent: null },
    Array.from({ length: 500 }, (_, index) => entry(tenantId, { resourceId: String(index) })),
  );
  expect(entries.map((each) => each.resourceId)).toEqual(
    Array.from({ length: 500 }, (_, index) => String(index)),
  );
  expect(entries.map((each) => each.id)).toEqual(entries.map((each) => each.id).sort());
  expect(new Set(entries.map((each) => each.createdAt)).size).toBe(500);
});

describe('idempotency keys', () => {
  test('of twenty at once with one key and content, one is stored and all are answered with it', async () => {
    const tenantId = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        trail.service.log(entry(tenantId, { idempotencyKey: 'once', data: { a: 1 } })),
      ),
    );
    expect(new Set(answers.map((each) => each.id)).size).toBe(1);
    expect(await rows(tenantId)).toHaveLength(1);
  });

  test('other content under a key is a CONFLICT, and its neighbours in the batch are stored', async () => {
    const tenantId = randomUUID();
    await trail.service.log(entry(tenantId, { idempotencyKey: 'k', data: { a: 1 } }));
    const results = await Promise.allSettled([
      trail.service.log(entry(tenantId, { resourceId: 'before' })),
      trail.service.log(entry(tenantId, { idempotencyKey: 'k', data: { a: 2 } })),
      trail.service.log(entry(tenantId, { resourceId: 'after' })),
      trail.service.log(entry(tenantId, { idempotencyKey: 'k', data: { a: 1 } })),
    ]);
    expect(results.map((each) => each.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect((results[1] as PromiseRejectedResult).reason).toMatchObject({ code: 'CONFLICT' });
    expect((await rows(tenantId)).map((row) => row.resource_id)).toEqual([null, 'before', 'after']);
  });

  test('belong to the tenant and the writer', async () => {
    const [one, other] = [randomUUID(), randomUUID()];
    const ids = await Promise.all([
      trail.service.log(entry(one, { idempotencyKey: 'k' })),
      trail.service.log(entry(other, { idempotencyKey: 'k' })),
      trail.service.log(entry(one, { idempotencyKey: 'k', module: 'aurora' })),
    ]);
    expect(new Set(ids.map((each) => each.id)).size).toBe(3);
  });

  test('twice in one call is one entry, answered twice; a conflict in it stores none of the call', async () => {
    const [tenantId, other] = [randomUUID(), randomUUID()];
    const author = { kind: 'module', module: '*', ip: null, agent: null } as const;
    const [a, b, c] = await trail.service.createMany(author, [
      entry(tenantId, { idempotencyKey: 'x' }),
      entry(tenantId, { idempotencyKey: 'x' }),
      entry(other, { idempotencyKey: 'x' }),
    ]);
    expect(a!.id).toBe(b!.id);
    expect(c!.id).not.toBe(a!.id);
    const replay = await trail.service.createMany(author, [
      entry(other, { idempotencyKey: 'x' }),
      entry(tenantId, { idempotencyKey: 'x' }),
    ]);
    expect(replay.map((each) => each.id)).toEqual([c!.id, a!.id]);
    await expect(
      trail.service.createMany(author, [
        entry(tenantId),
        entry(tenantId, { idempotencyKey: 'y' }),
        entry(tenantId, { idempotencyKey: 'x', action: 'other' }),
      ]),
    ).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await rows(tenantId)).toHaveLength(1);
    expect(
      await trail.own.query('select * from reel_log_keys where idempotency_key = $1', ['y']),
    ).toHaveLength(0);
  });
});

const SMALL = { waitMs: 15_000, batchEntries: 10, batches: 1, queueEntries: 50, queueBytes: 10_000_000 };

test('a writer has a share of the queue, past which that writer alone is refused', async () => {
  const small = await openTrail({ ...SMALL, queueEntries: 80, writerShare: 1 / 4 });
  try {
    const tenantId = randomUUID();
    const flood = Array.from({ length: 60 }, () => small.service.log(entry(tenantId)));
    const others = Array.from({ length: 20 }, (_, nr) =>
      small.service.log(entry(tenantId, { module: `m${nr}` })),
    );
    const refused = (await Promise.allSettled(flood)).filter((each) => each.status === 'rejected');
    expect(refused).toHaveLength(40);
    for (const each of refused)
      expect(each.reason).toMatchObject({
        code: 'OVERLOADED',
        message: expect.stringMatching(/^Too many entries of this writer/),
      });
    expect(await Promise.all(others)).toHaveLength(20);
    expect(small.writer.length).toBe(0);
    await small.service.log(entry(tenantId));
  } finally {
    await small.close();
  }
});

test("one module's flood delays no other's entries, nor those of another tenant", async () => {
  const small = await openTrail({ ...SMALL, queueEntries: 4_000, writerShare: 1 / 4 });
  try {
    const [busy, quiet] = [randomUUID(), randomUUID()];
    const order: string[] = [];
    const log = (tenantId: string, module: string) =>
      small.service.log(entry(tenantId, { module })).then(() => order.push(`${module} ${tenantId}`));
    const all = Array.from({ length: 500 }, () => log(busy, 'flood'));
    all.push(log(quiet, 'flood'), log(busy, 'other'));
    await Promise.all(all);
    // In the third batch at the latest: one was on its way, and a round of turns is less than two.
    expect(order.indexOf(`flood ${quiet}`)).toBeLessThan(100);
    expect(order.indexOf(`other ${busy}`)).toBeLessThan(100);
  } finally {
    await small.close();
  }
});

test('past its bound the queue refuses at once, and what it took is stored', async () => {
  const small = await openTrail({ ...SMALL, writerShare: null });
  try {
    const tenantId = randomUUID();
    const results = await Promise.allSettled(
      Array.from({ length: 80 }, () => small.service.log(entry(tenantId))),
    );
    const refused = results.filter((each) => each.status === 'rejected');
    expect(refused).toHaveLength(30);
    for (const each of refused)
      expect(each.reason).toMatchObject({ code: 'OVERLOADED', status: 503, retryAfter: 1 });
    expect(await small.reader.count(everything(tenantId), 'exact')).toEqual({
      value: 50,
      precision: 'EXACT',
    });
    expect(small.writer.length).toBe(0);
  } finally {
    await small.close();
  }
});

test('an entry that the database refuses alone does not take its neighbours with it', async () => {
  const tenantId = randomUUID();
  await trail.own.query(
    `alter table reel_log_entries add constraint no_bad check (tenant_id <> '${tenantId}' or resource_id is distinct from 'bad')`,
  );
  const results = await Promise.allSettled(
    ['a', 'b', 'bad', 'c'].map((resourceId) => trail.service.log(entry(tenantId, { resourceId }))),
  );
  expect(results.map((each) => each.status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect((results[2] as PromiseRejectedResult).reason).not.toBeInstanceOf(ReelError);
  expect(await rows(tenantId)).toHaveLength(3);
});

describe('the sequencer', () => {
  test('gives places from 1 without gaps, in the order of ids, and counts every entry', async () => {
    const tenantId = randomUUID();
    await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        trail.service.log(entry(tenantId, { module: `m${index % 3}` })),
      ),
    );
    expect(await trail.sequencer.catchUp(tenantId)).toBe(300);
    const page = await trail.reader.list(everything(tenantId), {
      first: 100,
      orderBy: LogOrder.OLDEST_FIRST,
    });
    expect(page.entries.map((each) => each.sequence)).toEqual(
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
    const counts = await trail.own.query(
      'select span, sum(count)::int as n from reel_log_counts where tenant_id = $1 group by span order by span',
      [tenantId],
    );
    expect(counts).toEqual([
      { span: 15, n: 300 },
      { span: 1440, n: 300 },
      { span: 23_040, n: 300 },
    ]);
    expect(await trail.own.query('select * from reel_log_inbox where tenant_id = $1', [tenantId])).toEqual(
      [],
    );
  });

  test('several at once give every entry one place', async () => {
    const tenantId = randomUUID();
    const writes = Promise.all(Array.from({ length: 400 }, () => trail.service.log(entry(tenantId))));
    await Promise.all(Array.from({ length: 6 }, () => trail.sequencer.catchUp(tenantId)));
    await writes;
    expect(await trail.sequencer.catchUp(tenantId)).toBe(400);
    const [row] = await trail.own.query(
      'select count(*)::int as n, count(distinct entry_id)::int as entries, max(seq)::int as last from reel_log_sequence where tenant_id = $1',
      [tenantId],
    );
    expect(row).toEqual({ n: 400, entries: 400, last: 400 });
  });

  test('running by itself, it finds what other transactions committed, and stops cleanly', async () => {
    const tenantId = randomUUID();
    await trail.service.log(entry(tenantId));
    trail.sequencer.start();
    await expect
      .poll(async () => (await trail.reader.list(everything(tenantId), {})).entries[0]?.sequence)
      .toBe(1);
  });
});
