import type { ClientBase } from 'pg';
import { to } from 'pg-copy-streams';
import { RowsTooLong } from './counted-query.js';

/** Signature, flags and length of the header extension: 11, 4 and 4 bytes. */
const HEADER_BYTES = 19;

/** A row in COPY's binary format; a column is `lengths` bytes of `bytes` from `starts` on. Reused for the next row. */
export class CopiedRow {
  bytes: Buffer = Buffer.alloc(0);
  /** In bytes, of all columns. */
  size = 0;
  readonly starts: Int32Array;
  /** In bytes; -1 where the column is null. */
  readonly lengths: Int32Array;

  constructor(readonly columns: number) {
    this.starts = new Int32Array(columns);
    this.lengths = new Int32Array(columns);
  }

  /** Reads the row at `start`. Returns where the next row starts, or -1 where this one is incomplete. */
  take(bytes: Buffer, start: number): number {
    let at = start + 2;
    if (at > bytes.length) return -1;
    for (let column = 0; column < this.columns; column += 1) {
      if (at + 4 > bytes.length) return -1;
      const length = bytes.readInt32BE(at);
      at += 4;
      this.starts[column] = at;
      this.lengths[column] = length;
      if (length > 0) at += length;
    }
    this.bytes = bytes;
    this.size = at - start;
    return at <= bytes.length ? at : -1;
  }

  isNull(column: number): boolean {
    return this.lengths[column]! < 0;
  }

  /** NaN where the column is null. */
  smallint(column: number): number {
    if (this.lengths[column] !== 2) return Number.NaN;
    return this.bytes.readInt16BE(this.starts[column]!);
  }

  /** A bigint, or a timestamptz in microseconds, within ±(2^53 - 1); NaN where the column is null. */
  bigint(column: number): number {
    if (this.lengths[column] !== 8) return Number.NaN;
    const at = this.starts[column]!;
    return this.bytes.readInt32BE(at) * 2 ** 32 + this.bytes.readUInt32BE(at + 4);
  }

  text(column: number): string {
    const at = this.starts[column]!;
    return this.bytes.toString('utf8', at, at + this.lengths[column]!);
  }

  /** The column's bytes as a string, one character each, for use as a key. */
  latin1(column: number): string {
    const at = this.starts[column]!;
    return this.bytes.toString('latin1', at, at + this.lengths[column]!);
  }

  /** Whether the column's bytes are those of `others` from `start` on. */
  isAt(column: number, others: Uint8Array, start: number): boolean {
    const { bytes } = this;
    const from = this.starts[column]!;
    const length = this.lengths[column]!;
    for (let at = 0; at < length; at += 1) if (bytes[from + at] !== others[start + at]) return false;
    return true;
  }

  /** Whether two columns have the same bytes. */
  isSame(one: number, other: number): boolean {
    return this.lengths[one] === this.lengths[other] && this.isAt(one, this.bytes, this.starts[other]!);
  }
}

/** The rows of copiedBytes, one after the other. Errors: an Error where there are other bytes. */
export function* copiedRows(bytes: Buffer, columns: number): Generator<CopiedRow> {
  const row = new CopiedRow(columns);
  let at = HEADER_BYTES;
  while (at + 2 <= bytes.length && bytes.readInt16BE(at) === columns) {
    at = row.take(bytes, at);
    if (at < 0) break;
    yield row;
  }
  if (at + 2 !== bytes.length || bytes.readInt16BE(at) !== -1)
    throw new Error(`expected rows of ${columns} columns from COPY, got bytes that are none`);
}

/** The values of one column, each `width` bytes, back to back. */
export class FixedColumn {
  bytes: Buffer;
  count = 0;

  /** `expected` is a hint at the number of values; more may be pushed. */
  constructor(
    private readonly width: number,
    expected: number,
  ) {
    this.bytes = Buffer.alloc(width * expected);
  }

