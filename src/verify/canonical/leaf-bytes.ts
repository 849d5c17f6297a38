import { hash } from 'node:crypto';
import type { CopiedRow } from '../../database/copy-out.js';
import { LOWER_DIGIT, UPPER_DIGIT } from './hex.js';

const [QUOTE, BACKSLASH, DASH, COLON, DOT] = [0x22, 0x5c, 0x2d, 0x3a, 0x2e] as const;
const [ZERO, LETTER_Z] = [0x30, 0x5a] as const;

const NULL = Buffer.from('null');
const DAY = 86_400_000_000;
/** PostgreSQL counts from there. */
const EPOCH = Date.UTC(2000, 0, 1);
const MOST_DATES = 10_000;

/**
 * Canonical JSON (RFC 8785) put together as bytes, from the columns of a copied row, and hashed: what this avoids is a
 * string for every column.
 */
export class Preimage {
  readonly bytes: Buffer;
  length = 0;
  private readonly dates = new Map<number, Uint8Array>();

  constructor(capacity: number) {
    this.bytes = Buffer.alloc(capacity);
  }

  /** As it is. */
  put(part: Uint8Array): void {
    this.copy(part, 0, part.length);
  }

  /** Bytes from one place to before another, as they are. */
  copy(source: Uint8Array, from: number, end: number): void {
    const { bytes } = this;
    let at = this.length;
    for (let next = from; next < end; next += 1) bytes[at++] = source[next]!;
    this.length = at;
  }

  /** A column's bytes as they are. */
  raw(row: CopiedRow, column: number): void {
    const from = row.starts[column]!;
    this.copy(row.bytes, from, from + row.lengths[column]!);
  }

  string(row: CopiedRow, column: number): void {
    const length = row.lengths[column]!;
    if (length < 0) {
      this.put(NULL);
      return;
    }
    const { bytes } = this;
    const source = row.bytes;
    const from = row.starts[column]!;
    let at = this.length;
    bytes[at++] = QUOTE;
    for (let next = from; next < from + length; next += 1) {
      const byte = source[next]!;
      if (byte < 0x20 || byte === QUOTE || byte === BACKSLASH) {
        this.length += bytes.write(JSON.stringify(row.text(column)), this.length);
        return;
      }
      bytes[at++] = byte;
    }
    bytes[at++] = QUOTE;
    this.length = at;
  }

  uuid(row: CopiedRow, column: number): void {
    const from = row.starts[column]!;
    if (row.isNull(column)) this.put(NULL);
    else {
      this.mark(QUOTE);
      this.digits(row.bytes, from, from + 4);
      this.mark(DASH);
      this.digits(row.bytes, from + 4, from + 6);
      this.mark(DASH);
      this.digits(row.bytes, from + 6, from + 8);
      this.mark(DASH);
      this.digits(row.bytes, from + 8, from + 10);
      this.mark(DASH);
      this.digits(row.bytes, from + 10, from + 16);
      this.mark(QUOTE);
    }
  }

  /** Bytes as lower-case hex. */
  hex(row: CopiedRow, column: number): void {
    const from = row.starts[column]!;
    if (row.isNull(column)) this.put(NULL);
    else this.quoted(row.bytes, from, from + row.lengths[column]!);
  }

  /** Bytes from one place to before another, as lower-case hex. */
  quoted(source: Uint8Array, from: number, end: number): void {
    this.mark(QUOTE);
    this.digits(source, from, end);
    this.mark(QUOTE);
  }

  /** A timestamptz as `2026-01-05T10:00:00.123456Z`; false where it is centuries away, since numbers are not as exact there. */
  instant(row: CopiedRow, column: number): boolean {
    const micros = row.bigint(column);
    if (!Number.isSafeInteger(micros)) return false;
    const day = Math.floor(micros / DAY);
    const within = micros - day * DAY;
    const seconds = Math.floor(within / 1e6);
    const fraction = within - seconds * 1e6;
    this.mark(QUOTE);
    this.put(this.dateOf(day));
    this.pair(Math.floor(seconds / 3600));
    this.mark(COLON);
    this.pair(Math.floor(seconds / 60) % 60);
    this.mark(COLON);
    this.pair(seconds % 60);
    this.mark(DOT);
    this.pair(Math.floor(fraction / 10_000));
    this.pair(Math.floor(fraction / 100) % 100);
    this.pair(fraction % 100);
    this.mark(LETTER_Z);
    this.mark(QUOTE);
    return true;
  }

  /** The lower-case hex of SHA-256; empty where there was no room for all of it. */
  digest(): string {
    if (this.length > this.bytes.length) return '';
    return hash('sha256', this.bytes.subarray(0, this.length), 'hex');
  }

  /** `2026-01-05T`; neighbours in a log are mostly of one day. */
  private dateOf(day: number): Uint8Array {
    let date = this.dates.get(day);
    if (!date) {
      if (this.dates.size >= MOST_DATES) this.dates.clear();
      date = Buffer.from(new Date(EPOCH + (day * DAY) / 1000).toISOString().slice(0, 11));
      this.dates.set(day, date);
    }
    return date;
  }

  private mark(byte: number): void {
    this.bytes[this.length++] = byte;
  }

  private pair(number: number): void {
    this.mark(ZERO + Math.floor(number / 10));
    this.mark(ZERO + (number % 10));
  }

  private digits(source: Uint8Array, from: number, end: number): void {
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
