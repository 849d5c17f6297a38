import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OWN_ACTIONS } from '../src/log/own-entries.js';
import { rootOf } from '../src/seal/frontier.js';
import { publishKey, readKeys } from '../src/seal/signing-keys.js';
import { type Fault, faultLine } from '../src/verify/fault.js';
import { verifyTenant } from '../src/verify/stored-log.js';
import { openTrail, SIGNER, type Trail } from './trail.js';

let trail: Trail;
beforeAll(async () => {
  trail = await openTrail();
  await publishKey(trail.database, SIGNER);
});
afterAll(() => trail?.close());

const GATEWAY = { kind: 'module', module: '*', ip: null, agent: null } as const;

/** A sealed log: 600 entries in batches of 1, 5, 300, 284 and 10, so with two full tiles and an edge. */
async function sealedLog(batches: readonly number[] = [1, 5, 300, 284, 10]): Promise<string> {
  const tenantId = randomUUID();
  for (const count of batches) {
    await trail.service.createMany(
      GATEWAY,
      Array.from({ length: count }, (_, index) => ({
        module: 'guardian',
        action: 'users.update',
        tenantId,
        clientId: randomUUID(),
        actorId: randomUUID(),
        actorEmail: 'Ana@Example.com',
        actorName: 'Ana',
        onBehalfOfId: randomUUID(),
        resourceType: 'user',
        resourceId: String(index),
        data: { b: 'Straße', a: [1.5, { c: null }], index },
        ipAddress: '10.0.0.1',
        userAgent: 'curl/8',
        requestId: randomUUID(),
        occurredAt: '2026-01-05T10:00:00.123456Z',
      })),
    );
    await trail.sequencer.catchUp(tenantId);
  }
  return tenantId;
}

async function verify(tenantId: string, kept: { size: number; root: Buffer } | null = null) {
  const faults: Fault[] = [];
  const keys = await readKeys(trail.database);
  const verified = await trail.database.read(tenantId, (run) =>
    verifyTenant(run, tenantId, { beside: run, keys, kept, report: (fault) => faults.push(fault) }),
  );
  expect(verified.faults).toBe(faults.length);
  return {
    ...verified,
    lines: faults.map((fault) => faultLine(fault)),
    told: faults.map(({ kind, sequence }) => `${kind} ${sequence}`),
  };
}
const meddle = async (statement: string, ...parameters: unknown[]) => {
  await trail.own.query(statement, parameters, 'superuser');
};
const column = async (tenantId: string, name: string, table = 'entries') =>
  (
    await trail.own.query(`select ${name} as value from reel_log_${table} where tenant_id = $1`, [tenantId])
  ).map(({ value }) => value);

