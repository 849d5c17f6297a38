import { sql } from 'kysely';
import type { Scope } from '../auth/scope.js';
import type { ReadDatabase } from '../database/database.js';
import type { Execute, Row } from '../database/execute.js';
import { badInput, conflict } from '../errors.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import { whereInScope } from '../log/filter/where.js';
import { rangeOf } from '../log/walk/id-range.js';
import { consistencyRanges, hashRanges, inclusionPaths } from './merkle.js';
import type { Checkpoint, ConsistencyProof, InclusionProof } from './proof.js';
import type { Prover } from './prover.js';
import { checkpointCovering, newestCheckpoint, type StoredCheckpoint, storedNodes } from './stored-tree.js';

/** Proves from the stored tree. */
export class StoredProver implements Prover {
  constructor(private readonly database: ReadDatabase) {}

  async checkpoint({ tenantId }: Scope): Promise<Checkpoint | null> {
    const newest = await this.database.read(tenantId, (execute) => newestCheckpoint(execute, tenantId));
    return newest && toCheckpoint(tenantId, newest);
  }

  /** RFC 6962 has no proof from an empty log, which every log extends: the path is empty, as for equal sizes. */
  async consistencyProof({ tenantId }: Scope, first: number, second: number): Promise<ConsistencyProof> {
    return this.database.read(tenantId, async (execute) => {
      const size = (await newestCheckpoint(execute, tenantId))?.treeSize ?? 0;
      if (!Number.isSafeInteger(second) || second < 0 || second > size)
        throw badInput('second', `a size from 0 to ${size}, the newest checkpoint's`, second);
      if (!Number.isSafeInteger(first) || first < 0 || first > second)
        throw badInput('first', `a size from 0 to ${second}, which is second`, first);
      const ranges = first === 0 ? [] : consistencyRanges(first, second);
      const path = await hashRanges(ranges, storedNodes(execute, tenantId, size));
      return { first, second, path: path.map(base64) };
    });
  }

  inclusionProofs(scope: Scope, entryIds: readonly string[]): Promise<ReadonlyMap<string, InclusionProof>> {
    return this.database.read(scope.tenantId, async (execute) => {
      const newest = await newestCheckpoint(execute, scope.tenantId);
      return newest ? proveEntries(execute, scope, entryIds, newest) : new Map<string, InclusionProof>();
    });
  }

  /**
   * As inclusionProofs, against the smallest checkpoint that covers `sequence`: for exports, whose number is bounded. `sequences`: the
   * entries' own, where they are known.
   */
  inclusionProofsAt(
    scope: Scope,
    entryIds: readonly string[],
    sequence: number,
    sequences?: readonly number[],
  ): Promise<ReadonlyMap<string, InclusionProof>> {
    return this.database.read(
      scope.tenantId,
      async (execute) => {
        const checkpoint = await checkpointCovering(execute, scope.tenantId, sequence);
        return checkpoint
          ? proveEntries(execute, scope, entryIds, checkpoint, sequences)
          : new Map<string, InclusionProof>();
      },
      { isBounded: true },
    );
  }

  /**
   * What proves entries that were read, in the order of their sequences, against a checkpoint, by sequence; of none that it does not cover. For
   * work whose number is bounded. Errors: CONFLICT where one was removed or erased since.
   */
  sealedLeaves(
    checkpoint: StoredCheckpoint,
    { tenantId }: Scope,
    entries: readonly LogEntry[],
  ): Promise<ReadonlyMap<number, SealedLeaf>> {
    const ids = entries.map(({ id }) => id);
    const sequences = entries.map(({ sequence }) => sequence);
    // By which the months without any are left out.
    const { low, high } = rangeOf(ids);
    const erased = entries.filter(({ erasedAt }) => erasedAt !== null).length;
    return this.database.read(
      tenantId,
      async (execute) => {
        const leaves = await execute<{ seq: string; hash: string }>(sql`
          select seq, encode(leaf_hash, 'base64') as hash from reel_log_sequence
          where tenant_id = ${tenantId}::uuid and seq = any (${sequences}::bigint[]) and seq <= ${checkpoint.treeSize}
          order by seq`);
        const [now] = await execute<{ present: string; erased: string }>(sql`
          select count(*) as present, count(erased_at) as erased from reel_log_entries
          where tenant_id = ${tenantId}::uuid and id = any (${ids}::uuid[]) and id >= ${low}::uuid and id <= ${high}::uuid`);
        if (Number(now?.present) !== ids.length || Number(now?.erased) !== erased)
          throw conflict('An entry was removed or erased since it was read; read it again');
        const indexes = leaves.map(({ seq }) => Number(seq) - 1);
        const paths = await pathsTo(execute, tenantId, indexes, checkpoint.treeSize);
        return new Map(leaves.map(({ seq, hash }, at) => [Number(seq), { hash, path: paths[at]! }]));
      },
      { isBounded: true, isKept: true },
    );
  }

