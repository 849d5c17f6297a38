import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { OWN_ACTIONS } from '../../src/log/retention/own-actions.js';
import { rootOf } from '../../src/seal/compact-range.js';
import { recount } from '../support/recount.js';
import { type Logs, openLogs } from '../support/sealed-logs.js';

let logs: Logs;
beforeAll(async () => {
  logs = await openLogs();
});
afterAll(() => logs?.trail.close());

describe('an intact log', () => {
  test.each([[[]], [[1]], [[255]], [[256]], [[256, 1]], [[1, 5, 300, 284, 10]]])(
    'of %j verifies',
    async (batches) => {
      const tenantId = await logs.sealedLog(batches);
      const { lines, size, root } = await logs.verify(tenantId);
      expect(lines).toEqual([]);
      expect(size).toBe(batches.reduce((sum, count) => sum + count, 0));
      expect(root).toEqual(rootOf((await logs.column(tenantId, 'leaf_hash', 'sequence')) as Buffer[]));
    },
  );

  test('with entries in the inbox verifies, and one changed there is reported', async () => {
    const tenantId = await logs.sealedLog([3]);
    await logs.trail.service.log({ module: 'm', action: 'a', tenantId });
    expect((await logs.verify(tenantId)).lines).toEqual([]);
    await logs.tamper("update reel_log_inbox set leaf_hash = sha256('x') where tenant_id = $1", tenantId);
    expect((await logs.verify(tenantId)).found).toEqual(['changed 4']);
  });
});

/** Every column of an entry, with another value of its type. */
const OTHER: Record<string, string> = {
  tenant_id: 'gen_random_uuid()',
  id: "(left(id::text, 35) || case right(id::text, 1) when '0' then '1' else '0' end)::uuid",
  module: "module || 'x'",
  action: "action || 'x'",
  severity: '4',
  origin: '1',
  actor_id: 'gen_random_uuid()',
  actor_email: "'bob@example.com'",
  actor_email_folded: "'bob@example.com'",
  actor_name: "'Bob'",
  actor_name_folded: "'bob'",
  actor_type: '3',
  on_behalf_of_name: "'Bob'",
  resource_name: 'null',
  outcome: '2',
  repaired: "array['data']",
  leaf_version: '1',
  on_behalf_of_id: 'null',
  client_id: 'null',
  resource_type: "'User'",
  resource_id: "resource_id || ' '",
  data: "jsonb_set(data, '{index}', '-1')",
  search_text: "search_text || 'x'",
  ip_address: "'10.0.0.1/31'",
  user_agent: "'curl/9'",
  request_id: 'null',
  occurred_at: "occurred_at + interval '1 microsecond'",
  created_at: "created_at + interval '1 microsecond'",
  identity_salt: 'set_bit(identity_salt, 9, 1 - get_bit(identity_salt, 9))',
  data_salt: 'set_bit(data_salt, 127, 1 - get_bit(data_salt, 127))',
  identity_digest: 'set_bit(identity_digest, 0, 1 - get_bit(identity_digest, 0))',
  data_digest: 'set_bit(data_digest, 255, 1 - get_bit(data_digest, 255))',
  key_digest: "sha256('x')",
  erased_at: 'now()',
};