describe('a log that nobody meddled with', () => {
  test.each([[[]], [[1]], [[255]], [[256]], [[256, 1]], [[1, 5, 300, 284, 10]]])(
    'of %j is well',
    async (batches) => {
      const tenantId = await sealedLog(batches);
      const { lines, size, root } = await verify(tenantId);
      expect(lines).toEqual([]);
      expect(size).toBe(batches.reduce((sum, count) => sum + count, 0));
      expect(root).toEqual(rootOf((await column(tenantId, 'leaf_hash', 'sequence')) as Buffer[]));
    },
  );

  test('with entries that wait for their place is well', async () => {
    const tenantId = await sealedLog([3]);
    await trail.service.log({ module: 'm', action: 'a', tenantId });
    expect((await verify(tenantId)).lines).toEqual([]);
    await meddle("update reel_log_inbox set leaf_hash = sha256('x') where tenant_id = $1", tenantId);
    expect((await verify(tenantId)).told).toEqual(['changed 4']);
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
    tenantId = await sealedLog();
    const known = await trail.own.query(
      "select column_name as name from information_schema.columns where table_name = 'reel_log_entries'",
    );
    expect(known.map(({ name }) => name).sort()).toEqual(Object.keys(OTHER).sort());
  });

  test.each(Object.entries(OTHER))('whose %s was changed is named', async (name, other) => {
    for (const place of [3, 258, 597]) {
      const [row] = await trail.own.query(
        `select e.* from reel_log_entries e join reel_log_sequence s on s.tenant_id = e.tenant_id and s.entry_id = e.id
         where e.tenant_id = $1 and s.seq = $2`,
        [tenantId, place],
      );
      const { id } = row as { id: string };
      await meddle(
        `update reel_log_entries set ${name} = ${other} where tenant_id = $1 and id = $2`,
        tenantId,
        id,
      );
      const { told } = await verify(tenantId);
      const expected = ['id', 'tenant_id'].includes(name) ? `missing ${place}` : `changed ${place}`;
      expect(told).toContain(expected);
      const others = told.filter((each) => !each.startsWith('count ') && !each.startsWith('extra '));
      expect(others).toEqual([expected]);
      if (name === 'tenant_id')
        await meddle('update reel_log_entries set tenant_id = $1 where id = $2', tenantId, id);
      else if (name === 'id')
        await meddle(
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
        await meddle(
          `update reel_log_entries set ${name} = ${sameTime} where tenant_id = $1 and id = $2`,
          tenantId,
          id,
          ...parameters,
        );
      }
    }
    expect((await verify(tenantId)).lines).toEqual([]);
  });

  test('that was erased without an entry that says so is named, and what is left of it', async () => {
    const own = await sealedLog([10]);
    const blank = `actor_email = null, actor_email_folded = null, actor_name = null, ip_address = null, user_agent = null,
      data = null, search_text = null, identity_salt = null, data_salt = null`;
    const which = '(select entry_id from reel_log_sequence where tenant_id = $1 and seq = 4)';
    await meddle(
      `update reel_log_entries set ${blank}, erased_at = '2026-01-05T10:00:00.5Z' where id = ${which}`,
      own,
    );
    expect((await verify(own)).told).toEqual(['changed 4']);
    await trail.service.record({
      action: 'reel.logs.erased',
      tenantId: own,
      data: { erasedAt: '2026-01-05T10:00:00.500000Z', entries: 1 },
    });
    expect((await verify(own)).told).toEqual([]);
    await trail.sequencer.catchUp(own);
    expect((await verify(own)).told).toEqual([]);
    await meddle(`update reel_log_entries set user_agent = 'x' where id = ${which}`, own);
    expect((await verify(own)).lines).toEqual([
      expect.stringMatching(/^changed 4: .*user_agent, which erased_at says is blank/),
    ]);
    await meddle(`update reel_log_entries set user_agent = null where id = ${which}`, own);
    // An account does not cover more entries than it says.
    await meddle(
      `update reel_log_entries set ${blank}, erased_at = '2026-01-05T10:00:00.5Z' where id = ${which.replace('4', '9')}`,
      own,
    );
    expect((await verify(own)).lines).toEqual([expect.stringMatching(/^changed 9: .*erased_at/)]);
  });

  test('that was cleaned up is no fault, one that was taken away is', async () => {
    const own = await sealedLog([10]);
    const remove = (place: number) =>
      meddle(
        `with gone as (delete from reel_log_entries where id = (
           select entry_id from reel_log_sequence where tenant_id = $1 and seq = $2) returning *)
         update reel_log_counts c set count = c.count - 1 from gone where c.tenant_id = $1 and c.client_id = gone.client_id`,
        own,
        place,
      );
    await remove(2);
    expect((await verify(own)).told).toEqual(['missing 2']);
    const before = new Date(Date.now() + 1).toISOString();
    const empty = (place: number) =>
      meddle(
        `insert into reel_log_removals select $1, $2, $2, bit_xor(('x' || left(encode(sha256(
           convert_to(seq || ' ' || entry_id, 'UTF8')), 'hex'), 16))::bit(64)::bigint)
         from reel_log_sequence where tenant_id = $1 and seq = $2`,
        own,
        place,
      );
    await empty(2);
    expect((await verify(own)).told).toEqual(['missing 2', 'missing 2']);
    await trail.service.record({
      action: OWN_ACTIONS.cleanup,
      tenantId: own,
      data: { before, emptyPlaces: 1 },
    });
    expect((await verify(own)).told).toEqual([]);
    await trail.sequencer.catchUp(own);
    expect((await verify(own)).told).toEqual([]);
    await remove(5);
    expect((await verify(own)).told).toContain('missing 5');
    await empty(5);
    expect((await verify(own)).lines).toEqual([
      "missing 2: removals have emptied 2 places from here on, the trail's own account says 1",
    ]);
    // Nor does a later account of fewer places, as a clock that was set back would leave: each tells of all until then.
    await trail.service.record({
      action: OWN_ACTIONS.cleanup,
      tenantId: own,
      data: { before, emptyPlaces: 2 },
    });
    await trail.service.record({
      action: OWN_ACTIONS.cleanup,
      tenantId: own,
      data: { before, emptyPlaces: 1 },
    });
    expect((await verify(own)).told).toEqual([]);
    await meddle(
      'update reel_log_removals set first_seq = 6, last_seq = 6 where tenant_id = $1 and first_seq = 5',
      own,
    );
    expect((await verify(own)).told).toEqual(expect.arrayContaining(['missing 5', 'extra 6']));
  });

  test('that was added is named', async () => {
    const own = await sealedLog([10]);
    await meddle(
      `insert into reel_log_entries select tenant_id, gen_random_uuid(), module, action, severity, origin, actor_id, actor_email,
         actor_email_folded, actor_name, on_behalf_of_id, client_id, resource_type, resource_id, data, search_text, ip_address,
         user_agent, request_id, occurred_at, created_at, identity_salt, data_salt, identity_digest, data_digest, erased_at
       from reel_log_entries where id = (select entry_id from reel_log_sequence where tenant_id = $1 and seq = 4)`,
      own,
    );
    expect((await verify(own)).told).toEqual([expect.stringMatching(/^extra \d+$/)]);
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
    const tenantId = await sealedLog();
    const rows = await trail.own.query(
      'select * from reel_log_sequence where tenant_id = $1 and seq in ($2, $3)',
      [tenantId, a, b],
    );
    await meddle('delete from reel_log_sequence where tenant_id = $1 and seq in ($2, $3)', tenantId, a, b);
    for (const row of rows)
      await meddle(
        'insert into reel_log_sequence (tenant_id, seq, entry_id, leaf_hash) values ($1, $2, $3, $4)',
        tenantId,
        a + b - Number(row.seq),
        row.entry_id,
        row.leaf_hash,
      );
    expect((await verify(tenantId)).told).toEqual([`moved ${a}`, `moved ${b}`]);
  });

  test.each([7, 300, 595])('the entries of places %i and the next exchanged are named', async (place) => {
    const tenantId = await sealedLog();
    const ids = await trail.own.query(
      'select seq, entry_id from reel_log_sequence where tenant_id = $1 and seq in ($2, $3) order by seq',
      [tenantId, place, place + 1],
    );
    const set = (seq: number, id: unknown) =>
      meddle(
        'update reel_log_sequence set entry_id = $3 where tenant_id = $1 and seq = $2',
        tenantId,
        seq,
        id,
      );
    await set(place, randomUUID());
    await set(place + 1, ids[0]!.entry_id);
    await set(place, ids[1]!.entry_id);
    expect((await verify(tenantId)).told).toEqual([`moved ${place}`, `moved ${place + 1}`]);
  });

  test.each([3, 300, 595, 600])('place %i taken away is named', async (place) => {
    const tenantId = await sealedLog();
    await meddle('delete from reel_log_sequence where tenant_id = $1 and seq = $2', tenantId, place);
    const { told } = await verify(tenantId);
    expect(told).toContain(`missing ${place}`);
    expect(told.filter((each) => !/^(missing|extra)/.test(each))).toEqual([]);
  });

  test.each([3, 300, 595])('place %i and its entry taken away are named', async (place) => {
    const tenantId = await sealedLog();
    await meddle(
      `with gone as (delete from reel_log_sequence where tenant_id = $1 and seq = $2 returning entry_id)
       delete from reel_log_entries where id in (select entry_id from gone)`,
      tenantId,
      place,
    );
    const { told } = await verify(tenantId);
    expect(told.filter((each) => !each.startsWith('count'))).toEqual([`missing ${place}`]);
  });

  test.each([1, 3, 300, 595])('the leaf hash of place %i changed is named', async (place) => {
    const tenantId = await sealedLog();
    await meddle(
      'update reel_log_sequence set leaf_hash = set_bit(leaf_hash, 77, 1 - get_bit(leaf_hash, 77)) where tenant_id = $1 and seq = $2',
      tenantId,
      place,
    );
    expect((await verify(tenantId)).told).toEqual([`changed ${place}`]);
  });

  test('a place moved to the end, and one added there, are named', async () => {
    const tenantId = await sealedLog();
    await meddle('update reel_log_sequence set seq = 601 where tenant_id = $1 and seq = 5', tenantId);
    expect((await verify(tenantId)).told).toEqual(expect.arrayContaining(['missing 5', 'moved 601']));
    await meddle('update reel_log_sequence set seq = 5 where tenant_id = $1 and seq = 601', tenantId);
    await meddle("insert into reel_log_sequence values ($1, 601, gen_random_uuid(), sha256('x'))", tenantId);
    expect((await verify(tenantId)).told).toEqual(expect.arrayContaining(['extra 601']));
  });

  test('the end cut off is named, place by place', async () => {
    const tenantId = await sealedLog();
    await meddle('delete from reel_log_sequence where tenant_id = $1 and seq > 598', tenantId);
    expect((await verify(tenantId)).told).toEqual(expect.arrayContaining(['missing 599', 'missing 600']));
  });
});

