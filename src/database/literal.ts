import { PostgresQueryCompiler } from 'kysely';
import pg from 'pg';

/** Compiles statements whose values stand in the text, as COPY needs them, which takes no parameters. */
export class LiteralCompiler extends PostgresQueryCompiler {
  protected override appendValue(value: unknown): void {
    this.append(literalOf(value));
  }
}

/** A literal of no type yet, as a parameter is one. Errors: TypeError for anything but text, numbers, truth values, null and lists of these. */
function literalOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  return pg.escapeLiteral(Array.isArray(value) ? arrayOf(value) : textOf(value));
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return `${value}`;
  throw new TypeError(`expected a value of one of the plain types, got a ${typeof value}`);
}

/** PostgreSQL's manual, "Array Input and Output Syntax". */
const arrayOf = (values: readonly unknown[]): string =>
  `{${values.map((each) => (each === null ? 'null' : `"${textOf(each).replaceAll(/["\\]/g, '\\$&')}"`)).join(',')}}`;
