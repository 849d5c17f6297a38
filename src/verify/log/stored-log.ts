import type { Run, Snapshot } from '../../database/run.js';
import { TILE_WIDTH } from '../../seal/compact-range.js';
import { HASH_BYTES } from '../../seal/merkle.js';
import type { Verifier } from '../../seal/note.js';
import type { Report } from '../fault.js';
import type { CheckedRow } from './check-row.js';
import { CheckpointWalk, type Milestone, verifySigningKeys } from './checkpoint-walk.js';
import { readCounts, tellCounts } from './counts.js';
import { readExcuses } from './excuses.js';
import { verifyHolds } from './holds.js';
import { readWrongKeys, tellKeys } from './idempotency-keys.js';
import { PlaceJudge } from './place-judge.js';
import { verifyRemovals } from './removals.js';
import { lastSequence, type StoredPage, type StoredPlace, walkPages } from './stored-order.js';
import { countPlaces, readExtras, walkBeyond } from './stored-strays.js';
import { readStrayTiles, readTiles } from './stored-tiles.js';
import { verifyStrays } from './strays.js';
import { TreeCheck } from './tree-check.js';

export interface VerifyOptions {
  /** Keys that checkpoints may be signed with. */
  keys: readonly Verifier[];
  /** A checkpoint that was kept outside, which the log must still extend. */
  kept?: { size: number; root: Buffer } | null;
  report: Report;
  /** Another connection that sees the same, for what may be asked meanwhile; or the same one. */
  beside: Run;
  /** Told now and then how many places of how many are done. */
  onProgress?: (done: number, size: number) => void;
}

export interface Verified {
  size: number;
  /** Of the tree as recomputed. */
  root: Buffer;
  faults: number;
}

const TILE_BYTES = TILE_WIDTH * HASH_BYTES;
/** Places read at once: whole tiles. */
const PAGE = 32 * TILE_WIDTH;
/** Extra entries that are told one by one. */
const MOST_EXTRAS = 100_000;

/**
 * Recomputes a tenant's log from its stored rows: every leaf, tile, checkpoint and count, and what is kept beside them.
 * `run` reads this tenant. Memory does not grow with the log, only with what is wrong.
 */
export async function verifyTenant(
  run: Snapshot,
  tenantId: string,
  options: VerifyOptions,
): Promise<Verified> {
  let faults = 0;
  const report: Report = (fault) => {
    faults += 1;
    options.report(fault);
  };
  // They are awaited, and their fault told, in their turn.
  const counts = readCounts(options.beside, tenantId);
  const keys = readWrongKeys(options.beside, tenantId);
  for (const each of [counts, keys]) each.catch(() => {});
  const last = await lastSequence(run, tenantId);
  const checkpoints = new CheckpointWalk(tenantId, run, options.keys, report);
  const size = (await checkpoints.sealedSize(last)) ?? (await countPlaces(run, tenantId));
  let extras: Promise<CheckedRow[]> | null = null;
  const readUnplaced = () => (extras ??= readExtras(run, tenantId, MOST_EXTRAS));
  const judge = new PlaceJudge(await readExcuses(run, tenantId), report, readUnplaced);
  const tree = new TreeCheck(
    milestones(checkpoints, options, size, report),
    judge,
    report,
    async (level, index) => (await readTiles(run, tenantId, level, index, index + 1)).get(index),
  );

  /** Places whose entry is there. */
  let present = 0;
  for await (const page of walkPages(run, tenantId, size, PAGE)) {
    const { after, until, tiles } = page;
    const leaves = isWell(page) && !judge.hasEmptied(after, until) ? page.leaves : null;
    const slots = leaves ? [] : slotsOf(page.places(), after, until, report);
    present += leaves ? until - after : slots.filter((place) => place?.entry != null).length;
    for (let start = after; start < until; start += TILE_WIDTH) {
      const [from, end] = [start - after, start - after + TILE_WIDTH];
      const tile = tiles.get(start / TILE_WIDTH);
      if (leaves) await tree.addWell(start, leaves.subarray(from * HASH_BYTES, end * HASH_BYTES), tile!);
      else await tree.add(start, slots.slice(from, end), tile);
    }
    options.onProgress?.(until, size);
  }
  await tree.end();
  await verifyBeyond(run, tenantId, size, last, judge, report);
  judge.end();
  const { wrong, entries } = await counts;
  // Counting them is quicker than looking for those without a place.
  const isEachPlaced = faults === 0 && wrong.length === 0 && entries === present;
  const unplaced = isEachPlaced ? [] : await readUnplaced();
  const strays = await verifyStrays(run, tenantId, size, unplaced, judge, report);
  await verifyTileRows(run, tenantId, size, report);
  const told = strays.length === 0 ? wrong : (await readCounts(run, tenantId, strays)).wrong;
  await tellCounts(run, tenantId, told, Math.max(size, 1), report);
  if (faults === 0 && entries !== present)
    report({
      kind: 'count',
      sequence: Math.max(size, 1),
      detail: `there are ${entries} entries, and places for ${present}`,
    });
  await verifyRemovals(run, tenantId, size, report);
  tellKeys(await keys, size + 1, report);
  await verifyHolds(run, tenantId, size + 1, report);
  await verifySigningKeys(run, size, report);
  return { size, root: tree.root(), faults };
}

