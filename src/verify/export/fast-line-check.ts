import { LEAF, type Template } from '../../log/entry/leaf.js';
import { HASH_BYTES } from '../../seal/merkle.js';
import { BUNDLE_BINARY_KEYS, BUNDLE_ENTRY_KEYS, EXPORT_LINE_KEYS } from '../../seal/proof-bundle.js';
import { HashInput } from '../canonical/hash-input.js';
import { isHexOf } from '../canonical/hex.js';
import { JsonCanonicalizer } from '../canonical/json-canonicalizer.js';
import type { ConsistentEntry } from './export-check.js';
import { decodeBase64, endOfInteger, endOfString, matchesAt, parseInteger } from './json-scan.js';

const [QUOTE, COMMA] = [0x22, 0x2c] as const;
const SALT_BYTES = 16;
/** A longer line does not pass. */
const MAX_LINE_BYTES = 256 * 1024;
/** A hash of the audit path in base64 with its quotation marks, and with the comma before the next. */
const PATH_HASH_BYTES = 46;
const PATH_STEP_BYTES = PATH_HASH_BYTES + 1;
const NULL = Buffer.from('null');
const PATH = Buffer.from(',"path":[');
const END = Buffer.from(']}}');

/** A value of a line, and the bytes before it. */
interface Slot {
  readonly key: string;
  readonly before: Buffer;
  readonly kind: 'string' | 'data' | 'sequence' | 'repeated';
  /** Of a repeated value: the index of the slot that has it first. */
  readonly first: number;
}

/** Indexes of the slots with a part of their own in the check. */
interface SlotIndexes {
  readonly sequence: number;
  readonly data: number;
  readonly identitySalt: number;
  readonly dataSalt: number;
  readonly identityDigest: number;
  readonly dataDigest: number;
  readonly leafHash: number;
}

const partsOf = ({ parts }: Template<unknown>, prefix = ''): Buffer[] =>
  parts.map((part, at) => Buffer.from((at === 0 ? prefix : '') + part));
const IDENTITY_PARTS = partsOf(LEAF.identity);
/** After the prefix of a leaf (RFC 6962, section 2.1). */
const LEAF_PARTS = partsOf(LEAF.leaf, '\0');
const IDENTITY_KEYS = LEAF.identity.members.map(({ column }) => column);
const LEAF_KEYS = LEAF.leaf.members.map((member) =>
  typeof member === 'string' ? `${member}_digest` : member.column,
);

/**
 * Checks lines of an export with proofs over their bytes, several times as fast as JSON.parse and ExportCheck. It passes
 * consistent lines only, but not all of them: those in the form that Reel writes, with data or without. For any other line,
 * it is for readExportLine and ExportCheck to find what is wrong, if anything is.
 */
export class FastLineCheck {
  private readonly slots: Slot[] = [];
  private readonly at: SlotIndexes;
  /** Where the value of each slot begins and ends. */
  private readonly starts: Int32Array;
  private readonly ends: Int32Array;
  private readonly identity: readonly number[];
  private readonly leaf: readonly number[];
  /** The identity's salt and JSON, then the leaf's. */
  private readonly input = new HashInput(2 * MAX_LINE_BYTES);
  /** The data's salt and canonical JSON. */
  private readonly dataInput = new HashInput(2 * MAX_LINE_BYTES);
  private readonly canonicalizer = new JsonCanonicalizer(MAX_LINE_BYTES, 'tight');
  private readonly identityDigest = Buffer.alloc(HASH_BYTES);
  private readonly dataDigest = Buffer.alloc(HASH_BYTES);
  /** Of the last line that passed. */
  private path: readonly Buffer[] = [];
  private pathBytes: Buffer = Buffer.alloc(0);

  constructor(private readonly hasData: boolean) {
    const isIncluded = (key: string) => hasData || key !== 'data';
    const lineKeys = EXPORT_LINE_KEYS.filter(isIncluded);
    for (const [at, key] of lineKeys.entries()) this.addSlot(key, at === 0 ? '{' : ',');
    for (const [at, key] of BUNDLE_ENTRY_KEYS.filter(isIncluded).entries())
      this.addSlot(key, at === 0 ? ',"proof":{"entry":{' : ',', lineKeys.indexOf(key));
    for (const [at, key] of BUNDLE_BINARY_KEYS.entries()) this.addSlot(key, at === 0 ? '},' : ',');
    this.starts = new Int32Array(this.slots.length);
    this.ends = new Int32Array(this.slots.length);
    const indexOf = (key: string) => this.slots.findIndex((slot) => slot.key === key);
    this.identity = IDENTITY_KEYS.map(indexOf);
    this.leaf = LEAF_KEYS.map(indexOf);
    this.at = {
      sequence: indexOf('sequence'),
      data: indexOf('data'),
      identitySalt: indexOf('identity_salt'),
      dataSalt: indexOf('data_salt'),
      identityDigest: indexOf('identity_digest'),
      dataDigest: indexOf('data_digest'),
      leafHash: indexOf('leaf_hash'),
    };
  }

  private addSlot(key: string, opening: string, first = -1): void {
    const kind = first >= 0 ? 'repeated' : key === 'data' || key === 'sequence' ? key : 'string';
    this.slots.push({ key, before: Buffer.from(`${opening}"${key}":`), kind, first });
  }

