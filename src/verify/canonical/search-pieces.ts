/** U+FFFF, which parts them. */
const BETWEEN = [0xef, 0xbf, 0xbf] as const;
const MOST_PIECES = 256;

/** The pieces of data's text for searching (src/log/search-text.ts), as bytes, to hold against the one that is stored. */
export class SearchPieces {
  /** Every piece, folded, one after the other; piece i ends at ends[i + 1]. */
  readonly bytes: Buffer;
  private readonly ends = new Int32Array(MOST_PIECES + 1);
  private count = 0;
  private readonly isTaken = new Uint8Array(MOST_PIECES);

  /** `most`: bytes of the text that they are made of. */
  constructor(most: number) {
    // Lower case takes up to half as much again, and a byte that is no UTF-8 becomes three.
    this.bytes = Buffer.alloc(3 * most);
  }

  clear(): void {
    this.count = 0;
  }

  /** Where the next one begins. */
  get end(): number {
    return this.ends[this.count]!;
  }

  /** Adds the bytes from `end` on; false where there are too many. */
  add(end: number): boolean {
    if (this.count === MOST_PIECES) return false;
    this.count += 1;
    this.ends[this.count] = end;
    return true;
  }

  /** Whether a text for searching has these pieces, in whatever order; `length` is -1 where there is none. */
  areOf(source: Uint8Array, from: number, length: number): boolean {
    const { bytes, ends, count, isTaken } = this;
    if (length < 0) return count === 0;
    isTaken.fill(0, 0, count);
    const end = from + length;
    let matched = 0;
    for (let start = from; start <= end; matched += 1) {
      if (matched === count) return false;
      let stop = start;
      while (
        stop < end &&
        !(source[stop] === BETWEEN[0] && source[stop + 1] === BETWEEN[1] && source[stop + 2] === BETWEEN[2])
      )
        stop += 1;
      // Most of them are not far from where they are in data.
      let piece = matched;
      for (let tried = 0; ; tried += 1, piece = piece + 1 === count ? 0 : piece + 1) {
        if (tried === count) return false;
        if (isTaken[piece] === 1) continue;
        const first = ends[piece]!;
        if (ends[piece + 1]! - first === stop - start && isSame(bytes, first, source, start, stop)) break;
      }
      isTaken[piece] = 1;
      start = stop + BETWEEN.length;
    }
    return matched === count;
  }
}

function isSame(left: Uint8Array, first: number, right: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (left[first + at - start] !== right[at]) return false;
  return true;
}
