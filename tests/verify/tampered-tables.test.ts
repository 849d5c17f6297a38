import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { recount } from '../support/recount.js';
import { type Logs, openLogs } from '../support/sealed-logs.js';

// Whoever may write to the database may also change its tables; each test has a database of its own.
let logs: Logs;
let tenantId: string;
beforeEach(async () => {
  logs = await openLogs();
  tenantId = randomUUID();
});
afterEach(() => logs?.trail.close());

async function seal(count: number): Promise<void> {
  for (let from = 0; from < count; from += 256) {
    await logs.trail.service.createMany(
      { kind: 'module', module: '*', ip: null, agent: null },
      Array.from({ length: Math.min(256, count - from) }, (_, at) => ({
        module: 'guardian',
        action: 'users.update',
        severity: at % 2 === 0 ? ('DEBUG' as never) : ('INFO' as never),
        tenantId,
        actorId: randomUUID(),
        actorEmail: 'Ana@Example.com',
        actorName: 'Ana',
        resourceId: String(from + at),
        userAgent: 'curl/8',
        data: { at },
      })),
    );
    await logs.trail.sequencer.catchUp(tenantId);
  }
}

const verify = async () => (await logs.verify(tenantId)).lines;

const tamper = async (...statements: string[]) => {
  for (const statement of statements) await logs.tamper(statement.replaceAll('$T', `'${tenantId}'`));
};
/** Counts as they would be if the entries were right. */
const RECOUNT = recount('$T');
const NEW_ENTRY = (id: string, resourceId: string) => `
  insert into reel_log_entries select (jsonb_populate_record(e, jsonb_build_object('id', ${id}, 'resource_id', '${resourceId}'))).*
  from reel_log_entries e where tenant_id = $T limit 1`;

