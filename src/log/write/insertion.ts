import { CompiledQuery } from 'kysely';
import type { PreparedStatement } from '../../database/execute.js';

const texts = new Map<string, string>();

/** A multi-row INSERT … VALUES; not unnest or COPY, which row-level security or Citus would refuse (docs/decisions.md). */
export function insertion(
  table: string,
  columns: readonly string[],
  rows: readonly unknown[][],
): CompiledQuery {
  const name = `${table} ${columns.length} ${rows.length}`;
  let text = texts.get(name);
  if (!text) {
    const width = columns.length;
    text = insertText(table, columns, rows.length, (at, index) => at * width + index + 1);
    if (rows.length <= 64) texts.set(name, text);
  }
  return CompiledQuery.raw(text, rows.flat());
}

/** `parameter`: the number of the parameter that a row's column is. */
function insertText(
  table: string,
  columns: readonly string[],
  count: number,
  parameter: (row: number, column: number) => number,
): string {
  const rows = Array.from(
    { length: count },
    (_, row) => `(${columns.map((_column, column) => `$${parameter(row, column)}`).join(',')})`,
  );
  return `insert into ${table} (${columns.join(',')}) values ${rows.join(',')}`;
}

/** A table, and its columns by name: each is a column of the rows that come with the statement. */
interface Target {
  readonly table: string;
  readonly columns: Readonly<Record<string, string>>;
}

/** Rows of one prepared statement, at most: with more, planning once saves no more, and a connection keeps larger plans. */
const MOST_ROWS = 64;

/** Rows in pieces of 64, 32, … 1, each at most once but the first: seven texts serve any number of rows. */
export function* inPieces<T>(rows: readonly T[], most = MOST_ROWS): Generator<T[]> {
  let size = most;
  for (let start = 0; start < rows.length; start += size) {
    while (size > rows.length - start) size /= 2;
    yield rows.slice(start, start + size);
  }
}

/** Inserts rows into one or several tables at once, by statements that are prepared, one for each length of a piece. */
export class PreparedInsertion {
  private readonly texts = new Map<number, string>();

  /** `columns`: of the rows. Several targets are written by one statement (PostgreSQL's manual, "Data-Modifying Statements in WITH"). */
  constructor(
    private readonly name: string,
    private readonly columns: readonly string[],
    private readonly targets: readonly Target[],
  ) {}

  /** Of as many rows as inPieces gives. */
  statement(rows: readonly (readonly unknown[])[]): PreparedStatement {
    const count = rows.length;
    let text = this.texts.get(count);
    if (!text) {
      text = this.text(count);
      this.texts.set(count, text);
    }
    return { ...CompiledQuery.raw(text, rows.flat()), name: `${this.name}_${count}` };
  }

  private text(count: number): string {
    const width = this.columns.length;
    const inserts = this.targets.map(({ table, columns }) => {
      const sources = Object.values(columns).map((source) => this.columns.indexOf(source));
      return insertText(
        table,
        Object.keys(columns),
        count,
        (row, column) => row * width + sources[column]! + 1,
      );
    });
    const last = inserts.pop()!;
    if (inserts.length === 0) return last;
    return `with ${inserts.map((insert, at) => `written_${at + 1} as (${insert})`).join(', ')} ${last}`;
  }
}
