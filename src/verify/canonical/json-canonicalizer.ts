import { MAX_DATA_LEVELS } from '../../log/entry/check-data.js';
import type { HashInput } from './hash-input.js';
import { LOWER_CASE, SearchPieces } from './search-pieces.js';

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a] as const;
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d] as const;
const [SPACE, MINUS, ZERO, NINE] = [0x20, 0x2d, 0x30, 0x39] as const;
const [LETTER_N, FIRST_NON_ASCII] = [0x6e, 0x80] as const;
/** From here on, UTF-8 bytes do not sort as UTF-16 code units do, by which RFC 8785 sorts keys. */
const FIRST_UNSORTED = 0xee;
/** An integer of so many digits is in RFC 8785's form already. */
const MAX_INTEGER_DIGITS = 15;
const MAX_MEMBERS = 4096;

/** Thrown for what only JSON.parse handles, or rejects. */
const UNSUPPORTED = new Error('expected JSON of a supported form');

/**
 * Turns a JSON object as jsonb or JSON.stringify prints it into canonical JSON (RFC 8785) and the pieces of search text
 * that it has, in one pass over the bytes; several times as fast as JSON.parse and canonicalize. It handles the common forms only.
 */
export class JsonCanonicalizer {
  private source: Buffer = Buffer.alloc(0);
  private at = 0;
  private end = 0;
  private bytes: Buffer = this.source;
  private length = 0;
  private readonly spare: Buffer;
  /** Of the object written last. */
  readonly pieces: SearchPieces;
  /** Members of the objects that are open: where in `bytes` each begins, its key ends, and it ends. */
  private readonly members = new Int32Array(3 * MAX_MEMBERS);
  private open = 0;

  /** `form`: with a space after `:` and `,` as jsonb prints it, or without as JSON.stringify does. */
  constructor(
    private readonly maxBytes: number,
    private readonly form: 'spaced' | 'tight',
  ) {
    this.spare = Buffer.alloc(2 * maxBytes);
    this.pieces = new SearchPieces(maxBytes);
  }

  /**
   * Appends the object that begins at `from` in canonical form. Returns where it ends in the source, which is `end` at most;
   * -1 if it is not of a supported form.
   */
  write(into: HashInput, source: Buffer, from: number, end: number): number {
    this.source = source;
    this.at = from;
    this.end = Math.min(end, from + this.maxBytes);
    this.bytes = into.bytes;
    this.length = into.length;
    this.pieces.clear();
    this.open = 0;
    try {
      this.object(1);
    } catch (error) {
      // From JSON.parse, of an invalid escape.
      if (error === UNSUPPORTED || error instanceof SyntaxError) return -1;
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
    if (level > MAX_DATA_LEVELS) throw UNSUPPORTED;
    this.copyByte(OPEN_OBJECT);
    const base = this.open;
    let isSorted = true;
    if (this.source[this.at] !== CLOSE_OBJECT)
      do {
        if (this.open === MAX_MEMBERS) throw UNSUPPORTED;
        const member = this.open++;
        this.members[3 * member] = this.length;
        this.string(true);
        this.members[3 * member + 1] = this.length;
        isSorted &&= member === base || this.isBefore(member - 1, member);
        this.copyByte(COLON);
        this.skipSpace();
        this.value(level + 1);
        this.members[3 * member + 2] = this.length;
      } while (this.hasNext());
    this.copyByte(CLOSE_OBJECT);
    if (!isSorted) this.sort(base);
    this.open = base;
  }

  private list(level: number): void {
    if (level > MAX_DATA_LEVELS) throw UNSUPPORTED;
    this.copyByte(OPEN_LIST);
    if (this.source[this.at] !== CLOSE_LIST)
      do {
        this.value(level + 1);
      } while (this.hasNext());
    this.copyByte(CLOSE_LIST);
  }

  /** Copies the comma before another value, if there is one. */
  private hasNext(): boolean {
    if (this.source[this.at] !== COMMA) return false;
    this.copyByte(COMMA);
    this.skipSpace();
    return true;
  }

  /** Copied as it is: both forms escape as RFC 8785 does. */
  private string(isKey: boolean): void {
    const { source, bytes, pieces, end } = this;
    const start = this.at;
    if (source[start] !== QUOTE) throw UNSUPPORTED;
    const folded = pieces.bytes;
    let to = this.length;
    let piece = pieces.end;
    let next = start + 1;
    let isPlain = true;
    bytes[to++] = QUOTE;
    for (let byte = source[next]!; byte !== QUOTE; byte = source[next]!) {
      if (next >= end || byte < SPACE || (isKey && (byte >= FIRST_UNSORTED || byte === BACKSLASH)))
        throw UNSUPPORTED;
      if (byte === BACKSLASH) {
        bytes[to++] = byte;
        byte = source[++next]!;
        isPlain = false;
      } else if (byte >= FIRST_NON_ASCII || (byte === SPACE && source[next + 1] === SPACE)) isPlain = false;
      bytes[to++] = byte;
      folded[piece++] = LOWER_CASE[byte]!;
      next += 1;
    }
    bytes[to++] = QUOTE;
    const isAdded = isPlain
      ? pieces.add(piece)
      : pieces.addNormalized(JSON.parse(bytes.toString('utf8', this.length, to)));
    if (!isAdded) throw UNSUPPORTED;
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
      if (next >= end) throw UNSUPPORTED;
      if (byte >= ZERO && byte <= NINE) digits += 1;
      else if (byte !== MINUS) isInteger = false;
      next += 1;
    }
    this.at = next;
    if (isInteger && digits <= MAX_INTEGER_DIGITS) this.literal(source, start, next);
    else {
      // RFC 8785, section 3.2.2.3.
      const canonical = Buffer.from(JSON.stringify(literalOf(source.toString('latin1', start, next))));
      this.literal(canonical, 0, canonical.length);
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
    // null is not searched.
    if (source[from] !== LETTER_N && !pieces.add(piece)) throw UNSUPPORTED;
  }

  private copyByte(byte: number): void {
    if (this.source[this.at] !== byte) throw UNSUPPORTED;
    this.at += 1;
    this.bytes[this.length++] = byte;
  }

  private skipSpace(): void {
    if (this.form === 'spaced' && this.source[this.at++] !== SPACE) throw UNSUPPORTED;
  }

  /** Sorts the members of the object just closed, from `base` on, by key. */
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
      const moved = members[3 * left + part]!;
      members[3 * left + part] = members[3 * right + part]!;
      members[3 * right + part] = moved;
    }
  }

  /** Compares the keys of two members, without their closing quotation marks. */
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
  if (!Number.isFinite(number)) throw UNSUPPORTED;
  return number;
}

/** RFC 8259, section 6; Number accepts more. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

const LITERALS = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
]);
