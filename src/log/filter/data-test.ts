import { type RawBuilder, sql } from 'kysely';
import type { DataStep } from '../../query-line/data-path.js';
import type { DataOp } from './condition.js';

/** A test of a value in data, with the value as JSON writes a number, a truth value, null or, without quotes, a text. */
interface DataTest {
  readonly path: readonly DataStep[];
  readonly op: DataOp;
  readonly value?: string;
}

type Sql = RawBuilder<unknown>;

/**
 * SQL for a test of a value in data. Not jsonpath, which looks into arrays that the path does not name (lax) or stops at
 * the first item without the key (strict). Never fails, whatever data holds; null or false where nothing is there.
 */
export function whereData({ path, op, value = '' }: DataTest): Sql {
  const from: Sql[] = [];
  let at: Sql = sql`data`;
  for (const step of path) {
    // The operator with a text steps into objects alone: digits are a key.
    if ('key' in step) at = sql`${at} -> ${step.key}::text`;
    else {
      const item = sql.ref(`item_${from.length}`);
      from.push(
        sql`jsonb_array_elements(case jsonb_typeof(${at}) when 'array' then ${at} end) ${item} (value)`,
      );
      at = sql`${item}.value`;
    }
  }
  const found = test(sql`(${at})`, op, value);
  return from.length === 0
    ? found
    : sql`exists (select from ${sql.join(from, sql` cross join lateral `)} where ${found})`;
}

const OPERATORS = { EQ: '=', GT: '>', GE: '>=', LT: '<', LE: '<=' } as const;

/** Numbers compare as numbers where both are; everything else by its text, in the order of code points. */
function test(at: Sql, op: DataOp, value: string): Sql {
  if (op === 'EXISTS') return sql`${at} is not null`;
  const operator = sql.raw(OPERATORS[op]);
  const asText = sql`(${at} #>> '{}') collate "C" ${operator} ${value}::text`;
  const number = numeric(value);
  const ofNumber = number === null ? asText : sql`${at}::numeric ${operator} ${number}::numeric`;
  // true, false and null are equal to themselves and have no order.
  const ofConstant = op === 'EQ' ? sql`${at}::text = ${value}::text` : sql`false`;
  return sql`case jsonb_typeof(${at}) when 'number' then ${ofNumber} when 'string' then ${asText}
    when 'boolean' then ${ofConstant} when 'null' then ${ofConstant} else false end`;
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