describe('with the primary key gone', () => {
  const without = async (tenantId: string, table: string, columns: string, meddling: string) => {
    await meddle(`alter table reel_log_${table} drop constraint reel_log_${table}_pkey`);
    await meddle(meddling, tenantId);
    const { told } = await verify(tenantId);
    for (const each of ['entries', 'counts', 'sequence'])
      await meddle(`delete from reel_log_${each} where tenant_id = $1`, tenantId);
    await meddle(
      `alter table reel_log_${table} add constraint reel_log_${table}_pkey primary key (${columns})`,
    );
    return told;
  };

  test('an entry that stands twice is named', async () => {
    const tenantId = await sealedLog([5, 300]);
    const meddling = `insert into reel_log_entries select e.* from reel_log_entries e
      where tenant_id = $1 and id in (select entry_id from reel_log_sequence where tenant_id = $1 and seq in (7, 300))`;
    const told = await without(tenantId, 'entries', 'tenant_id, id', meddling);
    expect(told.filter((each) => !each.startsWith('count'))).toEqual(['changed 7', 'changed 300']);
  });

  test('a place that has two entries is named', async () => {
    const tenantId = await sealedLog([5, 300]);
    const meddling = `insert into reel_log_sequence select tenant_id, seq, gen_random_uuid(), leaf_hash
      from reel_log_sequence where tenant_id = $1 and seq in (7, 300)`;
    const told = await without(tenantId, 'sequence', 'tenant_id, seq', meddling);
    expect(told).toEqual(expect.arrayContaining(['extra 7', 'extra 300']));
  });
});

