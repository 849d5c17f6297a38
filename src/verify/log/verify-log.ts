import type { Execute, Snapshot } from '../../database/execute.js';
import { TILE_WIDTH } from '../../seal/compact-range.js';
import { HASH_BYTES } from '../../seal/merkle.js';
import type { Verifier } from '../../seal/note.js';
import type { Report } from '../fault.js';
import { CheckpointCheck, type ExpectedRoot, verifySigningKeys } from './checkpoint-check.js';
import { readCounts, reportCounts } from './counts.js';
import { verifyHolds } from './holds.js';
import { readAlteredIdempotencyKeys, reportIdempotencyKeys } from './idempotency-keys.js';
import { LeafCheck } from './leaf-check.js';
import { verifyRemovals } from './removals.js';
import { readRetentionRecords } from './retention-records.js';
import type { CheckedRow } from './row-check.js';
import { verifySearchGroups } from './search-groups.js';
import { type PageChecker, type SequencePage, walkPages } from './sequence-pages.js';
import { countSequenced, lastSequence, type SequenceRow, walkPastEnd } from './sequence-rows.js';
import { readTiles, reportExtraTiles } from './tile-rows.js';
import { TreeCheck } from './tree-check.js';
import { verifyUnsequenced } from './unsequenced.js';
import { readUnsequenced } from './unsequenced-rows.js';

export interface VerifyOptions {
  /** Keys that checkpoints may be signed with. */
  keys: readonly Verifier[];
  /** A checkpoint from elsewhere that the log must extend. */
  trusted?: { size: number; root: Buffer } | null;
  report: Report;
  /** Whether to compute the search index from the entries as well, which takes longer than everything else. */
  search?: boolean;
  /** A second connection that sees the same snapshot, for queries that run meanwhile; may be the first one. */
  parallel: Execute;
  /** Checks pages elsewhere, meanwhile. */
  checker?: PageChecker | null;
  /** Called after each page with how many sequences were checked, and how many there are. */
  onProgress?: (done: number, size: number) => void;
}

export interface VerifiedLog {
  size: number;
  /** Of the recomputed tree. */
  root: Buffer;
  faults: number;
}

const TILE_BYTES = TILE_WIDTH * HASH_BYTES;
/** Sequences per page: whole tiles. */
const PAGE_WIDTH = 32 * TILE_WIDTH;
/** Entries without a sequence that are read and reported one by one. */
const MAX_UNSEQUENCED = 100_000;

/**
 * Recomputes a tenant's log from its stored rows: every leaf, tile, checkpoint and count, and what is stored beside them
 * (holds, removals, idempotency and signing keys, the rows of the search index). `run` reads this tenant's rows. Memory grows with the number of faults,
 * not with the log.
 */
export async function verifyLog(
  execute: Snapshot,
  tenantId: string,
  options: VerifyOptions,
): Promise<VerifiedLog> {
  let faults = 0;
  const reported: number[] = [];
  const report: Report = (fault) => {
    faults += 1;
    reported.push(fault.sequence);
    options.report(fault);
  };
  const counts = readCounts(options.parallel, tenantId);
  const idempotencyKeys = readAlteredIdempotencyKeys(options.parallel, tenantId);
  // A rejection is handled when the result is awaited.
  for (const each of [counts, idempotencyKeys]) each.catch(() => {});
  const last = await lastSequence(execute, tenantId);
  const checkpoints = new CheckpointCheck(tenantId, execute, options.keys, report);
  const size = (await checkpoints.signedSize(last)) ?? (await countSequenced(execute, tenantId));
  let unsequenced: Promise<CheckedRow[]> | null = null;
  const readUnsequencedOnce = () => (unsequenced ??= readUnsequenced(execute, tenantId, MAX_UNSEQUENCED));
  const leafCheck = new LeafCheck(await readRetentionRecords(execute, tenantId), report, readUnsequencedOnce);
  const tree = new TreeCheck(
    expectedRoots(checkpoints, options.trusted ?? null, size, report),
    leafCheck,
    report,
    async (level, index) => (await readTiles(execute, tenantId, level, index, index + 1)).get(index),
  );

  /** Sequences whose entry is there. */
  let present = 0;
  for await (const page of walkPages(execute, tenantId, size, {
    width: PAGE_WIDTH,
    checker: options.checker ?? null,
  })) {
    present += await addPage(page, tree, leafCheck, report);
    options.onProgress?.(page.until, size);
  }
  await tree.finish();
  await verifyPastEnd(execute, tenantId, size, last, leafCheck, report);
  leafCheck.finish();

  const { wrong, entries } = await counts;
  // Comparing numbers is faster than searching for entries without a sequence.
  const isEachSequenced = faults === 0 && wrong.length === 0 && entries === present;
  const extra = await verifyUnsequenced(
    execute,
    tenantId,
    size,
    isEachSequenced ? [] : await readUnsequencedOnce(),
    leafCheck,
    report,
  );
  await reportExtraTiles(execute, tenantId, size, report);
  const wrongCounts = extra.length === 0 ? wrong : (await readCounts(execute, tenantId, extra)).wrong;
  await reportCounts(execute, tenantId, wrongCounts, {
    size: Math.max(size, 1),
    reported: [...reported],
    report,
  });
  if (faults === 0 && entries !== present)
    report({
      kind: 'count',
      sequence: Math.max(size, 1),
      detail: `expected ${present} entries, one for each sequence, got ${entries}`,
    });
  await verifyRemovals(execute, tenantId, size, report);
  reportIdempotencyKeys(await idempotencyKeys, size + 1, report);
  await verifyHolds(execute, tenantId, size + 1, report);
  await verifySigningKeys(execute, size, report);
  // A changed sequence may be anything.
  const end = Math.min(Math.max(size, last), Number.MAX_SAFE_INTEGER);
  await verifySearchGroups(execute, tenantId, end, options.search ?? false, report);
  return { size, root: tree.root(), faults };
}

