import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ReelError, unavailable } from '../../src/errors.js';
import type { LogInput } from '../../src/log/service.js';
import { ReelService } from '../../src/log/service.js';
import { WRITER_BOUNDS, type WriteResult, Writer } from '../../src/log/write/writer.js';
import { openTrail, type Trail } from '../support/trail.js';

let trail: Trail;
beforeAll(async () => {
  trail = await openTrail();
});
afterAll(() => trail?.close());

const entry = (tenantId: string, more: object = {}): LogInput => ({
  module: 'guardian',
  action: 'users.create',
  tenantId,
  ...more,
});
const GUARDIAN = { kind: 'module', module: 'guardian', ip: null, agent: null } as const;
const stored = async (tenantId: string) =>
  (
    await trail.own.query('select resource_id from reel_log_entries where tenant_id = $1 order by id', [
      tenantId,
    ])
  ).map((row) => row.resource_id);
const codeOf = (result: WriteResult) =>
  'error' in result ? (result.error instanceof ReelError ? result.error.code : 'fault') : result.replayed;

describe('each on its own', () => {
  test('those that are well are stored, in the order given, and the others told why not', async () => {
    const [one, other] = [randomUUID(), randomUUID()];
    const results = await trail.service.writeEach(GUARDIAN, [
      entry(one, { resourceId: 'a' }),
      entry(one, { action: '' }),
      entry(other, { resourceId: 'b' }),
      entry(one, { module: 'billing' }),
      entry(one, { module: 'reel' }),
      entry(one, { module: 'rеel' }),
      entry('nonsense'),
      entry(one, { resourceId: 'c' }),
      null as unknown as LogInput,
    ]);
    expect(results.map(codeOf)).toEqual([
      false,
      'BAD_USER_INPUT',
      false,
      'FORBIDDEN',
      'FORBIDDEN',
      'FORBIDDEN',
      'BAD_USER_INPUT',
      false,
      'BAD_USER_INPUT',
    ]);
    expect(await stored(one)).toEqual(['a', 'c']);
    expect(await stored(other)).toEqual(['b']);
    const [, faulty] = results;
    expect((faulty as { error: ReelError }).error.faults.map(({ loc }) => loc)).toEqual([['action']]);
  });

  test('all that are well are in one transaction', async () => {
    const tenantId = randomUUID();
    await trail.service.writeLogs([
      entry(tenantId),
      entry(tenantId, { action: '' }),
      entry(tenantId, { idempotencyKey: 'k' }),
      entry(tenantId),
    ]);
    const transactions = await trail.own.query(
      'select distinct xmin::text from reel_log_entries where tenant_id = $1',
      [tenantId],
    );
    expect(transactions).toHaveLength(1);
  });

  test('1 to 1,000, no fewer and no more', async () => {
    const tenantId = randomUUID();
    const many = (count: number) => Array.from({ length: count }, () => entry(tenantId));
    for (const count of [0, 1_001])
      await expect(trail.service.writeLogs(many(count))).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await trail.service.writeLogs(many(1_000))).toHaveLength(1_000);
    expect(await stored(tenantId)).toHaveLength(1_000);
  });
});

describe('idempotency keys', () => {
  test('a replay is answered with the first entry, other content is a conflict of that one alone', async () => {
    const tenantId = randomUUID();
    const first = await trail.service.log(entry(tenantId, { idempotencyKey: 'k', resourceId: 'first' }));
    const results = await trail.service.writeLogs([
      entry(tenantId, { resourceId: 'a' }),
      entry(tenantId, { idempotencyKey: 'k', resourceId: 'first' }),
      entry(tenantId, { idempotencyKey: 'k', resourceId: 'other' }),
      entry(tenantId, { resourceId: 'b' }),
    ]);
    expect(results.map(codeOf)).toEqual([false, true, 'CONFLICT', false]);
    expect(results[1]).toMatchObject({ entry: { id: first.id } });
    expect(await stored(tenantId)).toEqual(['first', 'a', 'b']);
  });

  test('the same key twice in a batch is one entry, answered twice; with other content the later is refused', async () => {
    const [tenantId, other] = [randomUUID(), randomUUID()];
    const results = await trail.service.writeLogs([
      entry(tenantId, { idempotencyKey: 'k' }),
      entry(tenantId, { idempotencyKey: 'k' }),
      entry(tenantId, { idempotencyKey: 'k', resourceId: 'other' }),
      entry(other, { idempotencyKey: 'k' }),
      entry(tenantId, { idempotencyKey: 'k', module: 'billing' }),
    ]);
    expect(results.map(codeOf)).toEqual([false, true, 'CONFLICT', false, false]);
    const ids = results.map((result) => ('entry' in result ? result.entry.id : null));
    expect(ids[0]).toBe(ids[1]);
    expect(await stored(tenantId)).toHaveLength(2);
  });

  test('the key of an entry that is refused stays free for the next one', async () => {
    const tenantId = randomUUID();
    const results = await trail.service.writeLogs([
      entry(tenantId, { idempotencyKey: 'k', action: '' }),
      entry(tenantId, { idempotencyKey: 'k', resourceId: 'well' }),
    ]);
    expect(results.map(codeOf)).toEqual(['BAD_USER_INPUT', false]);
  });

  test('a whole batch, sent again, is answered with the same entries', async () => {
    const tenants = [randomUUID(), randomUUID()];
    const batch = Array.from({ length: 200 }, (_, at) =>
      entry(tenants[at % 2]!, { idempotencyKey: `k${at}`, resourceId: String(at) }),
    );
    const idsOf = (results: WriteResult[]) =>
      results.map((result) => ('entry' in result ? result.entry.id : null));
    const [first, again] = [await trail.service.writeLogs(batch), await trail.service.writeLogs(batch)];
    expect(idsOf(again)).toEqual(idsOf(first));
    expect(first.map(codeOf)).toEqual(batch.map(() => false));
    expect(again.map(codeOf)).toEqual(batch.map(() => true));
    const [lost, same] = await Promise.all([trail.service.writeLogs(batch), trail.service.writeLogs(batch)]);
    expect([idsOf(lost), idsOf(same)]).toEqual([idsOf(first), idsOf(first)]);
  });
});