describe('tiles', () => {
  test.each([
    ['a hash', 'hashes = set_bit(hashes, 2570, 1 - get_bit(hashes, 2570))', 267],
    ['the root', 'root = set_bit(root, 1, 1 - get_bit(root, 1))', 257],
    ['the length', 'hashes = substr(hashes, 2)', 257],
  ])('%s changed is named', async (_what, change, sequence) => {
    const tenantId = await sealedLog();
    await meddle(`update reel_log_tiles set ${change} where tenant_id = $1 and tile_index = 1`, tenantId);
    expect((await verify(tenantId)).told).toEqual([`tile ${sequence}`]);
  });

  test('taken away, added, moved to another level or exchanged are named', async () => {
    const tenantId = await sealedLog();
    const tell = async () => (await verify(tenantId)).told;
    await meddle('update reel_log_tiles set level = 1 where tenant_id = $1 and tile_index = 1', tenantId);
    expect(await tell()).toEqual(['tile 257', 'tile 601']);
    await meddle(
      'update reel_log_tiles set level = 0, tile_index = 2 where tenant_id = $1 and level = 1',
      tenantId,
    );
    expect(await tell()).toEqual(['tile 257', 'tile 601']);
    await meddle(
      'update reel_log_tiles set tile_index = 1 where tenant_id = $1 and tile_index = 2',
      tenantId,
    );
    expect(await tell()).toEqual([]);
    await meddle(
      'update reel_log_tiles t set hashes = o.hashes, root = o.root from reel_log_tiles o where t.tenant_id = $1 and o.tenant_id = $1 and t.tile_index = 0 and o.tile_index = 1',
      tenantId,
    );
    expect((await tell()).length).toBeGreaterThan(0);
  });

  test('of a higher level are compared with those below', async () => {
    const tenantId = randomUUID();
    const { Frontier } = await import('../src/seal/frontier.js');
    const { TreeCheck } = await import('../src/verify/tree-check.js');
    const { PlaceJudge } = await import('../src/verify/place-judge.js');
    const { createHash } = await import('node:crypto');
    const leaves = Array.from({ length: 65_536 }, (_, index) =>
      createHash('sha256').update(String(index)).digest(),
    );
    const tiles = new Frontier().append(leaves);
    const check = async (change: (tile: { hashes: Buffer; root: Buffer }) => void) => {
      const faults: string[] = [];
      const report = ({ kind, sequence }: Fault) => faults.push(`${kind} ${sequence}`);
      const judge = new PlaceJudge(
        {
          removedBefore: '~',
          emptied: [{ first: 1, last: 65_536 }],
          emptyPlaces: 65_536,
          erasedAt: new Map(),
        },
        report,
        async () => [],
      );
      async function* none() {}
      const tree = new TreeCheck(none(), judge, report, async (level, index) => {
        const tile = tiles.find((each) => each.level === level && each.index === index)!;
        const copy = { hashes: Buffer.from(tile.hashes), root: Buffer.from(tile.root) };
        change(copy);
        return copy;
      });
      for (let start = 0; start < leaves.length; start += 256) {
        const slots = leaves
          .slice(start, start + 256)
          .map((leafHash, at) => ({ seq: start + at + 1, entryId: tenantId, leafHash, entry: null }));
        await tree.add(
          start,
          slots,
          tiles.find((each) => each.level === 0 && each.index === start / 256),
        );
      }
      return faults;
    };
    expect(await check(() => {})).toEqual([]);
    expect(await check(({ hashes }) => hashes.fill(0, 32 * 10, 32 * 10 + 1))).toEqual(['tile 2561']);
    expect(await check(({ root }) => root.fill(0, 0, 1))).toEqual(['tile 1']);
  });
});

