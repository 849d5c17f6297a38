import { CanonicalData } from '../seal/canonical-data.js';
import { isHexOf } from '../seal/hex.js';
import { IDENTITY_PARTS, LEAF_PARTS } from '../seal/leaf.js';
import { HASH_BYTES } from '../seal/merkle.js';
import { Preimage } from '../seal/preimage.js';
import type { WellEntry } from '../seal/verify-export.js';
import { BYTES_NAMES, ENTRY_NAMES, SHOWN_NAMES } from './proof-bundle.js';

const [QUOTE, BACKSLASH, COMMA, EQUALS] = [0x22, 0x5c, 0x2c, 0x3d] as const;
const [ZERO, NINE] = [0x30, 0x39] as const;
const SALT_BYTES = 16;
/** Of a line that is not left to the other reader. */
const MOST_BYTES = 256 * 1024;
/** Digits of an integer that a double holds, whichever they are. */
const MOST_DIGITS = 15;
/** A hash in base64 with its quotation marks, and with what parts it from the next. */
const STEP_BYTES = 46;
const PARTED_STEP_BYTES = STEP_BYTES + 1;
const NULL = Buffer.from('null');
const PATH = Buffer.from(',"path":[');
const END = Buffer.from(']}}');

/** The digit that a character of base64 stands for; 64 for any other byte. */
const DIGIT = new Uint8Array(256).fill(64);
for (const [digit, letter] of Buffer.from(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
).entries())
  DIGIT[letter] = digit;

/** A value of a line, and what stands before it. */
interface Slot {
  readonly before: Buffer;
  readonly kind: 'text' | 'data' | 'sequence' | 'again';
  /** The number of the slot with the same value, for one that stands in the line again. */
  readonly first: number;
}

const IDENTITY_NAMES = ['actor_email', 'actor_name', 'ip_address', 'user_agent'];
const LEAF_NAMES = [
  'action',
  'actor_id',
  'client_id',
  'created_at',
  'data_digest',
  'id',
  'identity_digest',
  'module',
  'occurred_at',
  'on_behalf_of_id',
  'origin',
  'request_id',
  'resource_id',
  'resource_type',
  'severity',
  'tenant_id',
];

/**
 * Lines of an export with proofs in the form in which Reel writes them, with data or without, checked over their bytes:
 * several times as quick as by way of JSON.parse. What this does not find well is readExportLine's to tell of.
 */
export class WrittenLines {
  private readonly slots: Slot[] = [];
  private readonly numbers: Record<string, number> = {};
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
  private path: readonly string[] = [];
  private pathBytes = Buffer.alloc(0);

  constructor(private readonly hasData: boolean) {
    const isThere = (name: string) => hasData || name !== 'data';
    const shown = SHOWN_NAMES.filter(isThere);
    for (const [at, name] of shown.entries()) this.add(name, at === 0 ? '{' : ',');
    for (const [at, name] of ENTRY_NAMES.filter(isThere).entries())
      this.add(name, at === 0 ? ',"proof":{"entry":{' : ',', shown.indexOf(name));
    for (const [at, name] of BYTES_NAMES.entries()) this.add(name, at === 0 ? '},' : ',');
    this.starts = new Int32Array(this.slots.length);
    this.ends = new Int32Array(this.slots.length);
    this.identity = IDENTITY_NAMES.map((name) => this.numbers[name]!);
    this.leaf = LEAF_NAMES.map((name) => this.numbers[name]!);
  }

  private add(name: string, opening: string, first = -1): void {
    if (first < 0) this.numbers[name] = this.slots.length;
    const kind = first >= 0 ? 'again' : name === 'data' || name === 'sequence' ? name : 'text';
    this.slots.push({ before: Buffer.from(`${opening}"${name}":`), kind, first });
  }

