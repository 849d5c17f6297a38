import { LEAF, type Template } from '../../log/entry/leaf.js';
import { HASH_BYTES } from '../../seal/merkle.js';
import { BYTES_NAMES, ENTRY_NAMES, SHOWN_NAMES } from '../../seal/proof-bundle.js';
import { CanonicalData } from '../canonical/canonical-data.js';
import { isHexOf } from '../canonical/hex.js';
import { Preimage } from '../canonical/leaf-bytes.js';
import type { WellEntry } from './export-check.js';
import { decodeBase64, endOfNumber, endOfText, integerAt, isAt } from './line-bytes.js';

const [QUOTE, COMMA] = [0x22, 0x2c] as const;
const SALT_BYTES = 16;
/** Of a line that is not left to the other reader. */
const MOST_BYTES = 256 * 1024;
/** A hash in base64 with its quotation marks, and with what parts it from the next. */
const STEP_BYTES = 46;
const PARTED_STEP_BYTES = STEP_BYTES + 1;
const NULL = Buffer.from('null');
const PATH = Buffer.from(',"path":[');
const END = Buffer.from(']}}');

/** A value of a line, and what stands before it. */
interface Slot {
  readonly name: string;
  readonly before: Buffer;
  readonly kind: 'text' | 'data' | 'sequence' | 'again';
  /** The number of the slot with the same value, for one that stands in the line again. */
  readonly first: number;
}

/** The numbers of the slots that are more than texts of the leaf. */
interface Slots {
  readonly sequence: number;
  readonly data: number;
  readonly identitySalt: number;
  readonly dataSalt: number;
  readonly identityDigest: number;
  readonly dataDigest: number;
  readonly leafHash: number;
}

const bytesOf = ({ parts }: Template<unknown>, prefix = ''): Buffer[] =>
  parts.map((part, at) => Buffer.from((at === 0 ? prefix : '') + part));
const IDENTITY_PARTS = bytesOf(LEAF.identity);
/** The first with RFC 6962's prefix. */
const LEAF_PARTS = bytesOf(LEAF.leaf, '\0');
const IDENTITY_NAMES = LEAF.identity.members.map(({ column }) => column);
const LEAF_NAMES = LEAF.leaf.members.map((member) =>
  typeof member === 'string' ? `${member}_digest` : member.column,
);

/**
 * Lines of an export with proofs in the form in which Reel writes them, with data or without, checked over their bytes:
 * several times as quick as by way of JSON.parse. What this does not find well is readExportLine's to tell of.
 */
export class WrittenLines {
  private readonly slots: Slot[] = [];
  private readonly at: Slots;
  /** Where the value of each slot begins and ends. */
  private readonly starts: Int32Array;
  private readonly ends: Int32Array;
  private readonly identity: readonly number[];
  private readonly leaf: readonly number[];
  private readonly text = new Preimage(2 * MOST_BYTES);
  /** Data in canonical form, after its salt. */
  private readonly sealed = new Preimage(2 * MOST_BYTES);
  private readonly data = new CanonicalData(MOST_BYTES, 'tight');
  private readonly identityDigest = Buffer.alloc(HASH_BYTES);
  private readonly dataDigest = Buffer.alloc(HASH_BYTES);
  /** Of the line before. */
  private path: readonly Buffer[] = [];
  private pathBytes: Buffer = Buffer.alloc(0);

  constructor(private readonly hasData: boolean) {
    const isThere = (name: string) => hasData || name !== 'data';
    const shown = SHOWN_NAMES.filter(isThere);
    for (const [at, name] of shown.entries()) this.add(name, at === 0 ? '{' : ',');
    for (const [at, name] of ENTRY_NAMES.filter(isThere).entries())
      this.add(name, at === 0 ? ',"proof":{"entry":{' : ',', shown.indexOf(name));
    for (const [at, name] of BYTES_NAMES.entries()) this.add(name, at === 0 ? '},' : ',');
    this.starts = new Int32Array(this.slots.length);
    this.ends = new Int32Array(this.slots.length);
    const numberOf = (name: string) => this.slots.findIndex((slot) => slot.name === name);
    this.identity = IDENTITY_NAMES.map(numberOf);
    this.leaf = LEAF_NAMES.map(numberOf);
    this.at = {
      sequence: numberOf('sequence'),
      data: numberOf('data'),
      identitySalt: numberOf('identity_salt'),
      dataSalt: numberOf('data_salt'),
      identityDigest: numberOf('identity_digest'),
      dataDigest: numberOf('data_digest'),
      leafHash: numberOf('leaf_hash'),
    };
  }

  private add(name: string, opening: string, first = -1): void {
    const kind = first >= 0 ? 'again' : name === 'data' || name === 'sequence' ? name : 'text';
    this.slots.push({ name, before: Buffer.from(`${opening}"${name}":`), kind, first });
  }

  /** null where the line has another form, or something in it does not go together. */
  read(line: Buffer): WellEntry | null {
    const { at } = this;
    const pathStart = this.split(line);
    if (pathStart < 0 || !this.isIdentityWell(line) || !this.isDataWell(line)) return null;
    const leafHash = Buffer.allocUnsafe(HASH_BYTES);
    if (!this.decode(line, at.leafHash, leafHash, HASH_BYTES)) return null;
    if (!isHexOf(this.hashLeaf(line), leafHash, 0, HASH_BYTES)) return null;
    const path = this.readPath(line, pathStart, line.length - END.length);
    return (
      path && {
        sequence: integerAt(line, this.starts[at.sequence]!, this.ends[at.sequence]!),
        hasData: this.hasData,
        leafHash,
        path,
      }
    );
  }