describe('checkpoints', () => {
  test.each([
    ['tree_size', 'tree_size = 305', 'checkpoint 305'],
    ['previous_size', 'previous_size = 5', 'checkpoint 306'],
    ['root_hash', 'root_hash = set_bit(root_hash, 8, 1 - get_bit(root_hash, 8))', 'checkpoint 306'],
    ['sealed_at', "sealed_at = sealed_at + interval '1 microsecond'", 'checkpoint 306'],
    ['the text of the note', "note = replace(note, E'\\n306\\n', E'\\n307\\n')", 'checkpoint 306'],
    [
      'the signature',
      "note = overlay(note placing case substr(note, length(note) - 10, 1) when 'A' then 'B' else 'A' end from length(note) - 10)",
      'checkpoint 306',
    ],
  ])('whose %s was changed are named', async (_what, change, expected) => {
    const tenantId = await sealedLog();
    await meddle(
      `update reel_log_checkpoints set ${change} where tenant_id = $1 and tree_size = 306`,
      tenantId,
    );
    const { told } = await verify(tenantId);
    expect(told).toContain(expected);
    expect(told.filter((each) => !each.startsWith('checkpoint'))).toEqual([]);
  });

  test.each([1, 306, 600])('the one of %i taken away is named', async (size) => {
    const tenantId = await sealedLog();
    await meddle('delete from reel_log_checkpoints where tenant_id = $1 and tree_size = $2', tenantId, size);
    expect((await verify(tenantId)).told).toContain(`checkpoint ${size}`);
  });

  test('all taken away are named', async () => {
    const tenantId = await sealedLog();
    await meddle('delete from reel_log_checkpoints where tenant_id = $1', tenantId);
    expect((await verify(tenantId)).told).toEqual(['checkpoint 600']);
  });

  test("another tenant's, and one that another key has signed, are named", async () => {
    const [tenantId, other] = [await sealedLog([5]), await sealedLog([5])];
    await meddle(
      `update reel_log_checkpoints t set root_hash = o.root_hash, sealed_at = o.sealed_at, note = o.note
       from reel_log_checkpoints o where t.tenant_id = $1 and o.tenant_id = $2`,
      tenantId,
      other,
    );
    expect((await verify(tenantId)).lines).toEqual([
      expect.stringContaining(`checkpoint 5: its note is of the log reel.local/${other}`),
    ]);
    const faults: Fault[] = [];
    await trail.database.read(other, (run) =>
      verifyTenant(run, other, { beside: run, keys: [], report: (fault) => faults.push(fault) }),
    );
    expect(faults).toEqual([
      { kind: 'checkpoint', sequence: 5, detail: 'its note is not signed by a known key' },
    ]);
  });

  test('a whole log that was rewritten is told by the checkpoint, even where every row goes together', async () => {
    const tenantId = await sealedLog([5, 5]);
    const leaf = (await column(tenantId, 'leaf_hash', 'sequence'))[0] as Buffer;
    // An entry exchanged for another tenant's, its leaf hash with it.
    const donor = await sealedLog([1]);
    await meddle(
      `update reel_log_sequence t set leaf_hash = o.leaf_hash from reel_log_sequence o
       where t.tenant_id = $1 and t.seq = 7 and o.tenant_id = $2`,
      tenantId,
      donor,
    );
    const [{ entry_id: id }] = (await trail.own.query(
      'select entry_id from reel_log_sequence where tenant_id = $1 and seq = 7',
      [tenantId],
    )) as [{ entry_id: string }];
    await meddle('delete from reel_log_entries where id = $1', id);
    await meddle(
      `insert into reel_log_entries select $2::uuid, id, module, action, severity, origin from reel_log_entries where false and tenant_id = $1`,
      donor,
      tenantId,
    ).catch(() => {});
    const { told } = await verify(tenantId);
    expect(told).toEqual(expect.arrayContaining(['checkpoint 10']));
    expect(leaf.length).toBe(32);
  });

  test('a note that was kept outside holds, and tells when the log does not extend it', async () => {
    const tenantId = await sealedLog();
    const leaves = (await column(tenantId, 'leaf_hash', 'sequence')) as Buffer[];
    const kept = (size: number) => ({ size, root: rootOf(leaves.slice(0, size)) });
    for (const size of [1, 6, 100, 256, 590, 595, 600])
      expect((await verify(tenantId, kept(size))).told).toEqual([]);
    const wrong = { size: 306, root: rootOf(leaves.slice(0, 305)) };
    expect((await verify(tenantId, wrong)).lines).toEqual([
      expect.stringContaining('checkpoint 306: the log does not extend the note that was kept'),
    ]);
    expect((await verify(tenantId, { ...kept(600), size: 601 })).told).toEqual(['checkpoint 601']);
  });
});

