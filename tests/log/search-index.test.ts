import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Database } from '../../src/database/database.js';
import { executorOn } from '../../src/database/execute.js';
import type { LogEntry } from '../../src/log/entry/log-entry.entity.js';
import { searchNeedle, searchText } from '../../src/log/entry/search-text.js';
import { toCriteria } from '../../src/log/filter/criteria.js';
import { removeEntries } from '../../src/log/retention/cleanup.js';
import { eraseEntries } from '../../src/log/retention/erase.js';
import { OwnEntries, type OwnerDatabase } from '../../src/log/retention/own-entries.js';
import { searchCandidates } from '../../src/log/search/candidates.js';
import { Grams, hasGrams } from '../../src/log/search/grams.js';
import { fillGroups, GROUP_WIDTH } from '../../src/log/search/groups.js';
import { SearchFiller } from '../../src/seal/search-filler.js';
import { faultLine } from '../../src/verify/fault.js';
import { verifyLog } from '../../src/verify/log/verify-log.js';
import { openTrail, type Trail } from '../support/trail.js';

const GATEWAY = { kind: 'module', module: '*', ip: null, agent: null } as const;

let trail: Trail;
let owner: pg.Client;
let ownerDatabase: OwnerDatabase;
beforeAll(async () => {
  trail = await openTrail();
  owner = new pg.Client({ connectionString: trail.own.ownerUrl });
  await owner.connect();
  ownerDatabase = {
    transact: async (work) => {
      await owner.query('begin');
      try {
        const result = await work(executorOn(owner).execute);
        await owner.query('commit');
        return result;
      } catch (error) {
        await owner.query('rollback');
        throw error;
      }
    },
  };
});
afterAll(async () => {
  await owner?.end();
  await trail?.close();
});

const WORDS = ['declined', 'größe', 'ΟΔΟΣ', 'İstanbul', 'card', 'timeout', '10.0.0.7', 'x\u200by', '😀😃😄'];
const write = (tenantId: string, count: number, more: (index: number) => object = () => ({})) =>
  trail.service.createMany(
    GATEWAY,
    Array.from({ length: count }, (_, index) => ({
      module: 'guardian',
      action: 'users.update',
      tenantId,
      actorName: WORDS[index % WORDS.length]!,
      data: { note: `${WORDS[(index * 5) % WORDS.length]} ${index}`, n: index * 7 },
      ...more(index),
    })),
  );
const fill = (tenantId: string, database: Pick<Database, 'seal'> = trail.database) =>
  database.seal(tenantId, (execute) => fillGroups(execute, tenantId));
const candidates = (tenantId: string, ...needles: string[]) =>
  trail.database.read(tenantId, (execute) => searchCandidates(execute, tenantId, needles.map(searchNeedle)));
const rows = (tenantId: string) =>
  trail.own.query(
    'select first_seq::integer as first, grams from reel_log_search where tenant_id = $1 order by 1',
    [tenantId],
  ) as Promise<{ first: number; grams: number[] }[]>;
const search = async (tenantId: string, term: string) => {
  const criteria = toCriteria({ tenantId, clients: null }, { search: term }, new Date());
  const { entries } = await trail.reader.list(criteria, { first: 1_000 });
  return entries.map(({ id }) => id);
};
const faults = (tenantId: string) =>
  trail.database.read(tenantId, async (execute) => {
    const found: string[] = [];
    await verifyLog(execute, tenantId, {
      keys: [],
      search: true,
      parallel: execute,
      report: (fault) => found.push(faultLine(fault)),
    });
    return found.filter((line) => line.includes('search'));
  });
const erase = (tenantId: string, entryId: string) =>
  eraseEntries(ownerDatabase, {
    tenantId,
    target: { entryId },
    reason: 'x',
    ownEntries: new OwnEntries('ana@host', 'reel erase'),
  });
/** Rows of the index that have a trigram of the word. */
async function rowsWithAny(tenantId: string, word: string): Promise<number[]> {
  const grams = new Grams(tenantId);
  grams.add(searchNeedle(word));
  const hashes = new Set(grams.take());
  return (await rows(tenantId))
    .filter((row) => row.grams.some((gram) => hashes.has(gram)))
    .map(({ first }) => first);
}