describe('the database', () => {
  test('what it refuses of one entry is never its neighbours fault', async () => {
    const tenantId = randomUUID();
    await trail.own.query(
      `alter table reel_log_entries add constraint no_bad_batch check (tenant_id <> '${tenantId}' or resource_id is distinct from 'bad')`,
    );
    const ids = Array.from({ length: 50 }, (_, at) => ([0, 17, 18, 49].includes(at) ? 'bad' : String(at)));
    const [results, , lone] = await Promise.all([
      trail.service.writeLogs(
        ids.map((resourceId) =>
          entry(tenantId, { resourceId, idempotencyKey: `k${resourceId}${randomUUID()}` }),
        ),
      ),
      trail.service.log(entry(tenantId, { resourceId: 'neighbour' })),
      trail.service.writeLogs([entry(tenantId, { resourceId: 'bad' })]),
    ]);
    expect(results.map(codeOf)).toEqual(ids.map((id) => (id === 'bad' ? 'fault' : false)));
    expect(lone.map(codeOf)).toEqual(['fault']);
    expect((await stored(tenantId)).sort()).toEqual(
      [...ids.filter((id) => id !== 'bad'), 'neighbour'].sort(),
    );
    const keys = await trail.own.query('select 1 from reel_log_keys where tenant_id = $1', [tenantId]);
    expect(keys).toHaveLength(46);
  });

  test('unavailable, it is the whole call that fails, and nothing is told', async () => {
    const writer = new Writer({
      write: async () => {
        throw unavailable('The database is unavailable; try again shortly');
      },
      find: async () => new Map(),
      ensureMonth: async () => {},
    });
    const service = new ReelService(writer);
    await expect(
      service.writeLogs([entry(randomUUID()), entry(randomUUID(), { action: '' })]),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    // Nothing of these would have been stored anyway.
    expect((await service.writeLogs([entry(randomUUID(), { action: '' })])).map(codeOf)).toEqual([
      'BAD_USER_INPUT',
    ]);
  });

  test('slow, it refuses those whose turn comes too late, and does not write them', async () => {
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    let writes = 0;
    const writer = new Writer(
      {
        write: async (_tenantIds, work) => {
          writes += 1;
          await answered;
          return work(async () => []);
        },
        find: async () => new Map(),
        ensureMonth: async () => {},
      },
      undefined,
      { ...WRITER_BOUNDS, batches: 1, waitMs: 100 },
    );
    const service = new ReelService(writer);
    const first = service.log(entry(randomUUID()));
    const second = service.log(entry(randomUUID()));
    second.catch(() => {});
    const began = performance.now();
    await expect.poll(() => performance.now() - began).toBeGreaterThan(150);
    answer();
    await first;
    await expect(second).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfter: expect.any(Number) });
    expect(writes).toBe(1);
    await writer.close();
  });

  test('gone once the entries are stored, it keeps no stored one from being told', async () => {
    const tenantId = randomUUID();
    await trail.service.log(entry(tenantId, { idempotencyKey: 'k' }));
    const writer = new Writer({
      write: (tenantIds, work) => trail.database.write(tenantIds, work),
      find: async () => {
        throw unavailable('The database is unavailable; try again shortly');
      },
      ensureMonth: async () => {},
    });
    const results = await new ReelService(writer).writeLogs([
      entry(tenantId),
      entry(tenantId, { idempotencyKey: 'k' }),
    ]);
    expect(results.map(codeOf)).toEqual([false, 'UNAVAILABLE']);
  });

  test('an error that concerns no single entry is the whole call’s', async () => {
    const writer = new Writer({
      write: () =>
        trail.database.write(
          ['0190a1b2-0000-7000-8000-0000000000f1'],
          (execute) =>
            execute({
              sql: 'select * from no_such_table',
              parameters: [],
              query: { kind: 'RawNode' },
              queryId: {},
            } as never) as never,
        ),
      find: async () => new Map(),
      ensureMonth: async () => {},
    });
    await expect(new ReelService(writer).writeLogs([entry(randomUUID())])).rejects.toMatchObject({
      code: '42P01',
    });
  });
});

test('of all or none, every fault is told with its index, and a forbidden one before them', async () => {
  const tenantId = randomUUID();
  const create = (...more: object[]) =>
    trail.service.createMany(
      GUARDIAN,
      more.map((each) => entry(tenantId, each)),
    );
  const faulty = await create({}, { action: '' }, { severity: 'x' }).catch((error: unknown) => error);
  expect((faulty as ReelError).message).toBe(
    'inputs[1].action: expected 1 to 255 characters, got "" (and 1 more)',
  );
  expect((faulty as ReelError).faults.map(({ loc }) => loc)).toEqual([
    [1, 'action'],
    [2, 'severity'],
  ]);
  await expect(create({ action: '' }, { module: 'billing' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  expect(await stored(tenantId)).toEqual([]);
  expect((await create({ action: 'a' }, { action: 'b' })).map(({ action }) => action)).toEqual(['a', 'b']);
});
