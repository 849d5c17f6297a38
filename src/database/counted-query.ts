import pg, { type ClientBase } from 'pg';
import type { Row } from './execute.js';
import { type TextRow, TextRows } from './text-rows.js';

/** A read had more bytes of rows than were asked for. */
export class RowsTooLong extends Error {
  constructor(most: number) {
    super(`expected rows of at most ${most} bytes, got more`);
  }
}

/** Counts the bytes of rows, of all statements of a read together. */
export class RowMeter {
  bytes = 0;

  constructor(private readonly most: number) {}

  /** Errors: RowsTooLong. */
  took(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.most) throw new RowsTooLong(this.most);
  }
}

/** As the driver passes it on: the bytes of the message, and the columns as text. */
export interface DataRow {
  length: number;
  fields: (string | null)[];
}

/** What the driver calls, though its types do not say so. */
const handleDataRow = (pg.Query.prototype as unknown as { handleDataRow(row: DataRow): void }).handleDataRow;

export type QueryCallback = (error: Error | undefined, result: { rows: Row[] }) => void;

export interface CountedOptions {
  /** Whether its rows are kept as TextRows. */
  readonly isText: boolean;
  /** Is called for each row with its bytes; where it throws, this row and those after it are not kept. */
  readonly took: (bytes: number) => void;
}

/** A statement whose rows are counted in bytes as they arrive, before they are kept. */
export class CountedQuery extends pg.Query {
  private error: unknown;
  private isRefused = false;
  private readonly texts = new TextRows();

  protected constructor(
    text: string,
    values: unknown[],
    protected readonly counted: CountedOptions,
    callback: QueryCallback,
  ) {
    super(text, values, callback as never);
  }

  /** Errors: what `took` throws, and the database's. */
  static run(
    client: ClientBase,
    text: string,
    values: readonly unknown[],
    options: CountedOptions,
  ): Promise<(Row | TextRow)[]> {
    return CountedQuery.submitted(
      client,
      (callback) => new CountedQuery(text, [...values], options, callback),
    );
  }

  /** The rows of a query that is made with a callback and given to the driver. */
  protected static submitted(
    client: ClientBase,
    make: (callback: QueryCallback) => CountedQuery,
  ): Promise<(Row | TextRow)[]> {
    return new Promise((resolve, reject) => {
      const query: CountedQuery = make((error, result) => {
        if (query.isRefused) reject(query.error);
        else if (error) reject(error);
        else resolve(query.counted.isText ? query.texts.rows : result.rows);
      });
      client.query(query);
    });
  }

  handleDataRow(row: DataRow): void {
    if (this.isRefused) return;
    try {
      this.counted.took(row.length);
      if (this.counted.isText) this.texts.push(row);
    } catch (error) {
      this.isRefused = true;
      this.error = error;
      return;
    }
    if (!this.counted.isText) handleDataRow.call(this, row);
  }
}
