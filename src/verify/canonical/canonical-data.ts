import { MAX_DATA_LEVELS } from '../../log/entry/check-data.js';
import { fold } from '../../log/entry/search-text.js';
import type { Preimage } from './leaf-bytes.js';
import { SearchPieces } from './search-pieces.js';

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a] as const;
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d] as const;
const [SPACE, MINUS, ZERO, NINE] = [0x20, 0x2d, 0x30, 0x39] as const;
const [LETTER_N, FIRST_PAST_ASCII] = [0x6e, 0x80] as const;
/** From here on, bytes of UTF-8 are not in the order of UTF-16, which RFC 8785 has keys in. */
const FIRST_OUT_OF_ORDER = 0xee;
/** Digits of an integer that stands in its shortest form already. */
const PLAIN_DIGITS = 15;
const MOST_MEMBERS = 4096;

/** What a byte is in lower case, where it is a letter of ASCII. */
export const FOLDED = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte,
);

/** Thrown where it takes JSON.parse to tell. */
const NOT_PLAIN = new Error('expected data of a plain form');

/**
 * Reads data in one pass from JSON as jsonb or JSON.stringify writes it, and makes of it what is sealed and what is
 * searched, as bytes; several times as quick as by way of JSON.parse.
 */
export class CanonicalData {
  private source: Buffer = Buffer.alloc(0);
  private at = 0;
  private end = 0;
  private bytes: Buffer = this.source;
  private length = 0;
  private readonly spare: Buffer;
  /** Of what was written last. */
  readonly pieces: SearchPieces;
  /** Members of the objects under way: where each begins, where its key ends, where it ends in `bytes`. */
  private readonly members = new Int32Array(3 * MOST_MEMBERS);
  private open = 0;

  /** `most`: bytes that the text may have; `form`: spaced as jsonb is, or tight as by JSON.stringify. */
  constructor(
    private readonly most: number,
    private readonly form: 'spaced' | 'tight',
  ) {
    this.spare = Buffer.alloc(2 * most);
    this.pieces = new SearchPieces(most);
  }

  /**
   * Adds the object that begins at a place, in canonical form (RFC 8785); answers where it ends, -1 where it has not the
   * form that is expected or is not of the common ones. `end`: where the source does.
   */
  write(into: Preimage, source: Buffer, from: number, end: number): number {
    this.source = source;
    this.at = from;
    this.end = Math.min(end, from + this.most);
    this.bytes = into.bytes;
    this.length = into.length;
    this.pieces.clear();
    this.open = 0;
    try {
      this.object(1);
    } catch (error) {
      // JSON.parse says so of an escape that is none.
      if (error === NOT_PLAIN || error instanceof SyntaxError) return -1;
      throw error;
    }
    into.length = this.length;
    return this.at <= this.end ? this.at : -1;
  }

  private value(level: number): void {
    const first = this.source[this.at];
    if (first === QUOTE) this.string(false);
    else if (first === OPEN_OBJECT) this.object(level);
    else if (first === OPEN_LIST) this.list(level);
    else this.scalar();
  }

  private object(level: number): void {
    if (level > MAX_DATA_LEVELS) throw NOT_PLAIN;
    this.step(OPEN_OBJECT);
    const base = this.open;
    let isSorted = true;
    if (this.source[this.at] !== CLOSE_OBJECT)
      do {
        if (this.open === MOST_MEMBERS) throw NOT_PLAIN;
        const member = this.open++;
        this.members[3 * member] = this.length;
        this.string(true);
        this.members[3 * member + 1] = this.length;
        isSorted &&= member === base || this.isBefore(member - 1, member);
        this.step(COLON);
        this.space();
        this.value(level + 1);
        this.members[3 * member + 2] = this.length;
      } while (this.hasNext());
    this.step(CLOSE_OBJECT);
    if (!isSorted) this.sort(base);
    this.open = base;
  }

  private list(level: number): void {
    if (level > MAX_DATA_LEVELS) throw NOT_PLAIN;
    this.step(OPEN_LIST);
    if (this.source[this.at] !== CLOSE_LIST)
      do {
        this.value(level + 1);
      } while (this.hasNext());
    this.step(CLOSE_LIST);
  }

  /** Past what parts two values, if it is there. */
  private hasNext(): boolean {
    if (this.source[this.at] !== COMMA) return false;
    this.step(COMMA);
    this.space();
    return true;
  }