  /** null where the line has another form, or something in it does not go together. */
  read(line: Buffer): WellEntry | null {
    const pathStart = this.split(line);
    if (pathStart < 0 || !this.isIdentityWell(line) || !this.isDataWell(line)) return null;
    const leafHash = Buffer.allocUnsafe(HASH_BYTES);
    if (!this.decode(line, 'leaf_hash', leafHash, HASH_BYTES)) return null;
    if (!isHexOf(this.hashLeaf(line), leafHash, 0, HASH_BYTES)) return null;
    const path = this.readPath(line, pathStart, line.length - END.length);
    const sequence = this.numbers.sequence!;
    return (
      path && {
        sequence: Number(line.toString('latin1', this.starts[sequence], this.ends[sequence])),
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
      const [start, end] = [this.starts[first]!, this.ends[first]!];
      return isAt(line, at, line, start, end) ? at + end - start : -1;
    }
    if (kind === 'sequence') return endOfNumber(line, at);
    if (isAt(line, at, NULL, 0, NULL.length)) return at + NULL.length;
    if (kind === 'text') return endOfText(line, at);
    this.sealed.length = SALT_BYTES;
    return this.data.write(this.sealed, line, at, line.length);
  }

  private isIdentityWell(line: Buffer): boolean {
    const { text, identityDigest } = this;
    text.length = SALT_BYTES;
    if (!this.decode(line, 'identity_salt', text.bytes, SALT_BYTES)) return false;
    for (let part = 0; part < this.identity.length; part += 1) {
      text.put(IDENTITY_PARTS[part]!);
      this.copy(line, this.identity[part]!);
    }
    text.put(IDENTITY_PARTS.at(-1)!);
    return (
      this.decode(line, 'identity_digest', identityDigest, HASH_BYTES) &&
      isHexOf(text.digest(), identityDigest, 0, HASH_BYTES)
    );
  }

  private isDataWell(line: Buffer): boolean {
    const { sealed, dataDigest, hasData } = this;
    if (this.isNull(line, 'data_digest'))
      return this.isNull(line, 'data_salt') && (!hasData || this.isNull(line, 'data'));
    if (!this.decode(line, 'data_digest', dataDigest, HASH_BYTES)) return false;
    if (!hasData) return this.isNull(line, 'data_salt');
    return (
      !this.isNull(line, 'data') &&
      this.decode(line, 'data_salt', sealed.bytes, SALT_BYTES) &&
      isHexOf(sealed.digest(), dataDigest, 0, HASH_BYTES)
    );
  }

  private hashLeaf(line: Buffer): string {
    const { text, leaf } = this;
    text.length = 0;
    for (let part = 0; part < leaf.length; part += 1) {
      text.put(LEAF_PARTS[part]!);
      const slot = leaf[part]!;
      if (slot === this.numbers.identity_digest) text.quoted(this.identityDigest, 0, HASH_BYTES);
      else if (slot === this.numbers.data_digest && !this.isNull(line, 'data_digest'))
        text.quoted(this.dataDigest, 0, HASH_BYTES);
      else this.copy(line, slot);
    }
    text.put(LEAF_PARTS.at(-1)!);
    return text.digest();
  }

  private copy(line: Buffer, slot: number): void {
    this.text.copy(line, this.starts[slot]!, this.ends[slot]!);
  }

  private isNull(line: Buffer, name: string): boolean {
    return isAt(line, this.starts[this.numbers[name]!]!, NULL, 0, NULL.length);
  }

  /** Puts a value of so many bytes, in base64, at the start of `target`; false where it is something else. */
  private decode(line: Buffer, name: string, target: Uint8Array, count: number): boolean {
    const slot = this.numbers[name]!;
    return decodeBase64(line, this.starts[slot]! + 1, this.ends[slot]! - 1, target, count);
  }

  /** The hashes between two places; those at the end are mostly the same as in the line before. */
  private readPath(line: Buffer, start: number, end: number): readonly string[] | null {
    const { pathBytes } = this;
    const length = end - start;
    if (length === 0) return [];
    if ((length + 1) % PARTED_STEP_BYTES !== 0) return null;
    const known = Math.floor((1 + sameAtEnd(line, start, end, pathBytes)) / PARTED_STEP_BYTES);
    const count = (length + 1) / PARTED_STEP_BYTES;
    const path: string[] = [];
    for (let at = start; path.length < count - known; at += PARTED_STEP_BYTES) {
      const close = at + STEP_BYTES - 1;
      const isParted = close + 1 === end || line[close + 1] === COMMA;
      if (line[at] !== QUOTE || line[close] !== QUOTE || !isParted) return null;
      path.push(line.toString('latin1', at + 1, close));
    }
    this.path = [...path, ...this.path.slice(this.path.length - known)];
    this.pathBytes = Buffer.from(line.subarray(start, end));
    return this.path;
  }
}

/** How many bytes are the same at the end of a part of a line and of others. */
function sameAtEnd(line: Buffer, start: number, end: number, others: Buffer): number {
  const most = Math.min(end - start, others.length);
  let count = 0;
  while (count < most && line[end - 1 - count] === others[others.length - 1 - count]) count += 1;
  return count;
}

function isAt(line: Uint8Array, at: number, part: Uint8Array, start: number, end: number): boolean {
  for (let next = start; next < end; next += 1) if (line[at + next - start] !== part[next]) return false;
  return true;
}

/** Where a JSON string ends that begins here; -1 where there is none. */
function endOfText(line: Buffer, at: number): number {
  if (line[at] !== QUOTE) return -1;
  for (let next = at + 1; next < line.length; next += 1) {
    const byte = line[next];
    if (byte === QUOTE) return next + 1;
    if (byte === BACKSLASH) next += 1;
  }
  return -1;
}

/** Of an integer from 1 on. */
function endOfNumber(line: Buffer, at: number): number {
  let next = at;
  while (line[next]! >= ZERO && line[next]! <= NINE) next += 1;
  return next > at && next - at <= MOST_DIGITS && line[at] !== ZERO ? next : -1;
}

/** Takes standard base64 with its padding and nothing else, of so many bytes that it does not end with whole threes. */
function decodeBase64(line: Buffer, start: number, end: number, target: Uint8Array, count: number): boolean {
  const rest = count % 3;
  if (end - start !== 4 * Math.ceil(count / 3)) return false;
  let [from, to] = [start, 0];
  for (; to < count - rest; from += 4) {
    const [one, two] = [DIGIT[line[from]!]!, DIGIT[line[from + 1]!]!];
    const [three, four] = [DIGIT[line[from + 2]!]!, DIGIT[line[from + 3]!]!];
    if ((one | two | three | four) > 63) return false;
    target[to++] = (one << 2) | (two >> 4);
    target[to++] = ((two & 15) << 4) | (three >> 2);
    target[to++] = ((three & 3) << 6) | four;
  }
  const [one, two, three] = [DIGIT[line[from]!]!, DIGIT[line[from + 1]!]!, DIGIT[line[from + 2]!]!];
  if ((one | two) > 63 || line[from + 3] !== EQUALS) return false;
  target[to++] = (one << 2) | (two >> 4);
  if (rest === 1) return (two & 15) === 0 && line[from + 2] === EQUALS;
  target[to++] = ((two & 15) << 4) | (three >> 2);
  return three < 64 && (three & 3) === 0;
}
