import { clip, clipWay, type Fault, unquoted, wayText } from '../../errors.js';
import { isHeld, plainSurplus, UnheldNumber } from '../../query-line/number.js';
import { isStorable } from '../../query-line/values.js';
import { namesOf } from '../../query-line/wide-object.js';
import { compactJson, mendData, TruncatedData, truncated, truncateLong } from './repair-data.js';

/** Of data as compact JSON in UTF-8, and as PostgreSQL prints it. */
export const MAX_DATA_BYTES = 65_536;
/** The object itself is the first level. */
export const MAX_DATA_LEVELS = 32;
/** Past so many bytes the rest of data is not looked at, nor written out: it is too long by far. */
const MAX_LOOKED_AT = 1_048_576;
/** Past so many faults the rest of data is not looked at. */
const MAX_FAULTS = 20;

/** Data that PostgreSQL, JSON.parse and RFC 8785 all read alike, with its compact JSON. */
export interface CheckedData {
  data: Record<string, unknown>;
  text: string;
  /** Whether something of it was replaced. */
  repaired: boolean;
}

export interface DataOptions {
  /** Mends what cannot be stored as it is, instead of refusing it. */
  repair?: boolean;
}

/**
 * Checks the payload of an entry; faults go to the list, with the way into data as their loc. Values that JSON.stringify
 * would rewrite or drop (undefined, a Date, anything with toJSON), which only a caller in process can send, are taken as it writes them.
 */
export function checkData(
  value: unknown,
  faults: Fault[],
  { repair = false }: DataOptions = {},
): CheckedData | null {
  if (value instanceof TruncatedData) return { ...strictly(value.stands, [])!, repaired: true };
  if (!isObject(value)) {
    fault(faults, 'dict_type', ['data'], 'a JSON object', shown(value));
    return null;
  }
  const found: Fault[] = [];
  const checked = strictly(value, found) ?? (repair ? repaired(value) : null);
  if (checked === null) faults.push(...found);
  return checked;
}

/** An input whose data takes long to repair, with what stands for it: repairing then holds nobody up. */
export async function withLongDataCut<T extends { data?: unknown; repair?: unknown }>(input: T): Promise<T> {
  if (input.repair !== true) return input;
  const data = await truncateLong(input.data, 2 * MAX_DATA_BYTES, MAX_DATA_BYTES);
  return data === input.data ? input : { ...input, data };
}

function repaired(value: Record<string, unknown>): CheckedData | null {
  const came = compactJson(value);
  if (came === null) return null;
  // What is mended takes half of its bytes at the least.
  const mended = came.length > 2 * MAX_DATA_BYTES ? null : mendData(value, MAX_DATA_LEVELS);
  const checked = (mended && strictly(mended, [])) ?? strictly(truncated(came, MAX_DATA_BYTES), []);
  return checked && { ...checked, repaired: true };
}

function strictly(value: Record<string, unknown>, faults: Fault[]): CheckedData | null {
  const walk = new Walk(faults);
  walk.visit(value, 1, ['data']);
  if (walk.isEndless)
    fault(
      faults,
      'value_error',
      ['data'],
      `at most ${MAX_DATA_BYTES} bytes of compact JSON`,
      `more than ${MAX_LOOKED_AT} bytes`,
    );
  if (faults.length > 0) return null;
  const text = written(value);
  if (text === null) {
    fault(faults, 'dict_type', ['data'], 'a JSON object', 'something that JSON.stringify refuses');
    return null;
  }
  if (!walk.isJson) {
    const plain: unknown = JSON.parse(text);
    return checkData(plain, faults);
  }
  const bytes = Buffer.byteLength(text);
  if (bytes + walk.surplus > MAX_DATA_BYTES) {
    const [form, size] =
      bytes > MAX_DATA_BYTES ? ['of compact JSON', bytes] : ['as PostgreSQL prints it', bytes + walk.surplus];
    fault(faults, 'value_error', ['data'], `at most ${MAX_DATA_BYTES} bytes ${form}`, `${size} bytes`);
    return null;
  }
  return { data: walk.hasNegativeZero ? (JSON.parse(text) as typeof value) : value, text, repaired: false };
}

