import { z } from 'zod';
import { type Fault, ReelError } from '../errors.js';
import { isStorable, parseInstant, parseUuid } from '../query-line/values.js';

/**
 * Kinds of values in a query or a body, as zod schemas: requests are checked by them, and openapi.json is made of them. What
 * is wrong is worded as by the first edition (pydantic's types and messages). Lengths are in Unicode code points.
 */

/** What is said of a value of another JSON type, by the type of the fault. */
const WRONG_TYPE = {
  string_type: 'Input should be a valid string',
  uuid_type: 'UUID input should be a string',
  datetime_type: 'Input should be a valid datetime',
  bool_type: 'Input should be a valid boolean',
  dict_type: 'Input should be a valid dictionary',
} as const;
const TYPE_OF = new Map<string, string>(Object.entries(WRONG_TYPE).map(([type, msg]) => [msg, type]));

type Issue = z.core.$ZodIssue;

/** The fault of a value, without its place. */
export function faultOf(issue: Issue): Omit<Fault, 'loc'> {
  const { message: msg, code } = issue;
  if (code === 'custom') return { type: 'value_error', ...issue.params, msg };
  if (code === 'invalid_value') return { type: 'enum', msg };
  if (code === 'too_small') return { type: 'greater_than_equal', msg };
  if (code === 'too_big') return { type: 'less_than_equal', msg };
  return { type: TYPE_OF.get(msg) ?? 'value_error', msg };
}

const refuse = (context: z.RefinementCtx, type: string, message: string): void => {
  context.addIssue({ code: 'custom', message, params: { type } });
};

/** Text of at most `max` characters that PostgreSQL can hold. */
export const text = (max: number) =>
  z
    .string(WRONG_TYPE.string_type)
    .superRefine((value, context) => {
      if (value.length > max && [...value].length > max)
        refuse(context, 'string_too_long', `String should have at most ${max} characters`);
      else if (!isStorable(value))
        refuse(context, 'value_error', 'Input should not contain NUL or lone surrogates');
    })
    .meta({ maxLength: max });

/** Text that something else has to say of whether it is well. */
export const anyText = z.string(WRONG_TYPE.string_type);

/** Text that `check` takes. */
export const checked = (check: (value: string) => void) =>
  z.string(WRONG_TYPE.string_type).superRefine((value, context) => {
    for (const { msg, loc: _, input: __, ...params } of faultsOf(() => check(value)))
      context.addIssue({ code: 'custom', message: msg, params });
  });

/** Read in lower case. */
export const uuid = z
  .string(WRONG_TYPE.uuid_type)
  .superRefine((value, context) => {
    if (parseUuid(value) === null) refuse(context, 'uuid_parsing', 'Input should be a valid UUID');
  })
  .overwrite((value) => parseUuid(value) ?? value)
  .meta({ format: 'uuid' });

export function oneOf<const T extends string>(values: readonly T[]) {
  const quoted = values.map((each) => `'${each}'`);
  const message = `Input should be ${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
  return z.enum(values as readonly [T, ...T[]], message);
}

/** RFC 3339; without an offset it is UTC, a bare date is its midnight UTC. Read with six digits of a second, in UTC. */
export const instant = z
  .string(WRONG_TYPE.datetime_type)
  .superRefine((value, context) => {
    if (readInstant(value) === null)
      refuse(context, 'datetime_parsing', 'Input should be a valid datetime: RFC 3339, or a bare date');
  })
  .overwrite((value) => readInstant(value) ?? value)
  .meta({ description: 'RFC 3339; without an offset UTC; a bare date is its midnight, UTC.' });

function readInstant(value: string): string | null {
  const whole = /^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00:00` : value;
  return parseInstant(whole) ?? parseInstant(`${whole}Z`);
}

/** A decimal integer from `min` to `max`, as text of a query. */
export const integer = (min: number, max: number) =>
  z
    .string()
    .superRefine((value, context) => {
      if (/^\s*[+-]?\d+\s*$/.test(value)) return;
      const message = 'Input should be a valid integer, unable to parse string as an integer';
      context.addIssue({ code: 'custom', message, params: { type: 'int_parsing' }, continue: false });
    })
    // What is past every double is past every bound.
    .transform((value) => Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, Number(value))))
    .pipe(
      z
        .number()
        .min(min, `Input should be greater than or equal to ${min}`)
        .max(max, `Input should be less than or equal to ${max}`)
        .meta({ type: 'integer' }),
    );

export const bool = z.boolean(WRONG_TYPE.bool_type);

/** What is wrong by the BAD_USER_INPUT that `check` throws; nothing where it throws none. */
export function faultsOf(check: () => void): readonly Fault[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof ReelError) || error.code !== 'BAD_USER_INPUT') throw error;
    return error.faults;
  }
}

/** Of a value that should have been an object. */
export const NO_OBJECT: Omit<Fault, 'loc'> = { type: 'dict_type', msg: WRONG_TYPE.dict_type };