  /** The smallest checkpoint that covers a sequence; null if there is none. For work whose number is bounded. */
  checkpointAt({ tenantId }: Scope, sequence: number): Promise<StoredCheckpoint | null> {
    return this.database.read(tenantId, (execute) => checkpointCovering(execute, tenantId, sequence), {
      isBounded: true,
    });
  }

  /** The note of the checkpoint that inclusionProofsAt proves against; null if there is none. */
  async noteAt(scope: Scope, sequence: number): Promise<string | null> {
    return (await this.checkpointAt(scope, sequence))?.note ?? null;
  }
}

/** A leaf's hash, and those of its path to the root, in base64. */
export interface SealedLeaf {
  readonly hash: string;
  readonly path: readonly string[];
}

/** The paths of leaves, in ascending order, in base64. Each hash is made into text once: neighbours have most of their paths in common. */
async function pathsTo(
  execute: Execute,
  tenantId: string,
  indexes: readonly number[],
  treeSize: number,
): Promise<string[][]> {
  const { ranges, paths } = inclusionPaths(indexes, treeSize);
  const hashes = (await hashRanges(ranges, storedNodes(execute, tenantId, treeSize))).map(base64);
  return paths.map((path) => path.map((place) => hashes[place]!));
}

interface PositionRow extends Row {
  seq: string;
  entry_id: string;
  leaf_hash: string;
}

type LeafRow = EntryRow & PositionRow;

/** Digests in hexadecimal, all other bytes in base64: the database writes them so faster than they are read and written here. */
interface EntryRow extends Row {
  id: string;
  leaf_version: number;
  identity_salt: string | null;
  data_salt: string | null;
  identity_digest: string;
  data_digest: string | null;
}

async function proveEntries(
  execute: Execute,
  scope: Scope,
  entryIds: readonly string[],
  checkpoint: StoredCheckpoint,
  /** The entries' own, where they are known. */
  sequences?: readonly number[],
): Promise<ReadonlyMap<string, InclusionProof>> {
  const { tenantId } = scope;
  const { treeSize } = checkpoint;
  const entries = await execute<EntryRow>(sql`
    select id, leaf_version, encode(identity_salt, 'base64') as identity_salt, encode(data_salt, 'base64') as data_salt,
      encode(identity_digest, 'hex') as identity_digest, encode(data_digest, 'hex') as data_digest from reel_log_entries
    where ${whereInScope(scope)} and id = any (${entryIds}::uuid[])`);
  // Not joined: by what the planner knows of a tenant that has just come, it would read the whole log for each entry.
  const leaves = await execute<PositionRow>(sql`
    select seq, entry_id, encode(leaf_hash, 'base64') as leaf_hash from reel_log_sequence
    where tenant_id = ${tenantId}::uuid and ${sequences ? sql`seq = any (${sequences}::bigint[])` : sql`entry_id = any (${entryIds}::uuid[])`}`);
  const leafOf = new Map(leaves.map((leaf) => [leaf.entry_id, leaf]));
  const rows = entries.flatMap((entry): LeafRow[] => {
    const leaf = leafOf.get(entry.id);
    return leaf && Number(leaf.seq) <= treeSize ? [{ ...entry, ...leaf }] : [];
  });
  rows.sort((a, b) => Number(a.seq) - Number(b.seq));
  const leafIndexes = rows.map(({ seq }) => Number(seq) - 1);
  const paths = await pathsTo(execute, tenantId, leafIndexes, treeSize);
  const against = toCheckpoint(tenantId, checkpoint);
  return new Map(rows.map((row, index) => [row.id, proofOf(row, paths[index]!, against)]));
}

const proofOf = (row: LeafRow, path: string[], checkpoint: Checkpoint): InclusionProof => ({
  leafVersion: row.leaf_version,
  leafIndex: Number(row.seq) - 1,
  leafHash: row.leaf_hash,
  identitySalt: row.identity_salt,
  dataSalt: row.data_salt,
  identityDigest: row.identity_digest,
  dataDigest: row.data_digest,
  path,
  checkpoint,
});

const toCheckpoint = (
  tenantId: string,
  { treeSize, rootHash, sealedAt, note }: StoredCheckpoint,
): Checkpoint => ({
  tenantId,
  treeSize,
  rootHash: base64(rootHash),
  sealedAt,
  note,
});

const base64 = (bytes: Buffer): string => bytes.toString('base64');
