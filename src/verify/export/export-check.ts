import { hashData, type LeafValues, type LeafVersion, type SealableEntry } from '../../log/entry/leaf.js';
import type { CheckpointBody } from '../../seal/checkpoint.js';
import type { Report } from '../fault.js';
import { InclusionCheck } from './inclusion-check.js';

const SALT_BYTES = 16;

/** One entry's line of an export with proofs. */
export interface ExportedEntry {
  entry: SealableEntry;
  /** Under which the entry was sealed. */
  leaf: LeafVersion;
  sequence: number;
  /** False if the export leaves data out; the leaf is checked with its digest. */
  hasData: boolean;
  identitySalt: Buffer | null;
  dataSalt: Buffer | null;
  identityDigest: Buffer;
  dataDigest: Buffer | null;
  leafHash: Buffer;
  /** Audit path, leaf to root. */
  path: readonly Buffer[];
  /** How the line differs from its proof or from the form of an export, for a fault's detail. */
  problems: string[];
}

/** What remains to be checked of an entry whose line is consistent. */
export type ConsistentEntry = Pick<ExportedEntry, 'sequence' | 'hasData' | 'leafHash' | 'path'>;

/** Checks the entries of an export, line by line, against its checkpoint. It needs nothing but the file. */
export class ExportCheck {
  private lastSequence = 0;
  /** Whether the lines have data: all of them, or none. */
  private withData: boolean | null = null;
  private readonly inclusion: InclusionCheck;
  entries = 0;

  constructor(
    checkpoint: Pick<CheckpointBody, 'treeSize' | 'rootHash'>,
    private readonly report: Report,
  ) {
    this.inclusion = new InclusionCheck(checkpoint.treeSize, checkpoint.rootHash);
  }

  /** A line that is not an entry with its proof. */
  addUnreadable(line: number): void {
    this.report({
      kind: 'changed',
      sequence: this.lastSequence + 1,
      detail: `line ${line}: expected an entry with its proof, after sequence ${this.lastSequence}`,
    });
  }

  /** Returns false, and reports nothing, if there is a fault: `add` then finds it. */
  addConsistent({ sequence, hasData, leafHash, path }: ConsistentEntry): boolean {
    if (sequence <= this.lastSequence || hasData !== (this.withData ?? hasData)) return false;
    if (!this.inclusion.isValid(leafHash, sequence - 1, path)) return false;
    this.lastSequence = sequence;
    this.withData = hasData;
    this.entries += 1;
    return true;
  }

  add(exported: ExportedEntry): void {
    const { sequence, entry } = exported;
    this.entries += 1;
    const fault = (kind: 'changed' | 'moved' | 'extra', detail: string) =>
      this.report({ kind, sequence, detail: `entry ${entry.id} ${detail}` });
    if (sequence === this.lastSequence) fault('extra', 'has the same sequence as the line before it');
    else if (sequence < this.lastSequence)
      fault('moved', `follows sequence ${this.lastSequence}, expected ascending sequences`);
    this.lastSequence = Math.max(this.lastSequence, sequence);
    const problems = problemsOf(exported);
    this.withData ??= exported.hasData;
    if (exported.hasData !== this.withData)
      problems.push(
        this.withData
          ? 'data: expected as in the lines before'
          : 'data: expected none, as in the lines before',
      );
    if (problems.length > 0) fault('changed', `is not as sealed: ${problems.join('; ')}`);
    if (!this.inclusion.isValid(exported.leafHash, sequence - 1, exported.path))
      fault(
        'moved',
        `has no valid inclusion proof: its path does not lead from leaf ${sequence - 1} to the root`,
      );
  }
}

function problemsOf(exported: ExportedEntry): string[] {
  const { entry, leaf, hasData, identitySalt, dataSalt, identityDigest, dataDigest } = exported;
  const identityFields = leaf.identity.members;
  const values: LeafValues = entry;
  const problems = [...exported.problems];
  // An erasure takes the identity fields, data and both salts at once.
  const isErased = identitySalt === null;
  if (isErased) {
    if (identityFields.some(({ name }) => values[name] !== null))
      problems.push('identity fields without identity_salt');
  } else if (
    !isSalt(identitySalt) ||
    leaf.hashIdentity(identitySalt, entry) !== identityDigest.toString('hex')
  )
    problems.push(
      `identity_digest does not match identity_salt and ${identityFields.map(({ column }) => column).join(', ')}`,
    );
  if (!hasData || isErased || dataDigest === null) {
    if (entry.data !== null || dataSalt !== null) problems.push('data or data_salt: expected none');
  } else if (entry.data === null) problems.push('data is missing, but data_digest is set');
  else if (!isSalt(dataSalt) || hashData(dataSalt, entry.data) !== dataDigest.toString('hex'))
    problems.push('data_digest does not match data_salt and data');
  const leafHash = leaf.hashLeaf(entry, identityDigest.toString('hex'), dataDigest?.toString('hex') ?? null);
  if (leafHash !== exported.leafHash.toString('hex'))
    problems.push(
      `leaf_hash: expected ${leafHash} from the fields, got ${exported.leafHash.toString('hex')}`,
    );
  return problems;
}

const isSalt = (salt: Buffer | null): salt is Buffer => salt?.length === SALT_BYTES;
