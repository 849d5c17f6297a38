import type { CopiedRow } from '../../database/copy-out.js';
import { LOWER_DIGIT, UPPER_DIGIT } from './hex.js';

const [QUOTE, BACKSLASH, DASH, COLON, DOT] = [0x22, 0x5c, 0x2d, 0x3a, 0x2e] as const;
const [ZERO, LETTER_Z] = [0x30, 0x5a] as const;

const [OPEN_LIST, CLOSE_LIST, COMMA] = [0x5b, 0x5d, 0x2c] as const;
/** Of an array of one dimension: how many, whether with nulls, the type, the length and the lowest index. */
const ARRAY_HEADER_BYTES = 20;
/** Its oid in pg_type. */
const TEXT_TYPE = 25;

const NULL = Buffer.from('null');
const DAY_MICROSECONDS = 86_400_000_000;
/** PostgreSQL's epoch. */
const EPOCH = Date.UTC(2000, 0, 1);
const MAX_CACHED_DATES = 10_000;

/**
 * A buffer into which columns of copied rows are written as JSON, as bytes and without a string for each. Writing past the
 * end has no effect but on `length`.
 */
export class RowBytes {
  bytes: Buffer;
  length = 0;
  private readonly dates = new Map<number, Uint8Array>();

  constructor(capacity: number) {
    this.bytes = Buffer.alloc(capacity);
  }

  append(part: Uint8Array): void {
    this.appendRange(part, 0, part.length);
  }

  /** From `from` (inclusive) to `end` (exclusive). */
  appendRange(source: Uint8Array, from: number, end: number): void {
    const { bytes } = this;
    let at = this.length;
    for (let next = from; next < end; next += 1) bytes[at++] = source[next]!;
    this.length = at;
  }

  /** A column's bytes, unchanged. */
  column(row: CopiedRow, column: number): void {
    const from = row.starts[column]!;
    this.appendRange(row.bytes, from, from + row.lengths[column]!);
  }

  /** A text column as a JSON string. */
  string(row: CopiedRow, column: number): void {
    const from = row.starts[column]!;
    if (row.isNull(column)) this.append(NULL);
    else this.stringRange(row.bytes, from, from + row.lengths[column]!);
  }

  /**
   * A column of type text[] as a JSON list of strings; false if it is neither null nor of one dimension, from 1, without
   * nulls (PostgreSQL's array_send).
   */
  list(row: CopiedRow, column: number): boolean {
    if (row.isNull(column)) {
      this.append(NULL);
      return true;
    }
    const { bytes } = row;
    const start = row.starts[column]!;
    const end = start + row.lengths[column]!;
    if (end - start < ARRAY_HEADER_BYTES) return false;
    const [dimensions, nulls, type, count, lowest] = [0, 4, 8, 12, 16].map((at) =>
      bytes.readInt32BE(start + at),
    );
    if (dimensions !== 1 || nulls !== 0 || type !== TEXT_TYPE || lowest !== 1) return false;
    let at = start + ARRAY_HEADER_BYTES;
    this.byte(OPEN_LIST);
    for (let index = 0; index < count!; index += 1) {
      const from = at + 4;
      if (from > end) return false;
      at = from + bytes.readInt32BE(from - 4);
      if (at < from || at > end) return false;
      if (index > 0) this.byte(COMMA);
      this.stringRange(bytes, from, at);
    }
    this.byte(CLOSE_LIST);
    return at === end;
  }

  /** A uuid column as a JSON string. */
  uuid(row: CopiedRow, column: number): void {
    if (row.isNull(column)) this.append(NULL);
    else {
      this.byte(QUOTE);
      this.uuidText(row, column);
      this.byte(QUOTE);
    }
  }

