import { hashData, LEAF, type SealableEntry } from '../../log/entry/leaf.js';
import type { CheckpointBody } from '../../seal/checkpoint.js';
import type { Report } from '../fault.js';
import { AuditPaths } from './audit-paths.js';

const SALT_BYTES = 16;

/** What a line of an export with proofs says of one entry. */
export interface ExportedEntry {
  entry: SealableEntry;
  sequence: number;
  /** False where the export leaves data out: its digest stands for it. */
  hasData: boolean;
  identitySalt: Buffer | null;
  dataSalt: Buffer | null;
  identityDigest: Buffer;
  dataDigest: Buffer | null;
  leafHash: Buffer;
  /** From the leaf to the root. */
  path: readonly Buffer[];
  /** Names under which the line says something else than its proof, or that are missing, twice or of no export. */
  differing: string[];
}

/** An entry that is as it was sealed, going by its line alone: what is left to check of it. */
export type WellEntry = Pick<ExportedEntry, 'sequence' | 'hasData' | 'leafHash' | 'path'>;

/** Checks the entries of an exported file, one after the other, against its checkpoint; needs nothing but the file. */
export class ExportCheck {
  private last = 0;
  /** Whether the lines carry data, which all do or none. */
  private withData: boolean | null = null;
  private readonly paths: AuditPaths;
  entries = 0;

  constructor(
    checkpoint: Pick<CheckpointBody, 'treeSize' | 'rootHash'>,
    private readonly report: Report,
  ) {
    this.paths = new AuditPaths(checkpoint.treeSize, checkpoint.rootHash);
  }

  /** A line that has not the form of an exported entry with its proof. */
  unreadable(line: number): void {
    this.report({
      kind: 'changed',
      sequence: this.last + 1,
      detail: `line ${line} is no entry with its proof; the one before it is of place ${this.last}`,
    });
  }

  /** False, and nothing told, where there is something to tell of it (add). */
  addWell({ sequence, hasData, leafHash, path }: WellEntry): boolean {
    if (sequence <= this.last || hasData !== (this.withData ?? hasData)) return false;
    if (!this.paths.holds(leafHash, sequence - 1, path)) return false;
    this.last = sequence;
    this.withData = hasData;
    this.entries += 1;
    return true;
  }

  add(said: ExportedEntry): void {
    const { sequence, entry } = said;
    this.entries += 1;
    const fault = (kind: 'changed' | 'moved' | 'extra', detail: string) =>
      this.report({ kind, sequence, detail: `entry ${entry.id} ${detail}` });
    if (sequence === this.last) fault('extra', 'stands at a place that the line before it has');
    else if (sequence < this.last) fault('moved', `stands after the one of place ${this.last}`);
    this.last = Math.max(this.last, sequence);
    const wrong = wrongParts(said);
    this.withData ??= said.hasData;
    if (said.hasData !== this.withData)
      wrong.push(`${said.hasData ? 'data' : 'no data'}, unlike the lines before it`);
    if (wrong.length > 0) fault('changed', `is not as it was sealed: ${wrong.join('; ')}`);
    if (!this.paths.holds(said.leafHash, sequence - 1, said.path))
      fault('moved', 'is not proven at this place: its path does not lead to the checkpoint');
  }
}

function wrongParts(said: ExportedEntry): string[] {
  const { entry, hasData, identitySalt, dataSalt, identityDigest, dataDigest } = said;
  const wrong = [...said.differing];
  // Erasure takes who, data and both salts at once.
  const isErased = identitySalt === null;
  const isNobody = [entry.actorEmail, entry.actorName, entry.ipAddress, entry.userAgent].every(
    (field) => field === null,
  );
  if (isErased) {
    if (!isNobody) wrong.push('identity fields without their salt');
  } else if (
    !isSalt(identitySalt) ||
    LEAF.hashIdentity(identitySalt, entry) !== identityDigest.toString('hex')
  )
    wrong.push('actor_email, actor_name, ip_address, user_agent or their salt or digest');
  if (!hasData || isErased || dataDigest === null) {
    if (entry.data !== null || dataSalt !== null) wrong.push('data or its salt, where none is to be');
  } else if (entry.data === null) wrong.push('data is missing, its digest is there');
  else if (!isSalt(dataSalt) || hashData(dataSalt, entry.data) !== dataDigest.toString('hex'))
    wrong.push('data or its salt or digest');
  const leaf = LEAF.hashLeaf(entry, identityDigest.toString('hex'), dataDigest?.toString('hex') ?? null);
  if (leaf !== said.leafHash.toString('hex')) wrong.push('what its leaf is made of');
  return wrong;
}

const isSalt = (salt: Buffer | null): salt is Buffer => salt?.length === SALT_BYTES;