describe('counts', () => {
  test.each([
    ['count', 'count = count + 1'],
    ['bucket', 'bucket = bucket + make_interval(mins => span)'],
    ['span', 'span = 1455 - span'],
    ['module', "module = 'other'"],
    ['severity', 'severity = 4'],
    ['client_id', 'client_id = null'],
  ])('whose %s was changed are named', async (_what, change) => {
    const tenantId = await sealedLog([10]);
    await meddle(
      `update reel_log_counts set ${change} where ctid in (
         select c.ctid from reel_log_counts c where tenant_id = $1 and span = 15 order by client_id limit 1)`,
      tenantId,
    );
    const { told } = await verify(tenantId);
    expect(told.length).toBeGreaterThan(0);
    for (const each of told) expect(each).toMatch(/^count ([1-9]|10)$/);
  });

  test('taken away are named with the first entry they are of', async () => {
    const tenantId = await sealedLog([10]);
    await meddle(
      `delete from reel_log_counts where tenant_id = $1 and client_id = (
         select client_id from reel_log_entries e join reel_log_sequence s on s.entry_id = e.id where s.tenant_id = $1 and seq = 6)`,
      tenantId,
    );
    expect((await verify(tenantId)).told).toEqual(['count 6', 'count 6', 'count 6']);
  });
});