describe('an entry is reported', () => {
  test.each([
    [
      'whose folded e-mail is not in lower case',
      ['update reel_log_entries set actor_email_folded = actor_email'],
    ],
    [
      'whose folded name is not in lower case',
      ['update reel_log_entries set actor_name_folded = actor_name'],
    ],
    [
      'of a leaf version that there is not',
      [
        'alter table reel_log_entries drop constraint reel_log_entries_leaf_version_check',
        'update reel_log_entries set leaf_version = 3',
      ],
    ],
    [
      'whose severity was changed in a column of another type',
      [
        'alter table reel_log_entries drop constraint reel_log_entries_severity_check',
        'alter table reel_log_entries alter severity type integer',
        'update reel_log_entries set severity = 4 where severity = 0',
        ...RECOUNT,
      ],
    ],
    [
      'whose severity was changed in a numeric column',
      [
        'alter table reel_log_entries drop constraint reel_log_entries_severity_check',
        'alter table reel_log_entries alter severity type numeric',
        'update reel_log_entries set severity = 4 where severity = 1',
        ...RECOUNT,
      ],
    ],
    [
      'whose origin was changed in a column of another type',
      [
        'alter table reel_log_entries drop constraint reel_log_entries_origin_check',
        'alter table reel_log_entries alter origin type integer',
        'update reel_log_entries set origin = 1',
      ],
    ],
    [
      'without an origin',
      [
        'alter table reel_log_entries alter origin drop not null',
        'update reel_log_entries set origin = null',
      ],
    ],
    [
      'without a time',
      [
        'alter table reel_log_entries alter occurred_at drop not null',
        'update reel_log_entries set occurred_at = null',
      ],
    ],
    [
      'whose texts are longer than any that is accepted',
      [`update reel_log_entries set actor_email = repeat('x', 600000), actor_name = '"'`],
    ],
    [
      'whose text is within bounds only until it is escaped',
      [`update reel_log_entries set actor_name = repeat('"', 200000)`],
    ],
  ])('%s', async (_, statements) => {
    await seal(30);
    await tamper(...statements);
    const found = await verify();
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter((each) => !/^changed \d+: entry /.test(each))).toEqual([]);
  });

  test('unless a column cannot be cast to its original type: an error', async () => {
    await seal(30);
    await tamper(
      // Its condition compares the column with a time.
      'drop index reel_log_entries_tenant_id_occurred_at_id_idx',
      `alter table reel_log_entries alter occurred_at type interval using (occurred_at - timestamptz '2000-01-01Z')`,
    );
    await expect(verify()).rejects.toThrow('cannot cast type interval to timestamp');
  });

  test('that has the id of another, and precedes it', async () => {
    await seal(30);
    await tamper(
      'alter table reel_log_entries drop constraint reel_log_entries_pkey cascade',
      'create table kept as select * from reel_log_entries where tenant_id = $T',
      'delete from reel_log_entries where tenant_id = $T',
      `insert into reel_log_entries select (jsonb_populate_record(kept, '{"resource_id": "forged"}')).* from kept
        where resource_id = '7'`,
      'insert into reel_log_entries select * from kept',
    );
    await tamper(...RECOUNT);
    expect(await verify()).toEqual([expect.stringContaining('more than one row has this id')]);
  });

  test('that has the sequence of another, and is counted', async () => {
    await seal(30);
    await tamper(
      'alter table reel_log_sequence drop constraint reel_log_sequence_pkey',
      NEW_ENTRY(`'ffffffff-ffff-7fff-bfff-ffffffffffff'`, 'forged'),
      `insert into reel_log_sequence values ($T, 7, 'ffffffff-ffff-7fff-bfff-ffffffffffff', sha256('x'))`,
      ...RECOUNT,
    );
    expect(await verify()).toEqual(expect.arrayContaining([expect.stringMatching(/^extra 7: /)]));
  });

  test('that has no sequence, if the counts are of a type that loses it', async () => {
    await seal(30);
    await tamper(
      NEW_ENTRY('gen_random_uuid()', 'forged'),
      ...RECOUNT,
      'alter table reel_log_counts drop constraint if exists reel_log_counts_count_check',
      'alter table reel_log_counts alter count type float8',
      `do $$ declare k text; begin
         for k in select conname from pg_constraint where conrelid = 'reel_log_counts'::regclass and contype in ('c', 'p', 'u') loop
           execute 'alter table reel_log_counts drop constraint ' || quote_ident(k); end loop; end $$`,
      `create table cc as select * from reel_log_counts where tenant_id = $T`,
      'delete from reel_log_counts where tenant_id = $T',
      'insert into reel_log_counts select (jsonb_populate_record(cc, \'{"count": 1e16}\')).* from cc where span = 1440 limit 1',
      'insert into reel_log_counts select * from cc',
      'insert into reel_log_counts select (jsonb_populate_record(cc, \'{"count": -1e16}\')).* from cc where span = 1440 limit 1',
    );
    expect(await verify()).toEqual(
      expect.arrayContaining([expect.stringMatching(/^extra \d+: .*has no sequence/)]),
    );
  });
});

describe('a tile is reported', () => {
  test('that has hashes of another', async () => {
    await seal(512);
    await tamper(`update reel_log_tiles set root = sha256('x'), hashes = case tile_index
        when 0 then substring(hashes for 8160)
        else (select substring(t.hashes from 8161) from reel_log_tiles t
              where t.tenant_id = $T and t.level = 0 and t.tile_index = 0) || hashes end
      where tenant_id = $T and level = 0`);
    expect(await verify()).toEqual([
      expect.stringMatching(/^tile 1: tile 0 of level 0 has 8160 bytes, expected 8192$/),
      expect.stringMatching(/^tile 257: tile 1 of level 0 has 8224 bytes, expected 8192$/),
    ]);
  });

  test('whose root was changed', async () => {
    await seal(512);
    await tamper(`update reel_log_tiles set root = sha256('x') where tile_index = 1 and tenant_id = $T`);
    expect(await verify()).toEqual([
      expect.stringMatching(
        /^tile 257: tile 1 of level 0 has the root \S{44}, expected \S{44} from its hashes$/,
      ),
    ]);
  });

  test('that is stored twice', async () => {
    await seal(256);
    await tamper(
      'alter table reel_log_tiles drop constraint reel_log_tiles_pkey',
      `insert into reel_log_tiles select * from reel_log_tiles where tenant_id = $T`,
    );
    expect(await verify()).toEqual(['tile 257: tile 0 of level 0 is stored 2 times']);
  });
});