test('whatever is in the index, every entry that matches is found, and no other', {
  timeout: 120_000,
}, async () => {
  const tenantId = randomUUID();
  const entries: LogEntry[] = [];
  const add = async (count: number) => {
    entries.push(...(await write(tenantId, count)));
  };
  const check = async (state: string) => {
    const texts = entries.map((entry) => ({ id: entry.id, text: searchText(entry) }));
    const piece = fc.constantFrom(...texts.flatMap(({ text }) => text.split('\n')));
    await fc.assert(
      fc.asyncProperty(piece, fc.nat(), fc.nat(12), async (from, at, length) => {
        const characters = [...from];
        const start = at % characters.length;
        const needle = characters.slice(start, start + length + 1).join('');
        const expected = texts.filter(({ text }) => text.includes(needle)).map(({ id }) => id);
        if (needle.trim() !== '')
          expect([state, await search(tenantId, needle)]).toEqual([state, expected.sort().reverse()]);
        const found = await candidates(tenantId, needle);
        if (!hasGrams(needle)) expect(found).toBe('many');
        else expect((found as { ids: string[] }).ids).toEqual(expect.arrayContaining(expected));
      }),
      { numRuns: 12 },
    );
  };
  await add(20);
  await check('in the inbox');
  await trail.sequencer.catchUp(tenantId);
  await check('sealed');
  await fill(tenantId);
  await check('a group in the index');
  await add(600);
  await trail.sequencer.catchUp(tenantId);
  await add(5);
  expect(await fill(tenantId)).toEqual({ until: 33 * GROUP_WIDTH, isMore: true });
  await check('in part');
  expect(await fill(tenantId)).toEqual({ until: 38 * GROUP_WIDTH, isMore: false });
  await check('but for the last');
  expect((await rows(tenantId)).map(({ first }) => first)).toEqual(
    Array.from({ length: 38 }, (_, group) => 1 + GROUP_WIDTH * group),
  );
  expect(await faults(tenantId)).toEqual([]);
});

test('one group is what a rare word leaves', async () => {
  const tenantId = randomUUID();
  const entries = await write(tenantId, 320, (index) => (index === 100 ? { resourceName: 'Qzxjkvw' } : {}));
  await trail.sequencer.catchUp(tenantId);
  await fill(tenantId);
  const found = await candidates(tenantId, 'qzxjkvw');
  expect(found).toEqual({ ids: expect.arrayContaining([entries[100]!.id]) });
  expect((found as { ids: string[] }).ids).toHaveLength(GROUP_WIDTH);
  expect(await candidates(tenantId, 'absentword')).toEqual({ ids: [] });
  expect(await candidates(tenantId, 'guardian', 'qzxjkvw')).toEqual(found);
  expect(await candidates(tenantId, 'ab', 'x')).toBe('many');
  expect(await search(tenantId, 'QZXJKVW')).toEqual([entries[100]!.id]);
});

test("another tenant's rows are neither found nor seen, nor do two tenants share a trigram", async () => {
  const [one, other] = [randomUUID(), randomUUID()];
  for (const tenantId of [one, other]) {
    await write(tenantId, GROUP_WIDTH, () => ({ id: undefined, data: { word: 'qzxjkvw' } }));
    await trail.sequencer.catchUp(tenantId);
    await fill(tenantId);
  }
  const own = await trail.database.read(one, async (execute) => ({
    found: await searchCandidates(execute, one, ['qzxjkvw']),
    foreign: await searchCandidates(execute, other, ['qzxjkvw']),
    rows: await execute(sql`select tenant_id from reel_log_search`),
  }));
  const ids = (await trail.own.query('select id from reel_log_entries where tenant_id = $1', [one])) as {
    id: string;
  }[];
  expect(new Set((own.found as { ids: string[] }).ids)).toEqual(new Set(ids.map(({ id }) => id)));
  expect(own.foreign).toEqual({ ids: [] });
  expect(own.rows).toEqual([{ tenant_id: one }]);
  const [mine, theirs] = [(await rows(one))[0]!, (await rows(other))[0]!];
  expect(mine.grams.filter((gram) => theirs.grams.includes(gram))).toEqual([]);
  const none = await trail.database.system(
    sql`select * from reel_search_candidates(${mine.grams}::integer[], 100)`,
  );
  expect(none).toEqual([]);
});