  /** Copied as it stands: jsonb escapes what RFC 8785 does, in the same way. */
  private string(isKey: boolean): void {
    const { source, bytes, pieces, end } = this;
    const start = this.at;
    if (source[start] !== QUOTE) throw NOT_PLAIN;
    const folded = pieces.bytes;
    const first = pieces.end;
    let to = this.length;
    let piece = first;
    let next = start + 1;
    let isPlain = true;
    bytes[to++] = QUOTE;
    for (let byte = source[next]!; byte !== QUOTE; byte = source[next]!) {
      if (next >= end || byte < SPACE || (isKey && (byte >= FIRST_OUT_OF_ORDER || byte === BACKSLASH)))
        throw NOT_PLAIN;
      if (byte === BACKSLASH) {
        bytes[to++] = byte;
        byte = source[++next]!;
        isPlain = false;
      } else if (byte >= FIRST_PAST_ASCII) isPlain = false;
      bytes[to++] = byte;
      folded[piece++] = FOLDED[byte]!;
      next += 1;
    }
    bytes[to++] = QUOTE;
    const text = isPlain ? '' : fold(JSON.parse(bytes.toString('utf8', this.length, to)));
    this.addPiece(isPlain ? piece : first + folded.write(text, first));
    this.length = to;
    this.at = next + 1;
  }

  private scalar(): void {
    const { source, end } = this;
    const start = this.at;
    let next = start;
    let digits = 0;
    let isInteger = true;
    for (
      let byte = source[next]!;
      byte !== COMMA && byte !== CLOSE_LIST && byte !== CLOSE_OBJECT;
      byte = source[next]!
    ) {
      if (next >= end) throw NOT_PLAIN;
      if (byte >= ZERO && byte <= NINE) digits += 1;
      else if (byte !== MINUS) isInteger = false;
      next += 1;
    }
    this.at = next;
    if (isInteger && digits <= PLAIN_DIGITS) this.literal(source, start, next);
    else {
      // Numbers as RFC 8785 asks (section 3.2.2.3).
      const written = Buffer.from(JSON.stringify(literalOf(source.toString('latin1', start, next))));
      this.literal(written, 0, written.length);
    }
  }

  private literal(source: Uint8Array, from: number, end: number): void {
    const { bytes, pieces } = this;
    let to = this.length;
    const folded = pieces.bytes;
    let piece = pieces.end;
    for (let next = from; next < end; next += 1) {
      const byte = source[next]!;
      bytes[to++] = byte;
      folded[piece++] = byte;
    }
    this.length = to;
    // A null is not looked for.
    if (source[from] !== LETTER_N) this.addPiece(piece);
  }

  private addPiece(end: number): void {
    if (!this.pieces.add(end)) throw NOT_PLAIN;
  }

  /** Past one byte, which is copied. */
  private step(byte: number): void {
    if (this.source[this.at] !== byte) throw NOT_PLAIN;
    this.at += 1;
    this.bytes[this.length++] = byte;
  }

  private space(): void {
    if (this.form === 'spaced' && this.source[this.at++] !== SPACE) throw NOT_PLAIN;
  }

  /** Puts the members of the object that was just closed, from `base` on, in the order of their keys. */
  private sort(base: number): void {
    const { members, bytes, spare } = this;
    const start = members[3 * base]!;
    for (let next = base + 1; next < this.open; next += 1)
      for (let at = next; at > base && !this.isBefore(at - 1, at); at -= 1) this.swap(at - 1, at);
    let to = start;
    for (let next = base; next < this.open; next += 1) {
      if (next > base) spare[to++] = COMMA;
      for (let from = members[3 * next]!; from < members[3 * next + 2]!; from += 1)
        spare[to++] = bytes[from]!;
    }
    for (let from = start; from < to; from += 1) bytes[from] = spare[from]!;
  }

  private swap(left: number, right: number): void {
    const { members } = this;
    for (let part = 0; part < 3; part += 1) {
      const kept = members[3 * left + part]!;
      members[3 * left + part] = members[3 * right + part]!;
      members[3 * right + part] = kept;
    }
  }

  /** Whether the key of one member comes before that of another; both end with a quotation mark, which does not count. */
  private isBefore(left: number, right: number): boolean {
    const { members, bytes } = this;
    let one = members[3 * left]!;
    let other = members[3 * right]!;
    const end = members[3 * left + 1]! - 1;
    const otherEnd = members[3 * right + 1]! - 1;
    while (one < end && other < otherEnd && bytes[one] === bytes[other]) {
      one += 1;
      other += 1;
    }
    if (one === end || other === otherEnd) return one === end;
    return bytes[one]! < bytes[other]!;
  }
}

function literalOf(text: string): unknown {
  if (LITERALS.has(text)) return LITERALS.get(text);
  const number = NUMBER.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(number)) throw NOT_PLAIN;
  return number;
}

/** Of JSON (RFC 8259, section 6); Number takes more. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

const LITERALS = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
]);
