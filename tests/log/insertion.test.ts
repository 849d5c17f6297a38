import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../src/database/connect.js';
import type { Database } from '../../src/database/database.js';
import type { Execute } from '../../src/database/execute.js';
import { checkInput } from '../../src/log/entry/check-entry.js';
import { Identifier } from '../../src/log/entry/identifier.js';
import { random } from '../../src/log/entry/random.js';
import { inPieces } from '../../src/log/write/insertion.js';
import { type PreparedEntry, prepareEntry } from '../../src/log/write/prepare.js';
import { storeEntries } from '../../src/log/write/store.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

let own: TestDatabase;
/** On one connection, so that what it prepared is there for the next statement. */
let database: Database;
beforeAll(async () => {
  own = await createDatabase();
  database = await connect(own.runtimeUrl, 1);
});
afterAll(async () => {
  await database?.close();
  await own?.drop();
});

const author = { kind: 'module', module: '*', ip: null, agent: null } as const;
const identifier = new Identifier();
const prepare = (tenantId: string, count: number): PreparedEntry[] =>
  Array.from({ length: count }, (_, at) =>
    prepareEntry(
      checkInput(
        {
          module: 'guardian',
          action: 'users.update',
          tenantId,
          resourceId: String(at),
          actorEmail: at % 3 === 0 ? 'Ana@example.com' : undefined,
          ipAddress: at % 2 === 0 ? '203.0.113.7' : undefined,
          data: at % 5 === 0 ? undefined : { nr: at, text: 'ü"\\' },
        },
        author,
      ),
      identifier.next(),
    ),
  );
const store = (entries: readonly PreparedEntry[], way: (execute: Execute) => Execute = (same) => same) =>
  database.write([entries[0]!.entry.tenantId], (execute) => storeEntries(way(execute), entries));
/** As a host's connection executes. */
const plainly = (execute: Execute): Execute =>
  Object.assign((...args: Parameters<Execute>) => execute(...args)) as Execute;
const preparedNames = async () =>
  (
    await database.system<{ name: string }>(
      sql`select name from pg_prepared_statements where name like 'reel_entries_%'`,
    )
  )
    .map(({ name }) => name)
    .sort();
const stored = async (tenantId: string) => {
  const entries = await own.query('select * from reel_log_entries where tenant_id = $1 order by id', [
    tenantId,
  ]);
  const inbox = await own.query('select * from reel_log_inbox where tenant_id = $1 order by entry_id', [
    tenantId,
  ]);
  return { entries, inbox };
};

test('pieces are all of the rows in their order, each of a length that is prepared, and only the first comes again', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 700 }), fc.constantFrom(1, 4, 64), (rows, most) => {
      const pieces = [...inPieces(rows, most)];
      expect(pieces.flat()).toEqual(rows);
      const lengths = pieces.map((piece) => piece.length);
      expect(lengths).toEqual(lengths.toSorted((a, b) => b - a));
      for (const length of lengths) expect(Math.log2(length) % 1).toBe(0);
      const shorter = lengths.filter((length) => length < most);
      expect(new Set(shorter).size).toBe(shorter.length);
    }),
  );
});

test('what prepared statements write is, byte for byte, what plain ones write', async () => {
  for (const count of [1, 2, 5, 63, 64, 65, 200]) {
    const tenantId = randomUUID();
    const entries = prepare(tenantId, count);
    await store(entries);
    const prepared = await stored(tenantId);
    expect(prepared.entries.map((row) => row.resource_id)).toEqual(
      entries.map(({ entry }) => entry.resourceId),
    );
    expect(prepared.inbox.map((row) => row.leaf_hash)).toEqual(entries.map(({ leafHash }) => leafHash));
    await own.query('delete from reel_log_entries where tenant_id = $1', [tenantId]);
    await own.query('delete from reel_log_inbox where tenant_id = $1', [tenantId]);
    await store(entries, plainly);
    expect(await stored(tenantId)).toEqual(prepared);
  }
  const lengths = [1, 16, 2, 32, 4, 64, 8];
  expect(await preparedNames()).toEqual(lengths.map((length) => `reel_entries_${length}`));
});

test('statements that are prepared survive months and columns that come later', async () => {
  const tenantId = randomUUID();
  await store(prepare(tenantId, 3));
  await own.query(`select reel_ensure_month(now() + interval '50 months')`);
  await store(prepare(tenantId, 3));
  await own.query('alter table reel_log_entries add column later text');
  await store(prepare(tenantId, 3));
  await own.query('alter table reel_log_entries drop column later');
  await store(prepare(tenantId, 3));
  expect((await stored(tenantId)).inbox).toHaveLength(12);
});

test('where what was prepared is gone, as behind a pooler, entries are stored plainly', async () => {
  const tenantId = randomUUID();
  await store(prepare(tenantId, 3));
  expect(await preparedNames()).not.toEqual([]);
  await database.system(sql`deallocate all`);
  await store(prepare(tenantId, 3));
  await store(prepare(tenantId, 3));
  expect((await stored(tenantId)).inbox).toHaveLength(9);
  expect(await preparedNames()).toEqual([]);
});

test('random bytes are never given twice', () => {
  const given = new Set<string>();
  const lengths = [16, 32, 1_000, 4_096, 16];
  for (let round = 0; round < 300; round += 1)
    for (const length of lengths) {
      const bytes = random(length);
      expect(bytes).toHaveLength(length);
      for (let at = 0; at + 16 <= length; at += 16) given.add(bytes.toString('hex', at, at + 16));
    }
  expect(given.size).toBe(300 * lengths.reduce((sum, length) => sum + Math.floor(length / 16), 0));
});
