import { type RawBuilder, sql } from 'kysely';
import type { DataStep } from '../../query-line/data-path.js';
import type { DataOp } from './condition.js';

/** A test of a value in data, with the value as JSON writes a number, a truth value, null or, without quotes, a text. */
interface DataTest {
  readonly path: readonly DataStep[];
  readonly op: DataOp;
  readonly value?: string;
}

/**
 * SQL for a test of a value in data. Never fails, whatever data holds; false or null where nothing is there.
 *
 * The path is strict jsonpath, in which each step first tests that it can be taken. Lax jsonpath would look into arrays that
 * the path does not name, and strict alone ends at the first item without the key.
 */
export function whereData({ path, op, value = '' }: DataTest): RawBuilder<unknown> {
  const way = path.map(stepText).join('');
  if (op === 'EXISTS') return sql`jsonb_path_exists(data, ${`strict $${way}`}::jsonpath)`;
  const number = numeric(value);
  const operator = OPERATORS[op];
  // What is of another type than the variable neither passes nor fails.
  const tests = [`@ ${operator} $text`];
  if (number !== null) tests.push(`@ ${operator} $number`);
  // These are equal to themselves and have no order.
  if (op === 'EQ' && CONSTANTS.has(value)) tests.push(`@ == ${value}`);
  const variables = `{"text": ${JSON.stringify(value)}, "number": ${number ?? 0}}`;
  const found = sql`jsonb_path_exists(data, ${`strict $${way} ? (${tests.join(' || ')})`}::jsonpath, ${variables}::jsonb)`;
  if (number !== null || op === 'EQ') return found;
  // A number compares with a text that is none by its text, which jsonpath has from PostgreSQL 17 on.
  const numbers = `strict $${way} ? (@.type() == "number")`;
  return sql`(${found} or exists (
    select from jsonb_path_query(data, ${numbers}::jsonpath) found (item)
    where (found.item #>> '{}') collate "C" ${sql.raw(operator)} ${value}::text))`;
}

const OPERATORS = { EQ: '==', GT: '>', GE: '>=', LT: '<', LE: '<=' } as const;
const CONSTANTS: ReadonlySet<string> = new Set(['true', 'false', 'null']);

/** A string of JSON is one of jsonpath. */
function stepText(step: DataStep): string {
  if ('anyItem' in step) return ' ? (@.type() == "array")[*]';
  const key = JSON.stringify(step.key);
  return ` ? (exists (@.${key})).${key}`;
}

const JSON_NUMBER = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** Far beyond every double, and within PostgreSQL's numeric. */
const MAX_EXPONENT = 1_000;

/** A number of JSON as PostgreSQL's numeric reads it; one beyond all that is stored becomes another such. Null for a text. */
function numeric(text: string): string | null {
  const match = JSON_NUMBER.exec(text);
  if (!match) return null;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  if (digits === '') return '0';
  const power = Number(exponent) - fraction.length;
  const magnitude = power + digits.length;
  if (magnitude > MAX_EXPONENT) return `${sign}1e${MAX_EXPONENT}`;
  if (magnitude < -MAX_EXPONENT) return `${sign}1e-${MAX_EXPONENT}`;
  return `${sign}${digits}e${power}`;
}