describe('an entry', () => {
  let tenantId: string;
  beforeAll(async () => {
    tenantId = await logs.sealedLog();
    const known = await logs.trail.own.query(
      "select column_name as name from information_schema.columns where table_name = 'reel_log_entries'",
    );
    expect(known.map(({ name }) => name).sort()).toEqual(Object.keys(OTHER).sort());
  });

  /** In the first tile, the second and the partial one: verified at once, since each is to be reported at its own sequence. */
  const SEQUENCES = [3, 258, 597];

  test.each(Object.entries(OTHER))('whose %s was changed is reported', async (name, other) => {
    const rows = await logs.trail.own.query(
      `select e.* from reel_log_entries e join reel_log_sequence s on s.tenant_id = e.tenant_id and s.entry_id = e.id
       where e.tenant_id = $1 and s.seq = any($2)`,
      [tenantId, SEQUENCES],
    );
    expect(rows).toHaveLength(SEQUENCES.length);
    for (const { id } of rows)
      await logs.tamper(
        `update reel_log_entries set ${name} = ${other} where tenant_id = $1 and id = $2`,
        tenantId,
        id,
      );
    const { found } = await logs.verify(tenantId);
    const kind = ['id', 'tenant_id'].includes(name) ? 'missing' : 'changed';
    const rest = found.filter((each) => !each.startsWith('count ') && !each.startsWith('extra '));
    expect(rest.toSorted()).toEqual(SEQUENCES.map((sequence) => `${kind} ${sequence}`).toSorted());
    for (const row of rows) await restore(name, row);
  });

  /** What was changed in a column is as it was: else the test of the next column finds it. */
  async function restore(name: string, row: Record<string, unknown>): Promise<void> {
    const { id } = row as { id: string };
    if (name === 'tenant_id')
      return logs.tamper('update reel_log_entries set tenant_id = $1 where id = $2', tenantId, id);
    if (name === 'id')
      return logs.tamper(
        `update reel_log_entries e set id = $2::uuid where tenant_id = $1 and left(id::text, 35) = left($2::uuid::text, 35) and not exists (
          select from reel_log_sequence s where s.tenant_id = $1 and s.entry_id = e.id)`,
        tenantId,
        id,
      );
    const before = name === 'data' ? JSON.stringify(row.data) : row[name];
    const isTime = name.endsWith('_at') && name !== 'erased_at';
    await logs.tamper(
      `update reel_log_entries set ${name} = ${isTime ? `${name} - interval '1 microsecond'` : '$3'} where tenant_id = $1 and id = $2`,
      tenantId,
      id,
      ...(isTime ? [] : [before]),
    );
  }

  test('is no fault any more once it is as it was', async () => {
    expect((await logs.verify(tenantId)).lines).toEqual([]);
  });

  test('that was erased without a record is reported, and so is what an erasure left behind', async () => {
    const own = await logs.sealedLog([10]);
    const blank = `actor_email = null, actor_email_folded = null, actor_name = null, actor_name_folded = null,
      on_behalf_of_name = null, resource_name = null, ip_address = null, user_agent = null, data = null, identity_salt = null, data_salt = null,
      search_text = lower(concat_ws(e'\\n', id, module, action, resource_type, resource_id, actor_id, request_id, on_behalf_of_id))`;
    const which = '(select entry_id from reel_log_sequence where tenant_id = $1 and seq = 4)';
    await logs.tamper(
      `update reel_log_entries set ${blank}, erased_at = '2026-01-05T10:00:00.5Z' where id = ${which}`,
      own,
    );
    expect((await logs.verify(own)).found).toEqual(['changed 4']);
    await logs.trail.service.record({
      action: 'reel.logs.erased',
      tenantId: own,
      data: { erasedAt: '2026-01-05T10:00:00.500000Z', entries: 1 },
    });
    expect((await logs.verify(own)).found).toEqual([]);
    await logs.trail.sequencer.catchUp(own);
    expect((await logs.verify(own)).found).toEqual([]);
    await logs.tamper(`update reel_log_entries set user_agent = 'x' where id = ${which}`, own);
    expect((await logs.verify(own)).lines).toEqual([
      expect.stringMatching(/^changed 4: .*user_agent: expected null in an erased entry;/),
    ]);
    await logs.tamper(`update reel_log_entries set user_agent = null where id = ${which}`, own);
    // A record does not cover more entries than it counts.
    await logs.tamper(
      `update reel_log_entries set ${blank}, erased_at = '2026-01-05T10:00:00.5Z' where id = ${which.replace('4', '9')}`,
      own,
    );
    expect((await logs.verify(own)).lines).toEqual([
      expect.stringMatching(/^changed 9: .*erased_at: expected an erasure recorded in the log/),
    ]);
  });

  test('that was removed by cleanup is no fault, one that was deleted is', async () => {
    const own = await logs.sealedLog([10]);
    const remove = async (sequence: number) => {
      await logs.tamper(
        `delete from reel_log_entries where id = (
           select entry_id from reel_log_sequence where tenant_id = $1 and seq = $2)`,
        own,
        sequence,
      );
      for (const statement of recount(`'${own}'`)) await logs.tamper(statement);
    };
    await remove(2);
    expect((await logs.verify(own)).found).toEqual(['missing 2']);
    const before = new Date(Date.now() + 1).toISOString();
    const empty = (sequence: number) =>
      logs.tamper(
        `insert into reel_log_removals select $1, $2, $2, bit_xor(('x' || left(encode(sha256(
           convert_to(seq || ' ' || entry_id, 'UTF8')), 'hex'), 16))::bit(64)::bigint)
         from reel_log_sequence where tenant_id = $1 and seq = $2`,
        own,
        sequence,
      );
    await empty(2);
    expect((await logs.verify(own)).found).toEqual(['missing 2', 'missing 2']);
    await logs.trail.service.record({
      action: OWN_ACTIONS.cleanup,
      tenantId: own,
      data: { before, emptyPlaces: 1 },
    });
    expect((await logs.verify(own)).found).toEqual([]);
    await logs.trail.sequencer.catchUp(own);
    expect((await logs.verify(own)).found).toEqual([]);
    await remove(5);
    expect((await logs.verify(own)).found).toContain('missing 5');
    await empty(5);
    expect((await logs.verify(own)).lines).toEqual([
      'missing 2: from here on: expected 1 removed entries as recorded in the log, got 2',
    ]);
    // A later record with a smaller count, as after the clock was set back, does not matter: each counts those before it.
    await logs.trail.service.record({
      action: OWN_ACTIONS.cleanup,
      tenantId: own,
      data: { before, emptyPlaces: 2 },
    });
    await logs.trail.service.record({
      action: OWN_ACTIONS.cleanup,
      tenantId: own,
      data: { before, emptyPlaces: 1 },
    });
    expect((await logs.verify(own)).found).toEqual([]);
    await logs.tamper(
      'update reel_log_removals set first_seq = 6, last_seq = 6 where tenant_id = $1 and first_seq = 5',
      own,
    );
    expect((await logs.verify(own)).found).toEqual(expect.arrayContaining(['missing 5', 'extra 6']));
  });

  test('that was inserted is reported', async () => {
    const own = await logs.sealedLog([10]);
    await logs.tamper(
      `insert into reel_log_entries select (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid()))).*
       from reel_log_entries e where id = (select entry_id from reel_log_sequence where tenant_id = $1 and seq = 4)`,
      own,
    );
    expect((await logs.verify(own)).found).toEqual([expect.stringMatching(/^extra \d+$/)]);
  });
});

