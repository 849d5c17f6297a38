/** U+FFFF in UTF-8, which separates pieces. */
const SEPARATOR = [0xef, 0xbf, 0xbf] as const;
const MAX_PIECES = 256;

/** The pieces of data's search text (log/entry/search-text.ts) as bytes, to compare with a stored search_text. */
export class SearchPieces {
  /** The folded pieces, concatenated; piece i is from ends[i] to ends[i + 1]. */
  readonly bytes: Buffer;
  private readonly ends = new Int32Array(MAX_PIECES + 1);
  private count = 0;
  private readonly isMatched = new Uint8Array(MAX_PIECES);

  /** `maxBytes`: of the JSON text that they come from. */
  constructor(maxBytes: number) {
    // Lower case takes up to half as many bytes again, and an invalid byte becomes U+FFFD, of three.
    this.bytes = Buffer.alloc(3 * maxBytes);
  }

  clear(): void {
    this.count = 0;
  }

  /** Where the next piece begins. */
  get end(): number {
    return this.ends[this.count]!;
  }

  /** Adds the piece written from the present end to `end`; false if there are too many. */
  add(end: number): boolean {
    if (this.count === MAX_PIECES) return false;
    this.count += 1;
    this.ends[this.count] = end;
    return true;
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
      while (
        stop < end &&
        !(
          source[stop] === SEPARATOR[0] &&
          source[stop + 1] === SEPARATOR[1] &&
          source[stop + 2] === SEPARATOR[2]
        )
      )
        stop += 1;
      // Mostly near its position in data.
      let piece = matched;
      for (let tried = 0; ; tried += 1, piece = piece + 1 === count ? 0 : piece + 1) {
        if (tried === count) return false;
        if (isMatched[piece] === 1) continue;
        const first = ends[piece]!;
        if (ends[piece + 1]! - first === stop - start && isSame(bytes, first, source, start, stop)) break;
      }
      isMatched[piece] = 1;
      start = stop + SEPARATOR.length;
    }
    return matched === count;
  }
}

function isSame(left: Uint8Array, first: number, right: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (left[first + at - start] !== right[at]) return false;
  return true;
}
