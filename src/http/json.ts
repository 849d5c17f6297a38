import { ReelError } from '../errors.js';

/**
 * Only a text with an exponent of three digits or more, or with a very long run of digits, can hold a number outside
 * the range of a double: everything else is parsed at full speed.
 */
const SUSPICIOUS = /[eE][+-]?0*[1-9]\d{2}|(?<!\d)\d{200}/;

/** JSON.parse as ECMAScript has it since `source` was added (proposal JSON.parse source text access). */
const parseWithSource = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
) => unknown;

/**
 * JSON text (RFC 8259) to its value; keys such as `__proto__` are plain data. Errors: SyntaxError where the text is no
 * JSON, BAD_USER_INPUT where a number in it would become infinite or zero as an IEEE double, so that what is stored is
 * always what was sent.
 */
export function parseJson(text: string): unknown {
  if (!SUSPICIOUS.test(text)) return JSON.parse(text);
  try {
    return parseWithSource(text, (_key, value, { source }) => {
      if (typeof value === 'number' && source !== undefined && !holds(value, source))
        throw outOfRange(source);
      return value;
    });
  } catch (error) {
    // The reviver recurses where JSON.parse alone does not.
    if (error instanceof RangeError) throw refuse('JSON that is nested less deeply');
    throw error;
  }
}

const holds = (value: number, source: string): boolean =>
  Number.isFinite(value) && (value !== 0 || !/[1-9]/.test(source.replace(/[eE].*/, '')));

const outOfRange = (source: string): ReelError =>
  refuse(
    `numbers that an IEEE double can hold (send others as text), got ${source.length > 200 ? `${source.slice(0, 199)}…` : source}`,
  );

function refuse(expected: string): ReelError {
  const msg = `expected ${expected}`;
  return new ReelError('BAD_USER_INPUT', msg, { faults: [{ type: 'value_error', loc: ['body'], msg }] });
}