  /** Of values that are back to back already. */
  static of(width: number, bytes: Uint8Array): FixedColumn {
    const column = new FixedColumn(width, 0);
    column.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    column.count = bytes.byteLength / width;
    return column;
  }

  /** A value of another width is stored as zeros. */
  push(row: CopiedRow, column: number): void {
    const { width } = this;
    const start = this.count++ * width;
    if (start === this.bytes.length) this.bytes = Buffer.concat([this.bytes], 2 * start + width);
    if (row.lengths[column] !== width) return;
    const from = row.starts[column]!;
    for (let at = 0; at < width; at += 1) this.bytes[start + at] = row.bytes[from + at]!;
  }

  at(index: number): Buffer {
    return this.bytes.subarray(index * this.width, (index + 1) * this.width);
  }

  each(): Buffer[] {
    return Array.from({ length: this.count }, (_, index) => this.at(index));
  }

  all(): Buffer {
    return this.bytes.subarray(0, this.count * this.width);
  }

  /** Negative where value `one` sorts before value `other`. */
  compare(one: number, other: number): number {
    const { bytes, width } = this;
    for (let at = 0; at < width; at += 1) {
      const difference = bytes[one * width + at]! - bytes[other * width + at]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

/**
 * Passes each row of a query to `read` as it arrives, so that memory holds no more than what `read` keeps (PostgreSQL's
 * manual, COPY, "Binary Format"). Errors: the first that `read` throws; an Error where the stream is not as expected.
 */
export async function copyOut(
  client: ClientBase,
  query: string,
  columns: number,
  read: (row: CopiedRow) => void,
): Promise<void> {
  const row = new CopiedRow(columns);
  let pending: Buffer[] = [];
  let size = 0;
  /** Bytes to wait for before the next attempt, so that a long row is not concatenated anew for each of its chunks. */
  let wanted = 0;
  let start = HEADER_BYTES;
  const errors: unknown[] = [];
  const readPending = () => {
    const bytes = pending.length === 1 ? pending[0]! : Buffer.concat(pending, size);
    while (start + 2 <= bytes.length && bytes.readInt16BE(start) === columns) {
      const next = row.take(bytes, start);
      if (next < 0) break;
      try {
        if (errors.length === 0) read(row);
      } catch (error) {
        // Thrown at the end: the connection cannot be reused before the whole stream was received.
        errors.push(error);
      }
      start = next;
    }
    const rest = bytes.subarray(Math.min(start, bytes.length));
    start = Math.max(start - bytes.length, 0);
    pending = [rest];
    size = rest.length;
    wanted = 2 * size;
  };
  for await (const chunk of client.query(to(`copy (${query}) to stdout (format binary)`))) {
    pending.push(chunk);
    size += chunk.length;
    if (size >= wanted) readPending();
  }
  readPending();
  if (errors.length > 0) throw errors[0];
  const [rest] = pending as [Buffer];
  if (rest.length !== 2 || rest.readInt16BE() !== -1)
    throw new Error(`expected rows of ${columns} columns from COPY, got ${rest.length} bytes that are none`);
}

/**
 * The rows of a query as they come, in one piece. `took` is told of their bytes; `cancel` is called where there are more
 * than `most`, which then end the statement. Errors: RowsTooLong.
 */
export async function copiedBytes(
  client: ClientBase,
  query: string,
  { most, took, cancel }: { most: number; took: (bytes: number) => void; cancel: () => void },
): Promise<Buffer> {
  let chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of client.query(to(`copy (${query}) to stdout (format binary)`))) {
      took(chunk.length);
      size += chunk.length;
      if (size <= most) chunks.push(chunk);
      else if (chunks.length > 0) {
        // The stream is read to its end all the same: only then is the connection free.
        chunks = [];
        cancel();
      }
    }
  } catch (error) {
    if (size <= most) throw error;
  }
  if (size > most) throw new RowsTooLong(most);
  return Buffer.concat(chunks, size);
}