describe('the sequence', () => {
  let tenantId: string;
  beforeAll(async () => {
    tenantId = await logs.sealedLog();
    for (const table of ['sequence', 'entries'])
      await logs.tamper(
        `create table intact_${table} as select * from reel_log_${table} where tenant_id = '${tenantId}'`,
      );
  });
  afterEach(async () => {
    await logs.tamper('delete from reel_log_sequence where tenant_id = $1', tenantId);
    await logs.tamper('insert into reel_log_sequence select * from intact_sequence');
    await logs.tamper('insert into reel_log_entries select * from intact_entries on conflict do nothing');
  });

  test.each([
    ['within a full tile', 7, 9],
    ['between tiles', 9, 300],
    ['between a full and the partial tile', 500, 580],
    ['within a batch of the partial tile', 592, 599],
    ['between batches of the partial tile', 560, 595],
  ])('two rows exchanged %s are reported', async (_where, a, b) => {
    const rows = await logs.trail.own.query(
      'select * from reel_log_sequence where tenant_id = $1 and seq in ($2, $3)',
      [tenantId, a, b],
    );
    await logs.tamper(
      'delete from reel_log_sequence where tenant_id = $1 and seq in ($2, $3)',
      tenantId,
      a,
      b,
    );
    for (const row of rows)
      await logs.tamper(
        'insert into reel_log_sequence (tenant_id, seq, entry_id, leaf_hash) values ($1, $2, $3, $4)',
        tenantId,
        a + b - Number(row.seq),
        row.entry_id,
        row.leaf_hash,
      );
    expect((await logs.verify(tenantId)).found).toEqual([`moved ${a}`, `moved ${b}`]);
  });

  test.each([7, 300, 595])(
    'the entries of sequence %i and the next exchanged are reported',
    async (sequence) => {
      const ids = await logs.trail.own.query(
        'select seq, entry_id from reel_log_sequence where tenant_id = $1 and seq in ($2, $3) order by seq',
        [tenantId, sequence, sequence + 1],
      );
      const set = (seq: number, id: unknown) =>
        logs.tamper(
          'update reel_log_sequence set entry_id = $3 where tenant_id = $1 and seq = $2',
          tenantId,
          seq,
          id,
        );
      await set(sequence, randomUUID());
      await set(sequence + 1, ids[0]!.entry_id);
      await set(sequence, ids[1]!.entry_id);
      expect((await logs.verify(tenantId)).found).toEqual([`moved ${sequence}`, `moved ${sequence + 1}`]);
    },
  );

  test.each([3, 300, 595, 600])('sequence %i deleted is reported', async (sequence) => {
    await logs.tamper('delete from reel_log_sequence where tenant_id = $1 and seq = $2', tenantId, sequence);
    const { found } = await logs.verify(tenantId);
    expect(found).toContain(`missing ${sequence}`);
    expect(found.filter((each) => !/^(missing|extra)/.test(each))).toEqual([]);
  });

  test.each([3, 300, 595])('sequence %i and its entry deleted are reported', async (sequence) => {
    await logs.tamper(
      `with gone as (delete from reel_log_sequence where tenant_id = $1 and seq = $2 returning entry_id)
       delete from reel_log_entries where id in (select entry_id from gone)`,
      tenantId,
      sequence,
    );
    const { found } = await logs.verify(tenantId);
    expect(found.filter((each) => !each.startsWith('count'))).toEqual([`missing ${sequence}`]);
  });

  test.each([1, 3, 300, 595])('the leaf hash of sequence %i changed is reported', async (sequence) => {
    await logs.tamper(
      'update reel_log_sequence set leaf_hash = set_bit(leaf_hash, 77, 1 - get_bit(leaf_hash, 77)) where tenant_id = $1 and seq = $2',
      tenantId,
      sequence,
    );
    expect((await logs.verify(tenantId)).found).toEqual([`changed ${sequence}`]);
  });

  test('a row moved to the end, and one inserted there, are reported', async () => {
    await logs.tamper('update reel_log_sequence set seq = 601 where tenant_id = $1 and seq = 5', tenantId);
    expect((await logs.verify(tenantId)).found).toEqual(expect.arrayContaining(['missing 5', 'moved 601']));
    await logs.tamper('update reel_log_sequence set seq = 5 where tenant_id = $1 and seq = 601', tenantId);
    await logs.tamper(
      "insert into reel_log_sequence values ($1, 601, gen_random_uuid(), sha256('x'))",
      tenantId,
    );
    expect((await logs.verify(tenantId)).found).toEqual(expect.arrayContaining(['extra 601']));
  });

  test('the end cut off is reported, row by row', async () => {
    await logs.tamper('delete from reel_log_sequence where tenant_id = $1 and seq > 598', tenantId);
    expect((await logs.verify(tenantId)).found).toEqual(
      expect.arrayContaining(['missing 599', 'missing 600']),
    );
  });
});