/** Whether a page whose entries are well is of full tiles that have the same hashes. */
const isWell = ({ after, until, leaves, tiles }: StoredPage): boolean =>
  leaves !== null &&
  until % TILE_WIDTH === 0 &&
  Array.from({ length: (until - after) / TILE_WIDTH }, (_, at) => at * TILE_BYTES).every((from) =>
    tiles
      .get((after + from / HASH_BYTES) / TILE_WIDTH)
      ?.hashes.equals(leaves.subarray(from, from + TILE_BYTES)),
  );

function slotsOf(
  places: readonly StoredPlace[],
  after: number,
  until: number,
  report: Report,
): (StoredPlace | null)[] {
  const slots = new Array<StoredPlace | null>(until - after).fill(null);
  for (const place of places) {
    const at = place.seq - after - 1;
    // The primary key keeps others out, unless somebody took it away.
    if (slots[at])
      report({
        kind: 'extra',
        sequence: place.seq,
        detail: `entry ${place.entryId} stands at the place of another`,
      });
    slots[at] = place;
  }
  return slots;
}

/** Every root that is known from elsewhere, by size. */
async function* milestones(
  checkpoints: CheckpointWalk,
  { kept }: VerifyOptions,
  size: number,
  report: Report,
): AsyncGenerator<Milestone> {
  let outside: Milestone | null = kept ? { ...kept, isKept: true } : null;
  for (;;) {
    const own = await checkpoints.peek();
    if (outside && (own === null || outside.size <= own.size)) {
      yield outside;
      outside = null;
    } else if (own) {
      checkpoints.take();
      yield own;
    } else break;
  }
  if (checkpoints.last < size)
    report({
      kind: 'checkpoint',
      sequence: size,
      detail: `is missing; the newest is of ${checkpoints.last} entries`,
    });
}

/** Places past what was sealed: the sequencer gives none without a checkpoint. */
async function verifyBeyond(
  run: Run,
  tenantId: string,
  size: number,
  last: number,
  judge: PlaceJudge,
  report: Report,
): Promise<void> {
  if (last <= size) return;
  for await (const place of walkBeyond(run, tenantId, size)) judge.beyond(place);
  report({ kind: 'checkpoint', sequence: last, detail: `is missing; the newest is of ${size} entries` });
}

/** Tiles of places that the log does not have, and of levels that it has not grown to. */
async function verifyTileRows(run: Run, tenantId: string, size: number, report: Report): Promise<void> {
  for (const { level, index, copies } of await readStrayTiles(run, tenantId, size))
    report({
      kind: 'tile',
      sequence: size + 1,
      detail:
        copies === '1'
          ? `tile ${index} of level ${level} is of entries that the log does not have`
          : `tile ${index} of level ${level} stands ${copies} times`,
    });
}
