import { normalize } from '../../log/entry/search-text.js';

const [NEWLINE, SPACE, FIRST_NON_ASCII] = [0x0a, 0x20, 0x80] as const;
const MAX_PIECES = 256;
const UUID_BYTES = 16;
const HYPHEN = 0x2d;

/** Each byte, upper-case ASCII letters in lower case. */
export const LOWER_CASE = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte,
);
const HEX = Buffer.from('0123456789abcdef');

/** The pieces of an entry's search text (log/entry/search-text.ts) as bytes, to compare with a stored search_text. */
export class SearchPieces {
  /** The normalized pieces, concatenated; piece i is from ends[i] to ends[i + 1]. */
  readonly bytes: Buffer;
  private readonly ends = new Int32Array(MAX_PIECES + 1);
  private count = 0;
  private readonly isMatched = new Uint8Array(MAX_PIECES);

  /** `maxBytes`: of the texts that they come from. Normalizing may lengthen them. */
  constructor(maxBytes: number) {
    this.bytes = Buffer.alloc(3 * maxBytes);
  }

  clear(): void {
    this.count = 0;
  }

  /** Where the next piece begins. */
  get end(): number {
    return this.ends[this.count]!;
  }

  /** Adds the piece written from the present end to `end`; false if there are too many, or they are too long. */
  add(end: number): boolean {
    if (this.count === MAX_PIECES || end > this.bytes.length) return false;
    this.count += 1;
    this.ends[this.count] = end;
    return true;
  }

  /** Adds a text of `length` bytes from `from` on, normalized; false as add. */
  addText(source: Buffer, from: number, length: number): boolean {
    const { bytes } = this;
    const first = this.end;
    for (let at = 0; at < length; at += 1) {
      const byte = source[from + at]!;
      if (byte < SPACE || byte >= FIRST_NON_ASCII || (byte === SPACE && source[from + at + 1] === SPACE))
        return this.addNormalized(source.toString('utf8', from, from + length));
      bytes[first + at] = LOWER_CASE[byte]!;
    }
    return this.add(first + length);
  }

  /** Adds a text, normalized. */
  addNormalized(text: string): boolean {
    const normalized = normalize(text);
    const end = this.end + Buffer.byteLength(normalized);
    if (end <= this.bytes.length) this.bytes.write(normalized, this.end);
    return this.add(end);
  }

  /** Adds a UUID of 16 bytes. */
  addUuid(source: Uint8Array, from: number): boolean {
    const { bytes } = this;
    let to = this.end;
    for (let at = 0; at < UUID_BYTES; at += 1) {
      if (at === 4 || at === 6 || at === 8 || at === 10) bytes[to++] = HYPHEN;
      const byte = source[from + at]!;
      bytes[to++] = HEX[byte >> 4]!;
      bytes[to++] = HEX[byte & 15]!;
    }
    return this.add(to);
  }

  /** Whether a search text has exactly these pieces, in any order; `length` is -1 if it is null. */
  matches(source: Uint8Array, from: number, length: number): boolean {
    const { bytes, ends, count, isMatched } = this;
    if (length < 0) return count === 0;
    isMatched.fill(0, 0, count);
    const end = from + length;
    let matched = 0;
    for (let start = from; start <= end; matched += 1) {
      if (matched === count) return false;
      let stop = start;
      while (stop < end && source[stop] !== NEWLINE) stop += 1;
      // Mostly near its position among them.
      let piece = matched;
      for (let tried = 0; ; tried += 1, piece = piece + 1 === count ? 0 : piece + 1) {
        if (tried === count) return false;
        if (isMatched[piece] === 1) continue;
        const first = ends[piece]!;
        if (ends[piece + 1]! - first === stop - start && isSame(bytes, first, source, start, stop)) break;
      }
      isMatched[piece] = 1;
      start = stop + 1;
    }
    return matched === count;
  }
}

function isSame(left: Uint8Array, first: number, right: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (left[first + at - start] !== right[at]) return false;
  return true;
}