/** null for a cycle or a bigint behind a toJSON, and for a toJSON that answers nothing. */
function written(value: object): string | null {
  try {
    return (JSON.stringify(value) as string | undefined) ?? null;
  } catch {
    return null;
  }
}

class Walk {
  /** False once something was met that JSON.stringify rewrites. */
  isJson = true;
  /** JSON.stringify writes it as 0, too. */
  hasNegativeZero = false;
  /** Bytes that PostgreSQL prints more of jsonb than compact JSON has: a space past each colon and comma, digits of small numbers. */
  surplus = 0;
  /** Bytes of JSON at the least. */
  private bytes = 0;

  /** Whether it is longer than MAX_LOOKED_AT, and so not looked at to its end. */
  get isEndless(): boolean {
    return this.bytes > MAX_LOOKED_AT;
  }

  constructor(private readonly faults: Fault[]) {}

  visit(value: unknown, level: number, way: (string | number)[]): void {
    if (this.faults.length >= MAX_FAULTS || this.isEndless) return;
    this.bytes += 1;
    switch (typeof value) {
      case 'string':
        this.bytes += value.length;
        if (this.isEndless) return;
        if (!isStorable(value)) this.add(way, 'text without NUL or lone surrogates', clip(value));
        return;
      case 'number':
        if (!isHeld(value)) this.addNumber(way, String(value));
        else if (Object.is(value, -0)) this.hasNegativeZero = true;
        else this.surplus += plainSurplus(value);
        return;
      case 'boolean':
        return;
      case 'bigint':
        this.add(way, 'a JSON value (send a bigint as text)', `${unquoted(String(value))}n`);
        return;
      case 'object':
        if (value instanceof UnheldNumber) this.addNumber(way, value.text);
        else if (value !== null) this.enter(value, level, way);
        return;
      default:
        this.isJson = false;
    }
  }

  private enter(value: object, level: number, way: (string | number)[]): void {
    if (level > MAX_DATA_LEVELS) {
      this.add(way.slice(0, 1), `at most ${MAX_DATA_LEVELS} levels`, 'more');
      return;
    }
    if (Array.isArray(value)) {
      this.surplus += Math.max(0, value.length - 1);
      for (let index = 0; index < value.length && !this.isEndless; index++)
        this.step(value[index], level, way, index);
      return;
    }
    if (!isPlain(value)) {
      this.isJson = false;
      return;
    }
    const keys = namesOf(value);
    this.surplus += Math.max(0, 2 * keys.length - 1);
    for (const key of keys) {
      this.bytes += key.length;
      if (this.isEndless) return;
      if (!isStorable(key)) this.add(way, 'keys without NUL or lone surrogates', clip(key));
      else this.step((value as Record<string, unknown>)[key], level, way, key);
    }
  }

  private step(value: unknown, level: number, way: (string | number)[], to: string | number): void {
    way.push(to);
    this.visit(value, level + 1, way);
    way.pop();
  }

  private addNumber(way: (string | number)[], came: string): void {
    this.add(way, 'a number that a double holds as written (send it as text)', unquoted(came));
  }

  private add(way: (string | number)[], expected: string, came: string): void {
    fault(this.faults, 'value_error', way, expected, came);
  }
}

/** Keys of data in a loc are cut, so that an answer never repeats much of what came. */
function fault(
  faults: Fault[],
  type: string,
  way: (string | number)[],
  expected: string,
  came: string,
): void {
  const loc = clipWay(way);
  faults.push({ type, loc, msg: `${wayText(loc)}: expected ${expected}, got ${came}`, input: came });
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof UnheldNumber);

/** Maps, Dates and the like say themselves through toJSON, or say nothing. */
function isPlain(value: object): boolean {
  const proto: unknown = Object.getPrototypeOf(value);
  return (
    (proto === Object.prototype || proto === null) &&
    typeof (value as { toJSON?: unknown }).toJSON !== 'function'
  );
}

const shown = (value: unknown): string =>
  Array.isArray(value) ? 'a list' : typeof value === 'bigint' ? `${value}n` : clip(value);
