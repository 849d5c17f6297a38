import type { CopiedRow } from '../../database/copy-out.js';
import { RowBytes } from './row-bytes.js';

const [QUOTE, BACKSLASH, SPACE, COMMA, OPEN_OBJECT] = [0x22, 0x5c, 0x20, 0x2c, 0x7b] as const;
const [ZERO, NINE, MINUS, PLUS, DOT] = [0x30, 0x39, 0x2d, 0x2b, 0x2e] as const;
const [LETTER_T, LETTER_Z] = [0x54, 0x5a] as const;
/** A byte of text is six at most, as in `\u001f`. */
const MAX_ESCAPED_BYTES = 6;
/** What is around a value, and more than a value takes whose text in JSON is not that of its column. */
const AROUND_VALUE = 64;
const ENDS_NUMBER: ReadonlySet<number> = new Set([...', ]}'].map((each) => each.charCodeAt(0)));
/** Integers of so many digits are as JSON.stringify writes them. */
const PLAIN_DIGITS = 15;
/** `2026-01-05 10:00:00`, and what follows it in UTC. */
const SECONDS_LENGTH = 19;
const UTC_LENGTH = 3;
const FRACTION_DIGITS = 6;
const MAX_SHORT = 64;
const MAX_ASCII = 0x7f;

/** A piece of a file or of an answer, which grows as it must. Columns are given as text, but where RowBytes has them otherwise. */
export class GrowingBytes extends RowBytes {
  /** Bytes that were taken since `begin`. */
  private taken = 0;
  private most = Number.POSITIVE_INFINITY;

  /** From here on more than so many bytes, and about a value, are refused. */
  begin(most: number): void {
    this.length = 0;
    this.taken = 0;
    this.most = most;
  }

  /** Makes room for so many bytes more. Errors: RangeError where there are too many already. */
  ensure(bytes: number): void {
    if (this.taken + this.length > this.most)
      throw new RangeError(`expected at most ${this.most} bytes, got more`);
    if (this.length + bytes > this.bytes.length)
      this.bytes = Buffer.concat([this.bytes.subarray(0, this.length)], 2 * this.length + bytes);
  }

  /** Makes room for the column of a row as JSON, and for `more` bytes. */
  ensureValue(row: CopiedRow, column: number, more: number): void {
    this.ensure(more + AROUND_VALUE + MAX_ESCAPED_BYTES * Math.max(0, row.lengths[column]!));
  }

  text(text: string): void {
    if (text.length <= MAX_SHORT && this.shortText(text)) return;
    const size = Buffer.byteLength(text);
    this.ensure(size);
    this.bytes.write(text, this.length);
    this.length += size;
  }

  /** False, and nothing written, where it has other characters than ASCII's. To call into the engine takes longer than a few characters do. */
  private shortText(text: string): boolean {
    this.ensure(text.length);
    const { bytes, length } = this;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code > MAX_ASCII) return false;
      bytes[length + at] = code;
    }
    this.length = length + text.length;
    return true;
  }

  /** Everything since the last call. */
  take(): Buffer {
    const piece = Buffer.from(this.bytes.subarray(0, this.length));
    this.taken += this.length;
    this.length = 0;
    return piece;
  }

  /** A column that has nothing to escape, as a JSON string. */
  quoted(row: CopiedRow, column: number): void {
    this.byte(QUOTE);
    this.column(row, column);
    this.byte(QUOTE);
  }

  /**
   * A timestamptz column as a session in UTC writes it, as `"2026-01-05T10:00:00.123456Z"`; false, and nothing written, if it is of
   * another form.
   */
  utc(row: CopiedRow, column: number): boolean {
    const { bytes } = row;
    const start = row.starts[column]!;
    const end = start + row.lengths[column]! - UTC_LENGTH;
    const seconds = start + SECONDS_LENGTH;
    const isPlain =
      bytes[end] === PLUS &&
      bytes[end + 1] === ZERO &&
      bytes[end + 2] === ZERO &&
      bytes[start + 4] === MINUS &&
      (end === seconds || (bytes[seconds] === DOT && end <= seconds + 1 + FRACTION_DIGITS));
    if (!isPlain) return false;
    this.byte(QUOTE);
    const from = this.length;
    this.appendRange(bytes, start, seconds);
    this.bytes[from + 10] = LETTER_T;
    this.byte(DOT);
    for (let at = seconds + 1; at <= seconds + FRACTION_DIGITS; at += 1)
      this.byte(at < end ? bytes[at]! : ZERO);
    this.byte(LETTER_Z);
    this.byte(QUOTE);
    return true;
  }

  /**
   * A jsonb column as JSON.stringify writes what JSON.parse reads of it: without white space, numbers as JavaScript has them. An object whose keys may be
   * numbers, which JavaScript puts first, is parsed.
   */
  compact(row: CopiedRow, column: number): void {
    const { bytes: source } = row;
    const start = row.starts[column]!;
    const end = start + row.lengths[column]!;
    const begin = this.length;
    let before: number = COMMA;
    let at = start;
    while (at < end) {
      const byte = source[at]!;
      let next = at + 1;
      if (byte === QUOTE) {
        if ((before === COMMA || before === OPEN_OBJECT) && isDigit(source[next])) {
          this.length = begin;
          this.text(JSON.stringify(JSON.parse(row.text(column))));
          return;
        }
        while (source[next] !== QUOTE && next < end) next += source[next] === BACKSLASH ? 2 : 1;
        next += 1;
        this.appendRange(source, at, next);
      } else if (byte === MINUS || isDigit(byte)) {
        let isPlain = true;
        for (; next < end && !ENDS_NUMBER.has(source[next]!); next += 1)
          if (!isDigit(source[next])) isPlain = false;
        if (isPlain && next - at <= PLAIN_DIGITS) this.appendRange(source, at, next);
        else this.text(JSON.stringify(Number(source.toString('latin1', at, next))));
      } else if (byte !== SPACE) this.byte(byte);
      if (byte !== SPACE) before = byte;
      at = next;
    }
  }
}

/** Bytes of a piece, but where one item is longer. */
const PIECE_BYTES = 64 * 1024;
/** One that is longer is not kept for the next list. */
const MAX_KEPT_BYTES = 16 * PIECE_BYTES;
let kept: GrowingBytes | null = null;

/** What `write` writes, of about `most` bytes at most. Errors: those of `write`; RangeError for more. */
export const bytesOf = (write: (out: GrowingBytes) => void, most = Number.POSITIVE_INFINITY): Buffer =>
  withBytes(most, (out) => {
    write(out);
    return out.take();
  });

/** A JSON list of items, each as `write` writes it, in pieces of about `most` bytes together at most. Errors: as above. */
export const listOf = <T>(
  items: readonly T[],
  write: (out: GrowingBytes, item: T) => void,
  most = Number.POSITIVE_INFINITY,
): Buffer[] =>
  withBytes(most, (out) => {
    const made: Buffer[] = [];
    out.text('[');
    // Without entries(), which makes an array for each.
    for (let at = 0; at < items.length; at += 1) {
      if (at > 0) out.text(',');
      write(out, items[at]!);
      if (out.length >= PIECE_BYTES) made.push(out.take());
    }
    out.text(']');
    return [...made, out.take()];
  });

function withBytes<T>(most: number, use: (out: GrowingBytes) => T): T {
  const out = kept ?? new GrowingBytes(PIECE_BYTES);
  kept = null;
  out.begin(most);
  const made = use(out);
  if (out.bytes.length <= MAX_KEPT_BYTES) kept = out;
  return made;
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= NINE;
