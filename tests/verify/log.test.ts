import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OWN_ACTIONS } from '../../src/log/retention/own-actions.js';
import { rootOf } from '../../src/seal/compact-range.js';
import { type Logs, openLogs } from '../support/sealed-logs.js';

let logs: Logs;
beforeAll(async () => {
  logs = await openLogs();
});
afterAll(() => logs?.trail.close());

describe('a log that nobody meddled with', () => {
  test.each([[[]], [[1]], [[255]], [[256]], [[256, 1]], [[1, 5, 300, 284, 10]]])(
    'of %j is well',
    async (batches) => {
      const tenantId = await logs.sealedLog(batches);
      const { lines, size, root } = await logs.verify(tenantId);
      expect(lines).toEqual([]);
      expect(size).toBe(batches.reduce((sum, count) => sum + count, 0));
      expect(root).toEqual(rootOf((await logs.column(tenantId, 'leaf_hash', 'sequence')) as Buffer[]));
    },
  );

  test('with entries that wait for their place is well', async () => {
    const tenantId = await logs.sealedLog([3]);
    await logs.trail.service.log({ module: 'm', action: 'a', tenantId });
    expect((await logs.verify(tenantId)).lines).toEqual([]);
    await logs.meddle("update reel_log_inbox set leaf_hash = sha256('x') where tenant_id = $1", tenantId);
    expect((await logs.verify(tenantId)).told).toEqual(['changed 4']);
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

  test.each(Object.entries(OTHER))('whose %s was changed is named', async (name, other) => {
    for (const place of [3, 258, 597]) {
      const [row] = await logs.trail.own.query(
        `select e.* from reel_log_entries e join reel_log_sequence s on s.tenant_id = e.tenant_id and s.entry_id = e.id
         where e.tenant_id = $1 and s.seq = $2`,
        [tenantId, place],
      );
      const { id } = row as { id: string };
      await logs.meddle(
        `update reel_log_entries set ${name} = ${other} where tenant_id = $1 and id = $2`,
        tenantId,
        id,
      );
      const { told } = await logs.verify(tenantId);
      const expected = ['id', 'tenant_id'].includes(name) ? `missing ${place}` : `changed ${place}`;
      expect(told).toContain(expected);
      const others = told.filter((each) => !each.startsWith('count ') && !each.startsWith('extra '));
      expect(others).toEqual([expected]);
      if (name === 'tenant_id')
        await logs.meddle('update reel_log_entries set tenant_id = $1 where id = $2', tenantId, id);
      else if (name === 'id')
        await logs.meddle(
          `update reel_log_entries e set id = $2 where tenant_id = $1 and not exists (
            select from reel_log_sequence s where s.tenant_id = $1 and s.entry_id = e.id)`,
          tenantId,
          id,
        );
      else {
        const before = name === 'data' ? JSON.stringify(row!.data) : row![name];
        const sameTime =
          name.endsWith('_at') && name !== 'erased_at' ? `${name} - interval '1 microsecond'` : '$3';
        const parameters = sameTime === '$3' ? [before] : [];
        await logs.meddle(
          `update reel_log_entries set ${name} = ${sameTime} where tenant_id = $1 and id = $2`,
          tenantId,
          id,
          ...parameters,
        );
      }
    }
    expect((await logs.verify(tenantId)).lines).toEqual([]);
  });

  test('that was erased without an entry that says so is named, and what is left of it', async () => {
    const own = await logs.sealedLog([10]);
    const blank = `actor_email = null, actor_email_folded = null, actor_name = null, ip_address = null, user_agent = null,
      data = null, search_text = null, identity_salt = null, data_salt = null`;
    const which = '(select entry_id from reel_log_sequence where tenant_id = $1 and seq = 4)';
    await logs.meddle(
      `update reel_log_entries set ${blank}, erased_at = '2026-01-05T10:00:00.5Z' where id = ${which}`,
      own,
    );
    expect((await logs.verify(own)).told).toEqual(['changed 4']);
    await logs.trail.service.record({
      action: 'reel.logs.erased',
      tenantId: own,
      data: { erasedAt: '2026-01-05T10:00:00.500000Z', entries: 1 },
    });
    expect((await logs.verify(own)).told).toEqual([]);
    await logs.trail.sequencer.catchUp(own);
    expect((await logs.verify(own)).told).toEqual([]);
    await logs.meddle(`update reel_log_entries set user_agent = 'x' where id = ${which}`, own);
    expect((await logs.verify(own)).lines).toEqual([
      expect.stringMatching(/^changed 4: .*user_agent, which erased_at says is blank/),
    ]);
    await logs.meddle(`update reel_log_entries set user_agent = null where id = ${which}`, own);
    // An account does not cover more entries than it says.
    await logs.meddle(
      `update reel_log_entries set ${blank}, erased_at = '2026-01-05T10:00:00.5Z' where id = ${which.replace('4', '9')}`,
      own,
    );
    expect((await logs.verify(own)).lines).toEqual([expect.stringMatching(/^changed 9: .*erased_at/)]);
  });

  test('that was cleaned up is no fault, one that was taken away is', async () => {
    const own = await logs.sealedLog([10]);
    const remove = (place: number) =>
      logs.meddle(
        `with gone as (delete from reel_log_entries where id = (
           select entry_id from reel_log_sequence where tenant_id = $1 and seq = $2) returning *)
         update reel_log_counts c set count = c.count - 1 from gone where c.tenant_id = $1 and c.client_id = gone.client_id`,
        own,
        place,
      );
    await remove(2);
    expect((await logs.verify(own)).told).toEqual(['missing 2']);
    const before = new Date(Date.now() + 1).toISOString();
    const empty = (place: number) =>
      logs.meddle(
        `insert into reel_log_removals select $1, $2, $2, bit_xor(('x' || left(encode(sha256(
           convert_to(seq || ' ' || entry_id, 'UTF8')), 'hex'), 16))::bit(64)::bigint)
         from reel_log_sequence where tenant_id = $1 and seq = $2`,
        own,
        place,
      );
    await empty(2);
    expect((await logs.verify(own)).told).toEqual(['missing 2', 'missing 2']);
    await logs.trail.service.record({
      action: OWN_ACTIONS.cleanup,
      tenantId: own,
      data: { before, emptyPlaces: 1 },
    });
    expect((await logs.verify(own)).told).toEqual([]);
    await logs.trail.sequencer.catchUp(own);
    expect((await logs.verify(own)).told).toEqual([]);
    await remove(5);
    expect((await logs.verify(own)).told).toContain('missing 5');
    await empty(5);
    expect((await logs.verify(own)).lines).toEqual([
      "missing 2: removals have emptied 2 places from here on, the trail's own account says 1",
    ]);
    // Nor does a later account of fewer places, as a clock that was set back would leave: each tells of all until then.
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
    expect((await logs.verify(own)).told).toEqual([]);
    await logs.meddle(
      'update reel_log_removals set first_seq = 6, last_seq = 6 where tenant_id = $1 and first_seq = 5',
      own,
    );
    expect((await logs.verify(own)).told).toEqual(expect.arrayContaining(['missing 5', 'extra 6']));
  });

  test('that was added is named', async () => {
    const own = await logs.sealedLog([10]);
    await logs.meddle(
      `insert into reel_log_entries select tenant_id, gen_random_uuid(), module, action, severity, origin, actor_id, actor_email,
         actor_email_folded, actor_name, on_behalf_of_id, client_id, resource_type, resource_id, data, search_text, ip_address,
         user_agent, request_id, occurred_at, created_at, identity_salt, data_salt, identity_digest, data_digest, erased_at
       from reel_log_entries where id = (select entry_id from reel_log_sequence where tenant_id = $1 and seq = 4)`,
      own,
    );
    expect((await logs.verify(own)).told).toEqual([expect.stringMatching(/^extra \d+$/)]);
  });
});

describe('the order', () => {
  test.each([
    ['within a full tile', 7, 9],
    ['between tiles', 9, 300],
    ['between a full tile and the edge', 500, 580],
    ['within a batch of the edge', 592, 599],
    ['between batches of the edge', 560, 595],
  ])('two places exchanged %s are named', async (_where, a, b) => {
    const tenantId = await logs.sealedLog();
    const rows = await logs.trail.own.query(
      'select * from reel_log_sequence where tenant_id = $1 and seq in ($2, $3)',
      [tenantId, a, b],
    );
    await logs.meddle(
      'delete from reel_log_sequence where tenant_id = $1 and seq in ($2, $3)',
      tenantId,
      a,
      b,
    );
    for (const row of rows)
      await logs.meddle(
        'insert into reel_log_sequence (tenant_id, seq, entry_id, leaf_hash) values ($1, $2, $3, $4)',
        tenantId,
        a + b - Number(row.seq),
        row.entry_id,
        row.leaf_hash,
      );
    expect((await logs.verify(tenantId)).told).toEqual([`moved ${a}`, `moved ${b}`]);
  });

  test.each([7, 300, 595])('the entries of places %i and the next exchanged are named', async (place) => {
    const tenantId = await logs.sealedLog();
    const ids = await logs.trail.own.query(
      'select seq, entry_id from reel_log_sequence where tenant_id = $1 and seq in ($2, $3) order by seq',
      [tenantId, place, place + 1],
    );
    const set = (seq: number, id: unknown) =>
      logs.meddle(
        'update reel_log_sequence set entry_id = $3 where tenant_id = $1 and seq = $2',
        tenantId,
        seq,
        id,
      );
    await set(place, randomUUID());
    await set(place + 1, ids[0]!.entry_id);
    await set(place, ids[1]!.entry_id);
    expect((await logs.verify(tenantId)).told).toEqual([`moved ${place}`, `moved ${place + 1}`]);
  });

  test.each([3, 300, 595, 600])('place %i taken away is named', async (place) => {
    const tenantId = await logs.sealedLog();
    await logs.meddle('delete from reel_log_sequence where tenant_id = $1 and seq = $2', tenantId, place);
    const { told } = await logs.verify(tenantId);
    expect(told).toContain(`missing ${place}`);
    expect(told.filter((each) => !/^(missing|extra)/.test(each))).toEqual([]);
  });

  test.each([3, 300, 595])('place %i and its entry taken away are named', async (place) => {
    const tenantId = await logs.sealedLog();
    await logs.meddle(
      `with gone as (delete from reel_log_sequence where tenant_id = $1 and seq = $2 returning entry_id)
       delete from reel_log_entries where id in (select entry_id from gone)`,
      tenantId,
      place,
    );
    const { told } = await logs.verify(tenantId);
    expect(told.filter((each) => !each.startsWith('count'))).toEqual([`missing ${place}`]);
  });

  test.each([1, 3, 300, 595])('the leaf hash of place %i changed is named', async (place) => {
    const tenantId = await logs.sealedLog();
    await logs.meddle(
      'update reel_log_sequence set leaf_hash = set_bit(leaf_hash, 77, 1 - get_bit(leaf_hash, 77)) where tenant_id = $1 and seq = $2',
      tenantId,
      place,
    );
    expect((await logs.verify(tenantId)).told).toEqual([`changed ${place}`]);
  });

  test('a place moved to the end, and one added there, are named', async () => {
    const tenantId = await logs.sealedLog();
    await logs.meddle('update reel_log_sequence set seq = 601 where tenant_id = $1 and seq = 5', tenantId);
    expect((await logs.verify(tenantId)).told).toEqual(expect.arrayContaining(['missing 5', 'moved 601']));
    await logs.meddle('update reel_log_sequence set seq = 5 where tenant_id = $1 and seq = 601', tenantId);
    await logs.meddle(
      "insert into reel_log_sequence values ($1, 601, gen_random_uuid(), sha256('x'))",
      tenantId,
    );
    expect((await logs.verify(tenantId)).told).toEqual(expect.arrayContaining(['extra 601']));
  });

  test('the end cut off is named, place by place', async () => {
    const tenantId = await logs.sealedLog();
    await logs.meddle('delete from reel_log_sequence where tenant_id = $1 and seq > 598', tenantId);
    expect((await logs.verify(tenantId)).told).toEqual(
      expect.arrayContaining(['missing 599', 'missing 600']),
    );
  });
});

describe('with the primary key gone', () => {
  const without = async (tenantId: string, table: string, columns: string, meddling: string) => {
    await logs.meddle(`alter table reel_log_${table} drop constraint reel_log_${table}_pkey`);
    await logs.meddle(meddling, tenantId);
    const { told } = await logs.verify(tenantId);
    for (const each of ['entries', 'counts', 'sequence'])
      await logs.meddle(`delete from reel_log_${each} where tenant_id = $1`, tenantId);
    await logs.meddle(
      `alter table reel_log_${table} add constraint reel_log_${table}_pkey primary key (${columns})`,
    );
    return told;
  };

  test('an entry that stands twice is named', async () => {
    const tenantId = await logs.sealedLog([5, 300]);
    const meddling = `insert into reel_log_entries select e.* from reel_log_entries e
      where tenant_id = $1 and id in (select entry_id from reel_log_sequence where tenant_id = $1 and seq in (7, 300))`;
    const told = await without(tenantId, 'entries', 'tenant_id, id', meddling);
    expect(told.filter((each) => !each.startsWith('count'))).toEqual(['changed 7', 'changed 300']);
  });

  test('a place that has two entries is named', async () => {
    const tenantId = await logs.sealedLog([5, 300]);
    const meddling = `insert into reel_log_sequence select tenant_id, seq, gen_random_uuid(), leaf_hash
      from reel_log_sequence where tenant_id = $1 and seq in (7, 300)`;
    const told = await without(tenantId, 'sequence', 'tenant_id, seq', meddling);
    expect(told).toEqual(expect.arrayContaining(['extra 7', 'extra 300']));
  });
});
