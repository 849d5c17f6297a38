import { CopiedRow } from './copy-out.js';
import { RowMessage } from './row-client.js';

/** Of a column's length. */
const LENGTH_BYTES = 4;

/** A row's columns, in the order of the statement, as the database writes them. */
export class TextRow {
  /** `start`: where in `bytes` the row is, as in a DataRow message. */
  constructor(
    private readonly bytes: Buffer,
    private readonly start: number,
  ) {}

  /** null for NULL. Errors: RangeError where the row has fewer columns. */
  text(column: number): string | null {
    const { bytes, start } = this;
    if (column >= bytes.readInt16BE(start))
      throw new RangeError(`expected a row of more than ${column} columns, got ${bytes.readInt16BE(start)}`);
    let at = start + 2;
    for (let left = column; left > 0; left -= 1) at += 4 + Math.max(0, bytes.readInt32BE(at));
    const length = bytes.readInt32BE(at);
    return length < 0 ? null : bytes.toString('utf8', at + 4, at + 4 + length);
  }

  /** Has its first columns read, as many as are asked for. Errors: RangeError where it has fewer. */
  readBy(reader: CopiedRow): void {
    const { bytes, start } = this;
    if (reader.columns > bytes.readInt16BE(start))
      throw new RangeError(`expected a row of ${reader.columns} columns, got ${bytes.readInt16BE(start)}`);
    reader.take(bytes, start);
  }

  /** The same row with another value in a column. Errors: RangeError where it has fewer columns. */
  with(column: number, text: string): TextRow {
    const reader = new CopiedRow(this.bytes.readInt16BE(this.start));
    this.readBy(reader);
    if (column >= reader.columns)
      throw new RangeError(`expected a row of more than ${column} columns, got ${reader.columns}`);
    const from = reader.starts[column]!;
    const value = Buffer.from(text);
    const length = Buffer.allocUnsafe(LENGTH_BYTES);
    length.writeInt32BE(value.length);
    const before = this.bytes.subarray(this.start, from - LENGTH_BYTES);
    const after = this.bytes.subarray(from + Math.max(0, reader.lengths[column]!), this.start + reader.size);
    return new TextRow(Buffer.concat([before, length, value, after]), 0);
  }
}

/** Room for rows that come after the first. */
const BLOCK_BYTES = 16_384;

/** Rows of a statement, kept back to back. */
export class TextRows {
  readonly rows: TextRow[] = [];
  private block: Buffer = Buffer.alloc(0);
  private used = 0;

  /** Errors: TypeError for a row of another client than Reel's. */
  push(row: object): void {
    if (!(row instanceof RowMessage)) throw new TypeError('expected a row of a RowClient, got another');
    const { bytes, start, end } = row;
    const size = end - start;
    if (this.used + size > this.block.length) {
      this.block = Buffer.allocUnsafe(this.rows.length === 0 ? size : Math.max(size, BLOCK_BYTES));
      this.used = 0;
    }
    bytes.copy(this.block, this.used, start, end);
    this.rows.push(new TextRow(this.block, this.used));
    this.used += size;
  }
}
