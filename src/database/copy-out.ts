import type { ClientBase } from 'pg';
import { to } from 'pg-copy-streams';

/** Signature, flags and the length of what may follow them: 11, 4 and 4 bytes. */
const HEADER_BYTES = 19;

/** A row in the binary format of COPY: a column's bytes are those from its start on. Its fields change with the next row. */
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

  /** Takes the row that begins there; answers where the next one does, -1 where not all of it is there yet. */
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

  /** NaN where it is null. */
  smallint(column: number): number {
    if (this.lengths[column] !== 2) return Number.NaN;
    return this.bytes.readInt16BE(this.starts[column]!);
  }

  /** Columns of type bigint, and of instants in microseconds: up to 2^53 - 1 either way; NaN where it is null. */
  bigint(column: number): number {
    if (this.lengths[column] !== 8) return Number.NaN;
    const at = this.starts[column]!;
    return this.bytes.readInt32BE(at) * 2 ** 32 + this.bytes.readUInt32BE(at + 4);
  }

  text(column: number): string {
    const at = this.starts[column]!;
    return this.bytes.toString('utf8', at, at + this.lengths[column]!);
  }

  /** A column's bytes, a letter each, to look things up by. */
  latin1(column: number): string {
    const at = this.starts[column]!;
    return this.bytes.toString('latin1', at, at + this.lengths[column]!);
  }

  /** Whether a column's bytes stand in these from a place on. */
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

/** Values of one column, all of the same width in bytes, one after the other. */
export class FixedColumn {
  bytes: Buffer;
  count = 0;

  /** `expected`: how many there will be; more may come. */
  constructor(
    private readonly width: number,
    expected: number,
  ) {
    this.bytes = Buffer.alloc(width * expected);
  }

  /** One of another width is kept as zeros. */
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

  /** Below zero where the first of them is the smaller one. */
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
 * Hands each row of a query to `read`, as it comes, so that of many only what is made of them takes memory (PostgreSQL's
 * manual, COPY, "Binary Format").
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
  /** Bytes that there must be for another look to pay: a long row is not put together again with each of its parts. */
  let wanted = 0;
  let start = HEADER_BYTES;
  const faults: unknown[] = [];
  const readPending = () => {
    const bytes = pending.length === 1 ? pending[0]! : Buffer.concat(pending, size);
    while (start + 2 <= bytes.length && bytes.readInt16BE(start) === columns) {
      const next = row.take(bytes, start);
      if (next < 0) break;
      try {
        if (faults.length === 0) read(row);
      } catch (error) {
        // Told in the end: the connection is of no use to anybody before all of it was received.
        faults.push(error);
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
  if (faults.length > 0) throw faults[0];
  const [rest] = pending as [Buffer];
  if (rest.length !== 2 || rest.readInt16BE() !== -1)
    throw new Error(
      `expected rows of ${columns} columns from COPY, got ${rest.length} bytes of something else`,
    );
}