describe('an erasure', () => {
  const WORD = 'Qzxjkvw';

  test('leaves nothing of what it erased, and what is still shown is still found', async () => {
    const tenantId = randomUUID();
    const entries = await write(tenantId, 70, (index) =>
      index === 20 ? { actorName: WORD, data: { [WORD]: WORD }, resourceId: 'kept-4711' } : {},
    );
    await trail.sequencer.catchUp(tenantId);
    await fill(tenantId);
    expect(await rowsWithAny(tenantId, WORD)).toEqual([17]);
    const { id } = entries[20]!;
    await erase(tenantId, id);
    expect(await rowsWithAny(tenantId, WORD)).toEqual([]);
    expect(await search(tenantId, WORD)).toEqual([]);
    expect(await search(tenantId, 'KEPT-4711')).toEqual([id]);
    expect(
      await trail.own.query(
        `select id from reel_log_entries where tenant_id = $1 and search_text like '%qzxjkvw%'`,
        [tenantId],
      ),
    ).toEqual([]);
    expect(await faults(tenantId)).toEqual([]);
  });

  test('of an entry that is not sealed yet leaves nothing either', async () => {
    const tenantId = randomUUID();
    const [entry] = await write(tenantId, GROUP_WIDTH, () => ({ actorName: WORD }));
    await erase(tenantId, entry!.id);
    await trail.sequencer.catchUp(tenantId);
    await fill(tenantId);
    expect(await faults(tenantId)).toEqual([]);
  });

  test('that races with filling leaves nothing, whichever comes first', async () => {
    const tenantId = randomUUID();
    const [entry] = await write(tenantId, GROUP_WIDTH, (index) => (index === 0 ? { actorName: WORD } : {}));
    await trail.sequencer.catchUp(tenantId);
    // The filler has read what is erased before it commits.
    let erasing: Promise<unknown> | null = null;
    await trail.database.seal(tenantId, async (execute) => {
      await fillGroups(execute, tenantId);
      erasing = erase(tenantId, entry!.id);
      await vi.waitFor(
        async () =>
          expect(
            await trail.own.query(
              `select from pg_locks where locktype = 'advisory' and not granted and classid = 7237535`,
            ),
          ).toHaveLength(1),
        60_000,
      );
    });
    await erasing;
    expect(await rowsWithAny(tenantId, WORD)).toEqual([]);
    expect(await search(tenantId, WORD)).toEqual([]);

    const second = randomUUID();
    const [other] = await write(second, GROUP_WIDTH, (index) => (index === 0 ? { actorName: WORD } : {}));
    await trail.sequencer.catchUp(second);
    // The erasure is not committed yet when the filler comes.
    const { ownEntries } = { ownEntries: new OwnEntries('ana@host', 'reel erase') };
    await eraseEntries(
      {
        transact: (work) =>
          ownerDatabase.transact(async (execute) => {
            const result = await work(execute);
            const [lock] = await execute(
              sql`select from pg_locks where locktype = 'advisory' and classid = 7237535 and pid = pg_backend_pid()`,
            );
            if (lock) expect(await fill(second)).toBeNull();
            return result;
          }),
      },
      { tenantId: second, target: { entryId: other!.id }, reason: 'x', ownEntries },
    );
    await fill(second);
    expect((await rows(second)).map(({ first }) => first)).toEqual([1]);
    expect(await rowsWithAny(second, WORD)).toEqual([]);
  });
});

test('a clean-up leaves nothing of what it removed', async () => {
  const tenantId = randomUUID();
  await write(tenantId, 3 * GROUP_WIDTH + 5, () => ({ data: { word: 'qzxjkvw' } }));
  await trail.sequencer.catchUp(tenantId);
  await fill(tenantId);
  const newest = Date.now();
  await vi.waitUntil(() => Date.now() > newest + 1, 60_000);
  const before = new Date();
  const left = await write(tenantId, 40);
  await trail.sequencer.catchUp(tenantId);
  await fill(tenantId);
  expect(await rowsWithAny(tenantId, 'qzxjkvw')).toEqual([1, 17, 33, 49]);
  await removeEntries(ownerDatabase, {
    tenantId,
    before,
    reason: 'old',
    ownEntries: new OwnEntries('ana@host', 'reel cleanup'),
  });
  expect(await rowsWithAny(tenantId, 'qzxjkvw')).toEqual([]);
  expect((await rows(tenantId)).map(({ first, grams }) => [first, grams.length > 0])).toEqual([
    [1, false],
    [17, false],
    [33, false],
    [49, true],
    [65, true],
  ]);
  expect(await search(tenantId, 'qzxjkvw')).toEqual([]);
  expect(await search(tenantId, left[0]!.id)).toEqual([left[0]!.id]);
  await write(tenantId, 20);
  await trail.sequencer.catchUp(tenantId);
  expect(await fill(tenantId)).toMatchObject({ isMore: false });
  expect(await faults(tenantId)).toEqual([]);
});