  /** A uuid column that is not null. */
  uuidText(row: CopiedRow, column: number): void {
    const from = row.starts[column]!;
    this.hexDigits(row.bytes, from, from + 4);
    this.byte(DASH);
    this.hexDigits(row.bytes, from + 4, from + 6);
    this.byte(DASH);
    this.hexDigits(row.bytes, from + 6, from + 8);
    this.byte(DASH);
    this.hexDigits(row.bytes, from + 8, from + 10);
    this.byte(DASH);
    this.hexDigits(row.bytes, from + 10, from + 16);
  }

  /** A bytea column as a JSON string of lower-case hex. */
  hex(row: CopiedRow, column: number): void {
    const from = row.starts[column]!;
    if (row.isNull(column)) this.append(NULL);
    else this.hexRange(row.bytes, from, from + row.lengths[column]!);
  }

  /** Bytes from `from` (inclusive) to `end` (exclusive) as a JSON string of lower-case hex. */
  hexRange(source: Uint8Array, from: number, end: number): void {
    this.byte(QUOTE);
    this.hexDigits(source, from, end);
    this.byte(QUOTE);
  }

  /** A timestamptz column as `"2026-01-05T10:00:00.123456Z"`; false if it is beyond 2^53 microseconds from the epoch. */
  instant(row: CopiedRow, column: number): boolean {
    const start = this.length;
    this.byte(QUOTE);
    const isWritten = this.instantText(row, column);
    this.byte(QUOTE);
    if (!isWritten) this.length = start;
    return isWritten;
  }

  /** The same without quotes. */
  instantText(row: CopiedRow, column: number): boolean {
    const micros = row.bigint(column);
    if (!Number.isSafeInteger(micros)) return false;
    const day = Math.floor(micros / DAY_MICROSECONDS);
    const within = micros - day * DAY_MICROSECONDS;
    const seconds = Math.floor(within / 1e6);
    const fraction = within - seconds * 1e6;
    this.append(this.dateOf(day));
    this.twoDigits(Math.floor(seconds / 3600));
    this.byte(COLON);
    this.twoDigits(Math.floor(seconds / 60) % 60);
    this.byte(COLON);
    this.twoDigits(seconds % 60);
    this.byte(DOT);
    this.twoDigits(Math.floor(fraction / 10_000));
    this.twoDigits(Math.floor(fraction / 100) % 100);
    this.twoDigits(fraction % 100);
    this.byte(LETTER_Z);
    return true;
  }

  /** `2026-01-05T`. Cached, since consecutive entries are mostly of one day. */
  private dateOf(day: number): Uint8Array {
    let date = this.dates.get(day);
    if (!date) {
      if (this.dates.size >= MAX_CACHED_DATES) this.dates.clear();
      date = Buffer.from(new Date(EPOCH + (day * DAY_MICROSECONDS) / 1000).toISOString().slice(0, 11));
      this.dates.set(day, date);
    }
    return date;
  }

  /** UTF-8 from `from` (inclusive) to `end` (exclusive) as a JSON string. */
  private stringRange(source: Buffer, from: number, end: number): void {
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = QUOTE;
    for (let next = from; next < end; next += 1) {
      const byte = source[next]!;
      if (byte < 0x20 || byte === QUOTE || byte === BACKSLASH) {
        this.length += bytes.write(JSON.stringify(source.toString('utf8', from, end)), this.length);
        return;
      }
      bytes[at++] = byte;
    }
    bytes[at++] = QUOTE;
    this.length = at;
  }

  byte(byte: number): void {
    this.bytes[this.length++] = byte;
  }

  private twoDigits(number: number): void {
    this.byte(ZERO + Math.floor(number / 10));
    this.byte(ZERO + (number % 10));
  }

  private hexDigits(source: Uint8Array, from: number, end: number): void {
    const { bytes } = this;
    let at = this.length;
    for (let next = from; next < end; next += 1) {
      const byte = source[next]!;
      bytes[at++] = UPPER_DIGIT[byte]!;
      bytes[at++] = LOWER_DIGIT[byte]!;
    }
    this.length = at;
  }
}