/** Adds a page's leaves to the tree; returns how many of its sequences have their entry. */
async function addPage(
  page: SequencePage,
  tree: TreeCheck,
  leafCheck: LeafCheck,
  report: Report,
): Promise<number> {
  const { after, until, tiles } = page;
  const leaves = hasMatchingTiles(page) && !leafCheck.hasRemoved(after, until) ? page.leaves : null;
  const rows = leaves ? [] : rowsBySequence(page, report);
  for (let start = after; start < until; start += TILE_WIDTH) {
    const [from, end] = [start - after, start - after + TILE_WIDTH];
    const tile = tiles.get(start / TILE_WIDTH);
    if (leaves) await tree.addCheckedTile(start, leaves.subarray(from * HASH_BYTES, end * HASH_BYTES), tile!);
    else await tree.addTile(start, rows.slice(from, end), tile);
  }
  return leaves ? until - after : rows.filter((row) => row?.entry != null).length;
}

/** Whether a page that passed the fast check consists of full tiles, and the stored tiles have the same leaf hashes. */
const hasMatchingTiles = ({ after, until, leaves, tiles }: SequencePage): boolean =>
  leaves !== null &&
  until % TILE_WIDTH === 0 &&
  Array.from({ length: (until - after) / TILE_WIDTH }, (_, at) => at * TILE_BYTES).every((from) =>
    tiles
      .get((after + from / HASH_BYTES) / TILE_WIDTH)
      ?.hashes.equals(leaves.subarray(from, from + TILE_BYTES)),
  );

/** A page's rows by sequence; null where there is none. */
function rowsBySequence({ after, until, rows }: SequencePage, report: Report): (SequenceRow | null)[] {
  const bySequence = new Array<SequenceRow | null>(until - after).fill(null);
  for (const row of rows()) {
    const at = row.sequence - after - 1;
    // The primary key can have been dropped.
    if (bySequence[at])
      report({
        kind: 'extra',
        sequence: row.sequence,
        detail: `entry ${row.entryId} has the same sequence as entry ${bySequence[at].entryId}`,
      });
    bySequence[at] = row;
  }
  return bySequence;
}

/** The roots of stored checkpoints and of the trusted one, by size. */
async function* expectedRoots(
  checkpoints: CheckpointCheck,
  trusted: { size: number; root: Buffer } | null,
  size: number,
  report: Report,
): AsyncGenerator<ExpectedRoot> {
  let pending: ExpectedRoot | null = trusted && { ...trusted, isTrusted: true };
  for (;;) {
    const stored = await checkpoints.peek();
    if (pending && (stored === null || pending.size <= stored.size)) {
      yield pending;
      pending = null;
    } else if (stored) {
      checkpoints.take();
      yield stored;
    } else break;
  }
  if (checkpoints.lastRead < size) reportMissingCheckpoint(size, checkpoints.lastRead, report);
}

/** Every sequence is assigned together with a checkpoint that covers it. */
async function verifyPastEnd(
  execute: Execute,
  tenantId: string,
  size: number,
  last: number,
  leafCheck: LeafCheck,
  report: Report,
): Promise<void> {
  if (last <= size) return;
  for await (const row of walkPastEnd(execute, tenantId, size)) leafCheck.checkPastEnd(row, size);
  reportMissingCheckpoint(last, size, report);
}

const reportMissingCheckpoint = (expected: number, newest: number, report: Report) =>
  report({
    kind: 'checkpoint',
    sequence: expected,
    detail: `is missing; the newest checkpoint is of size ${newest}`,
  });
