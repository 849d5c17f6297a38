import { sql } from 'kysely';
import { FixedColumn } from '../../database/copy-out.js';
import type { Snapshot } from '../../database/execute.js';
import { TILE_WIDTH } from '../../seal/compact-range.js';
import { HASH_BYTES } from '../../seal/merkle.js';
import { FastRowCheck } from './fast-row-check.js';
import { checkRejected, findRejected, ID_BYTES, type SequenceColumns, uuidOf } from './page-entries.js';
import type { SequenceRow } from './sequence-rows.js';
import { readTiles, type StoredTile } from './tile-rows.js';

/** Consecutive rows of reel_log_sequence with their entries and tiles. */
export interface SequencePage {
  /** The page covers sequences after this one, */
  after: number;
  /** up to this one. */
  until: number;
  /** Of level 0, by index. */
  tiles: Map<number, StoredTile>;
  /**
   * The page's leaf hashes, concatenated, if no sequence is missing and every entry passed the fast check with that
   * hash (so none is erased); otherwise null.
   */
  leaves: Buffer | null;
  /** The rows that are there, in order. */
  rows(): SequenceRow[];
}

/** Pages requested ahead, so that the database reads while one is checked. */
const PAGES_AHEAD = 2;

/** A page's rows of reel_log_sequence, and which of their entries the fast check rejected. */
export interface CheckedColumns {
  columns: SequenceColumns;
  /** As findRejected has it. */
  rejected: Map<number, number>;
}

/** Checks pages elsewhere, several at once. */
export interface PageChecker {
  /** Pages that may be asked for before the first is there. */
  readonly ahead: number;
  /** The page after one sequence, up to another. Null where it has to be checked here. */
  check(after: number, until: number): Promise<CheckedColumns | null>;
}

/** Sequences 1 to `until` in pages of `width`, which is a multiple of TILE_WIDTH. */
export async function* walkPages(
  execute: Snapshot,
  tenantId: string,
  until: number,
  { width, checker }: { width: number; checker: PageChecker | null },
): AsyncGenerator<SequencePage> {
  const fastCheck = new FastRowCheck(tenantId);
  const check = async (after: number, end: number) =>
    (await checker?.check(after, end)) ?? checkColumns(execute, tenantId, { after, until: end, fastCheck });
  const requested: Promise<SequencePage>[] = [];
  let next = 0;
  while (next < until || requested.length > 0) {
    for (; next < until && requested.length <= (checker?.ahead ?? PAGES_AHEAD); next += width) {
      const page = readPage(execute, tenantId, next, Math.min(next + width, until), check);
      // A rejection is handled when the page is awaited.
      page.catch(() => {});
      requested.push(page);
    }
    yield await requested.shift()!;
  }
}

async function readPage(
  execute: Snapshot,
  tenantId: string,
  after: number,
  until: number,
  check: (after: number, until: number) => Promise<CheckedColumns>,
): Promise<SequencePage> {
  const tiles = readTiles(execute, tenantId, 0, after / TILE_WIDTH, Math.ceil(until / TILE_WIDTH));
  tiles.catch(() => {});
  const { columns, rejected } = await check(after, until);
  const entries = await checkRejected(execute, tenantId, columns, rejected);
  const { sequences, ids, leafHashes } = columns;
  const isWhole =
    rejected.size === 0 &&
    sequences.length === until - after &&
    sequences.every((sequence, index) => sequence === after + index + 1);
  const rows = () =>
    sequences.map((sequence, index) => {
      const entryId = uuidOf(ids.at(index));
      const leafHash = leafHashes.at(index);
      const entry = rejected.has(index)
        ? (entries.get(entryId) ?? null)
        : { id: entryId, leafHash, problems: [], erasedAt: null };
      return { sequence, entryId, leafHash, entry };
    });
  return { after, until, tiles: await tiles, leaves: isWhole ? leafHashes.all() : null, rows };
}

/** Reads the rows after one sequence up to another, and runs the fast check over their entries. */
export async function checkColumns(
  execute: Snapshot,
  tenantId: string,
  { after, until, fastCheck }: { after: number; until: number; fastCheck: FastRowCheck },
): Promise<CheckedColumns> {
  const columns = await readColumns(execute, tenantId, after, until);
  return { columns, rejected: await findRejected(execute, tenantId, columns, fastCheck) };
}

async function readColumns(
  execute: Snapshot,
  tenantId: string,
  after: number,
  until: number,
): Promise<SequenceColumns> {
  const columns: SequenceColumns = {
    sequences: [],
    ids: new FixedColumn(ID_BYTES, until - after),
    leafHashes: new FixedColumn(HASH_BYTES, until - after),
  };
  await execute.copy(
    sql`
    select seq::bigint, entry_id::uuid, leaf_hash::bytea from reel_log_sequence
    where tenant_id = ${sql.lit(tenantId)}::uuid and seq > ${sql.lit(after)} and seq <= ${sql.lit(until)} order by seq`,
    3,
    (row) => {
      columns.sequences.push(row.bigint(0));
      columns.ids.push(row, 1);
      columns.leafHashes.push(row, 2);
    },
  );
  return columns;
}