  /** Null if the line does not pass. */
  check(line: Buffer): ConsistentEntry | null {
    const { at } = this;
    const pathStart = this.split(line);
    if (pathStart < 0 || !this.isIdentityValid(line) || !this.isDataValid(line)) return null;
    const leafHash = Buffer.allocUnsafe(HASH_BYTES);
    if (!this.decode(line, at.leafHash, leafHash, HASH_BYTES)) return null;
    if (!isHexOf(this.hashLeaf(line), leafHash, 0, HASH_BYTES)) return null;
    const path = this.readPath(line, pathStart, line.length - END.length);
    return (
      path && {
        sequence: parseInteger(line, this.starts[at.sequence]!, this.ends[at.sequence]!),
        hasData: this.hasData,
        leafHash,
        path,
      }
    );
  }

  /** Locates the values; returns where the audit path begins, -1 if the line has another form. */
  private split(line: Buffer): number {
    if (line.length > MAX_LINE_BYTES || !matchesAt(line, line.length - END.length, END, 0, END.length))
      return -1;
    let at = 0;
    for (let index = 0; index < this.slots.length; index += 1) {
      const slot = this.slots[index]!;
      if (!matchesAt(line, at, slot.before, 0, slot.before.length)) return -1;
      at += slot.before.length;
      this.starts[index] = at;
      at = this.endOf(line, at, slot);
      if (at < 0) return -1;
      this.ends[index] = at;
    }
    return matchesAt(line, at, PATH, 0, PATH.length) ? at + PATH.length : -1;
  }

  private endOf(line: Buffer, at: number, { kind, first }: Slot): number {
    if (kind === 'repeated') {
      const start = this.starts[first]!;
      const end = this.ends[first]!;
      return matchesAt(line, at, line, start, end) ? at + end - start : -1;
    }
    if (kind === 'sequence') return endOfInteger(line, at);
    if (matchesAt(line, at, NULL, 0, NULL.length)) return at + NULL.length;
    if (kind === 'string') return endOfString(line, at);
    this.dataInput.length = SALT_BYTES;
    return this.canonicalizer.write(this.dataInput, line, at, line.length);
  }

  private isIdentityValid(line: Buffer): boolean {
    const { input, identityDigest, at } = this;
    input.length = SALT_BYTES;
    if (!this.decode(line, at.identitySalt, input.bytes, SALT_BYTES)) return false;
    for (let part = 0; part < this.identity.length; part += 1) {
      input.append(IDENTITY_PARTS[part]!);
      this.copy(line, this.identity[part]!);
    }
    input.append(IDENTITY_PARTS.at(-1)!);
    return (
      this.decode(line, at.identityDigest, identityDigest, HASH_BYTES) &&
      isHexOf(input.sha256(), identityDigest, 0, HASH_BYTES)
    );
  }

  private isDataValid(line: Buffer): boolean {
    const { dataInput, dataDigest, hasData, at } = this;
    if (this.isNull(line, at.dataDigest))
      return this.isNull(line, at.dataSalt) && (!hasData || this.isNull(line, at.data));
    if (!this.decode(line, at.dataDigest, dataDigest, HASH_BYTES)) return false;
    if (!hasData) return this.isNull(line, at.dataSalt);
    return (
      !this.isNull(line, at.data) &&
      this.decode(line, at.dataSalt, dataInput.bytes, SALT_BYTES) &&
      isHexOf(dataInput.sha256(), dataDigest, 0, HASH_BYTES)
    );
  }

  private hashLeaf(line: Buffer): string {
    const { input, leaf, at } = this;
    input.length = 0;
    for (let part = 0; part < leaf.length; part += 1) {
      input.append(LEAF_PARTS[part]!);
      const slot = leaf[part]!;
      if (slot === at.identityDigest) input.hexRange(this.identityDigest, 0, HASH_BYTES);
      else if (slot === at.dataDigest && !this.isNull(line, at.dataDigest))
        input.hexRange(this.dataDigest, 0, HASH_BYTES);
      else this.copy(line, slot);
    }
    input.append(LEAF_PARTS.at(-1)!);
    return input.sha256();
  }

  private copy(line: Buffer, slot: number): void {
    this.input.appendRange(line, this.starts[slot]!, this.ends[slot]!);
  }

  private isNull(line: Buffer, slot: number): boolean {
    return matchesAt(line, this.starts[slot]!, NULL, 0, NULL.length);
  }

  /** Decodes a base64 value of `count` bytes to the start of `target`; false if it is anything else. */
  private decode(line: Buffer, slot: number, target: Uint8Array, count: number): boolean {
    return decodeBase64(line, this.starts[slot]! + 1, this.ends[slot]! - 1, target, count);
  }

  /** Null if it is not one. Its last hashes are mostly those of the line before. */
  private readPath(line: Buffer, start: number, end: number): readonly Buffer[] | null {
    if (start === end) return [];
    const count = (end - start + 1) / PATH_STEP_BYTES;
    if (!Number.isInteger(count)) return null;
    const path: Buffer[] = [];
    let at = start;
    for (; at < end && !this.isSuffix(line, at, end); at += PATH_STEP_BYTES) {
      const close = at + PATH_HASH_BYTES - 1;
      const isDelimited = close + 1 === end || line[close + 1] === COMMA;
      const hash = Buffer.allocUnsafe(HASH_BYTES);
      if (line[at] !== QUOTE || line[close] !== QUOTE || !isDelimited) return null;
      if (!decodeBase64(line, at + 1, close, hash, HASH_BYTES)) return null;
      path.push(hash);
    }
    this.path = [...path, ...this.path.slice(this.path.length - (count - path.length))];
    this.pathBytes = line.subarray(start, end);
    return this.path;
  }

  /** Whether the last path ends with these bytes. */
  private isSuffix(line: Buffer, start: number, end: number): boolean {
    const { pathBytes } = this;
    const from = pathBytes.length - (end - start);
    return from >= 0 && line.compare(pathBytes, from, pathBytes.length, start, end) === 0;
  }
}