  /** Finds the values; answers where the first hash of the path is, -1 where the line has another form. */
  private split(line: Buffer): number {
    if (line.length > MOST_BYTES || !isAt(line, line.length - END.length, END, 0, END.length)) return -1;
    let at = 0;
    for (let number = 0; number < this.slots.length; number += 1) {
      const slot = this.slots[number]!;
      if (!isAt(line, at, slot.before, 0, slot.before.length)) return -1;
      at += slot.before.length;
      this.starts[number] = at;
      at = this.endOf(line, at, slot);
      if (at < 0) return -1;
      this.ends[number] = at;
    }
    return isAt(line, at, PATH, 0, PATH.length) ? at + PATH.length : -1;
  }

  private endOf(line: Buffer, at: number, { kind, first }: Slot): number {
    if (kind === 'again') {
      const start = this.starts[first]!;
      const end = this.ends[first]!;
      return isAt(line, at, line, start, end) ? at + end - start : -1;
    }
    if (kind === 'sequence') return endOfNumber(line, at);
    if (isAt(line, at, NULL, 0, NULL.length)) return at + NULL.length;
    if (kind === 'text') return endOfText(line, at);
    this.sealed.length = SALT_BYTES;
    return this.data.write(this.sealed, line, at, line.length);
  }

  private isIdentityWell(line: Buffer): boolean {
    const { text, identityDigest, at } = this;
    text.length = SALT_BYTES;
    if (!this.decode(line, at.identitySalt, text.bytes, SALT_BYTES)) return false;
    for (let part = 0; part < this.identity.length; part += 1) {
      text.put(IDENTITY_PARTS[part]!);
      this.copy(line, this.identity[part]!);
    }
    text.put(IDENTITY_PARTS.at(-1)!);
    return (
      this.decode(line, at.identityDigest, identityDigest, HASH_BYTES) &&
      isHexOf(text.digest(), identityDigest, 0, HASH_BYTES)
    );
  }

  private isDataWell(line: Buffer): boolean {
    const { sealed, dataDigest, hasData, at } = this;
    if (this.isNull(line, at.dataDigest))
      return this.isNull(line, at.dataSalt) && (!hasData || this.isNull(line, at.data));
    if (!this.decode(line, at.dataDigest, dataDigest, HASH_BYTES)) return false;
    if (!hasData) return this.isNull(line, at.dataSalt);
    return (
      !this.isNull(line, at.data) &&
      this.decode(line, at.dataSalt, sealed.bytes, SALT_BYTES) &&
      isHexOf(sealed.digest(), dataDigest, 0, HASH_BYTES)
    );
  }

  private hashLeaf(line: Buffer): string {
    const { text, leaf, at } = this;
    text.length = 0;
    for (let part = 0; part < leaf.length; part += 1) {
      text.put(LEAF_PARTS[part]!);
      const slot = leaf[part]!;
      if (slot === at.identityDigest) text.quoted(this.identityDigest, 0, HASH_BYTES);
      else if (slot === at.dataDigest && !this.isNull(line, at.dataDigest))
        text.quoted(this.dataDigest, 0, HASH_BYTES);
      else this.copy(line, slot);
    }
    text.put(LEAF_PARTS.at(-1)!);
    return text.digest();
  }

  private copy(line: Buffer, slot: number): void {
    this.text.copy(line, this.starts[slot]!, this.ends[slot]!);
  }

  private isNull(line: Buffer, slot: number): boolean {
    return isAt(line, this.starts[slot]!, NULL, 0, NULL.length);
  }

  /** Puts a value of so many bytes, in base64, at the start of `target`; false where it is something else. */
  private decode(line: Buffer, slot: number, target: Uint8Array, count: number): boolean {
    return decodeBase64(line, this.starts[slot]! + 1, this.ends[slot]! - 1, target, count);
  }

  /** The hashes between two places; those at the end are mostly the same as in the line before. */
  private readPath(line: Buffer, start: number, end: number): readonly Buffer[] | null {
    if (start === end) return [];
    const count = (end - start + 1) / PARTED_STEP_BYTES;
    if (!Number.isInteger(count)) return null;
    const path: Buffer[] = [];
    let at = start;
    for (; at < end && !this.isKnown(line, at, end); at += PARTED_STEP_BYTES) {
      const close = at + STEP_BYTES - 1;
      const isParted = close + 1 === end || line[close + 1] === COMMA;
      const hash = Buffer.allocUnsafe(HASH_BYTES);
      if (line[at] !== QUOTE || line[close] !== QUOTE || !isParted) return null;
      if (!decodeBase64(line, at + 1, close, hash, HASH_BYTES)) return null;
      path.push(hash);
    }
    this.path = [...path, ...this.path.slice(this.path.length - (count - path.length))];
    this.pathBytes = line.subarray(start, end);
    return this.path;
  }

  /** Whether these bytes are those that the path before ends with. */
  private isKnown(line: Buffer, start: number, end: number): boolean {
    const { pathBytes } = this;
    const from = pathBytes.length - (end - start);
    return from >= 0 && line.compare(pathBytes, from, pathBytes.length, start, end) === 0;
  }
}