describe('without the primary key', () => {
  const without = async (tenantId: string, table: string, columns: string, statement: string) => {
    await logs.tamper(`alter table reel_log_${table} drop constraint reel_log_${table}_pkey`);
    await logs.tamper(statement, tenantId);
    const { found } = await logs.verify(tenantId);
    for (const each of ['entries', 'counts', 'sequence'])
      await logs.tamper(`delete from reel_log_${each} where tenant_id = $1`, tenantId);
    await logs.tamper(
      `alter table reel_log_${table} add constraint reel_log_${table}_pkey primary key (${columns})`,
    );
    return found;
  };

  test('an entry stored twice is reported', async () => {
    const tenantId = await logs.sealedLog([5, 300]);
    const statement = `insert into reel_log_entries select e.* from reel_log_entries e
      where tenant_id = $1 and id in (select entry_id from reel_log_sequence where tenant_id = $1 and seq in (7, 300))`;
    const found = await without(tenantId, 'entries', 'tenant_id, id', statement);
    expect(found.filter((each) => !each.startsWith('count'))).toEqual(['changed 7', 'changed 300']);
  });

  test('a sequence with two entries is reported', async () => {
    const tenantId = await logs.sealedLog([5, 300]);
    const statement = `insert into reel_log_sequence select tenant_id, seq, gen_random_uuid(), leaf_hash
      from reel_log_sequence where tenant_id = $1 and seq in (7, 300)`;
    const found = await without(tenantId, 'sequence', 'tenant_id, seq', statement);
    expect(found).toEqual(expect.arrayContaining(['extra 7', 'extra 300']));
  });
});
