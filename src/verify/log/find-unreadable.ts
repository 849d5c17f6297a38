import { type RawBuilder, sql } from 'kysely';
import type { ReadDatabase } from '../../database/database.js';
import { TILE_WIDTH } from '../../seal/compact-range.js';
import type { FaultKind, Report } from '../fault.js';

/**
 * Whether PostgreSQL could not make sense of what it has stored (SQLSTATE classes 22, data exception, and XX, internal
 * error, which a page's checksum is told by; 58P01, undefined_file, of a status that no transaction has).
 */
export const isUnreadable = (error: unknown): boolean =>
  /^(22|XX|58P01)/.test((error as { code?: string }).code ?? '');

/** Rows of a part of the log whose number is above `from` and up to `until`, by the name `t`. */
interface Part {
  kind: FaultKind;
  what: string;
  rows(tenantId: string, from: number, until: number): RawBuilder<unknown>;
  /** Of the row with that number. */
  sequence(number: number): number;
}

/** Beyond whatever number there can be. */
const ALL = 2 ** 40;
/** Told of one part. */
const MOST = 1_000;

const within = (column: string, from: number, until: number) =>
  sql`${sql.ref(`t.${column}`)} > ${from} and ${sql.ref(`t.${column}`)} <= ${until}`;

const PARTS: readonly Part[] = [
  {
    kind: 'missing',
    what: 'this place of the order',
    rows: (tenantId, from, until) =>
      sql`reel_log_sequence t where t.tenant_id = ${tenantId}::uuid and ${within('seq', from, until)}`,
    sequence: (seq) => seq,
  },
  {
    kind: 'changed',
    what: 'the entry',
    rows: (tenantId, from, until) => sql`
      (select t.entry_id from reel_log_sequence t where t.tenant_id = ${tenantId}::uuid and ${within('seq', from, until)}) s
      cross join lateral (
        select e.* from reel_log_entries e where e.tenant_id = ${tenantId}::uuid and e.id = s.entry_id limit 1) t`,
    sequence: (seq) => seq,
  },
  {
    kind: 'changed',
    what: "the entry's idempotency key",
    rows: (tenantId, from, until) => sql`
      (select t.entry_id from reel_log_sequence t where t.tenant_id = ${tenantId}::uuid and ${within('seq', from, until)}) s
      cross join lateral (
        select k.* from reel_log_keys k where k.tenant_id = ${tenantId}::uuid and k.entry_id = s.entry_id limit 1) t`,
    sequence: (seq) => seq,
  },
  {
    kind: 'tile',
    what: 'a tile',
    rows: (tenantId, from, until) =>
      sql`reel_log_tiles t where t.tenant_id = ${tenantId}::uuid and ${within('tile_index', from - 1, until - 1)}`,
    sequence: (number) => (number - 1) * TILE_WIDTH + 1,
  },
  {
    kind: 'checkpoint',
    what: 'it',
    rows: (tenantId, from, until) =>
      sql`reel_log_checkpoints t where t.tenant_id = ${tenantId}::uuid and ${within('tree_size', from, until)}`,
    sequence: (size) => size,
  },
];

/** Tables whose rows have no number of their own, and what a fault in them is told as, with the log's first place. */
const WHOLE: readonly [string, FaultKind][] = [
  ['reel_log_inbox', 'changed'],
  ['reel_log_counts', 'count'],
  ['reel_log_keys', 'changed'],
  ['reel_log_holds', 'changed'],
  ['reel_log_removals', 'changed'],
  ['reel_log_signing_keys', 'checkpoint'],
];

/**
 * Tells which rows cannot be read, after `error` has stopped the verification of a tenant's log: a row that nobody can
 * read any more is one that was changed. Each look is a transaction of its own, since an error ends the one it is in.
 */
export async function findUnreadable(
  database: ReadDatabase,
  tenantId: string,
  error: unknown,
  report: Report,
): Promise<void> {
  let told = 0;
  const tell: Report = (fault) => {
    told += 1;
    report(fault);
  };
  const why = (rows: RawBuilder<unknown>) => whyUnreadable(database, tenantId, rows);
  for (const part of PARTS) await bisect(part, tenantId, why, tell);
  for (const [table, kind] of WHOLE) {
    const own = table === 'reel_log_signing_keys' ? sql`` : sql`where t.tenant_id = ${tenantId}::uuid`;
    const wrong = await why(sql`${sql.table(table)} t ${own}`);
    if (wrong !== null) tell({ kind, sequence: 1, detail: `a row of ${table} cannot be read: ${wrong}` });
  }
  if (told === 0) tell({ kind: 'checkpoint', sequence: 1, detail: `the log cannot be read: ${said(error)}` });
}

async function bisect(
  part: Part,
  tenantId: string,
  why: (rows: RawBuilder<unknown>) => Promise<string | null>,
  report: Report,
): Promise<void> {
  let left = MOST;
  const search = async (from: number, until: number): Promise<void> => {
    if (left === 0) return;
    const wrong = await why(part.rows(tenantId, from, until));
    if (wrong === null) return;
    if (until - from > 1) {
      const middle = Math.floor((from + until) / 2);
      await search(from, middle);
      await search(middle, until);
      return;
    }
    left -= 1;
    const detail = `${part.what} cannot be read: ${wrong}`;
    report({ kind: part.kind, sequence: part.sequence(until), detail });
  };
  await search(0, ALL);
}

/** Reads every column of these rows; null where it can. */
async function whyUnreadable(
  database: ReadDatabase,
  tenantId: string,
  rows: RawBuilder<unknown>,
): Promise<string | null> {
  try {
    await database.read(tenantId, async (run) => {
      // A scan of the whole would meet the same row whatever is asked for.
      await run(sql`select set_config('enable_seqscan', 'off', true)`);
      await run(sql`select sum(length(t::text)) from ${rows}`);
    });
    return null;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return said(error);
  }
}

const said = (error: unknown): string => (error as Error).message.split('\n')[0]!.slice(0, 200);