describe('the filler', () => {
  const filled = (tenantId: string, groups: number) =>
    vi.waitFor(async () => expect(await rows(tenantId)).toHaveLength(groups), 60_000);

  test('adds what was sealed before it was started, and what is sealed meanwhile; one that stopped is gone on from', async () => {
    const tenantId = randomUUID();
    await write(tenantId, 700);
    await trail.sequencer.catchUp(tenantId);
    const first = new SearchFiller(trail.database);
    first.start();
    await vi.waitFor(async () => expect((await rows(tenantId)).length).toBeGreaterThan(0), 60_000);
    await first.stop();
    const second = new SearchFiller(trail.database);
    second.start();
    await filled(tenantId, 43);
    await write(tenantId, 30);
    await trail.sequencer.catchUp(tenantId);
    second.wake(trail.sealed.at(-1)!);
    expect(second.behind).toBe(30);
    await filled(tenantId, 45);
    await vi.waitFor(() => expect(second.behind).toBe(0), 60_000);
    await second.stop();
    expect(await faults(tenantId)).toEqual([]);
  });

  test('that is killed in a transaction leaves nothing half done', async () => {
    const tenantId = randomUUID();
    await write(tenantId, 100);
    await trail.sequencer.catchUp(tenantId);
    const killed = trail.database.seal(tenantId, async (execute) => {
      await fillGroups(execute, tenantId);
      throw new Error('killed');
    });
    await expect(killed).rejects.toThrow('killed');
    expect(await rows(tenantId)).toEqual([]);
    await Promise.all([fill(tenantId), fill(tenantId), fill(tenantId)]);
    await fill(tenantId);
    expect((await rows(tenantId)).map(({ first }) => first)).toEqual([1, 17, 33, 49, 65, 81]);
    expect(await faults(tenantId)).toEqual([]);
  });

  test('gives way to sealing, but not for ever', async () => {
    const tenantId = randomUUID();
    await write(tenantId, GROUP_WIDTH);
    await trail.sequencer.catchUp(tenantId);
    let asked = 0;
    const filler = new SearchFiller(trail.database, () => {
      asked += 1;
      return true;
    });
    filler.start();
    await filled(tenantId, 1);
    expect(asked).toBeGreaterThan(10);
    await filler.stop();
  });
});

test('the index serves a search whatever the statistics say', async () => {
  const tenantId = randomUUID();
  await write(tenantId, 640);
  await trail.sequencer.catchUp(tenantId);
  while ((await fill(tenantId))?.isMore);
  const [plan] = await trail.own.query(
    `select set_config('reel.tenant_id', $1, false), reloptions from pg_class where relname = 'reel_log_search_grams'`,
    [tenantId],
  );
  expect(plan).toMatchObject({ reloptions: ['fastupdate=on'] });
  const scans = async () => {
    const [row] = await trail.own.query(
      `select (select idx_scan from pg_stat_user_indexes where indexrelname = 'reel_log_search_grams')::integer as index,
         (select seq_scan from pg_stat_user_tables where relname = 'reel_log_search')::integer as table`,
    );
    return row as { index: number; table: number };
  };
  const before = await scans();
  await trail.database.read(tenantId, async (execute) => {
    await searchCandidates(execute, tenantId, ['timeout']);
    await execute(sql`select pg_stat_force_next_flush()`);
  });
  await vi.waitFor(async () => expect((await scans()).index).toBeGreaterThan(before.index), 60_000);
  expect((await scans()).table).toBe(before.table);
});
