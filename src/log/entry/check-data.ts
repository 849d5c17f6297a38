import { clip, type Fault } from '../../errors.js';
import { isStorable } from '../../query-line/values.js';

/** Of data as compact JSON in UTF-8. */
export const MAX_DATA_BYTES = 65_536;
/** The object itself is the first level. */
export const MAX_DATA_LEVELS = 32;
/** Past so many faults the rest of data is not looked at. */
const MAX_FAULTS = 20;

/** Data that PostgreSQL, JSON.parse and RFC 8785 all read alike, with its compact JSON. */
export interface CheckedData {
  data: Record<string, unknown>;
  text: string;
}

/**
 * Checks the payload of an entry; faults go to the list, with the way into data as their loc. Values that JSON.stringify
 * would rewrite or drop (undefined, a Date, anything with toJSON), which only a caller in process can send, are taken as it writes them.
 */
export function checkData(value: unknown, faults: Fault[]): CheckedData | null {
  if (!isObject(value) || Array.isArray(value)) {
    fault(faults, 'dict_type', ['data'], 'a JSON object', shown(value));
    return null;
  }
  const before = faults.length;
  const walk = new Walk(faults);
  walk.visit(value, 1, ['data']);
  if (faults.length > before) return null;
  const text = written(value);
  if (text === null) {
    fault(faults, 'dict_type', ['data'], 'a JSON object', 'what JSON.stringify refuses');
    return null;
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_DATA_BYTES) {
    fault(
      faults,
      'value_error',
      ['data'],
      `at most ${MAX_DATA_BYTES} bytes of compact JSON`,
      `${bytes} bytes`,
    );
    return null;
  }
  return walk.isJson ? { data: value, text } : checkData(JSON.parse(text), faults);
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
  private readonly most: number;

  constructor(private readonly faults: Fault[]) {
    this.most = faults.length + MAX_FAULTS;
  }

  visit(value: unknown, level: number, way: (string | number)[]): void {
    if (this.faults.length >= this.most) return;
    switch (typeof value) {
      case 'string':
        if (!isStorable(value)) this.add(way, 'text without NUL and lone surrogates', clip(value));
        return;
      case 'number':
        if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
          this.add(
            way,
            'a finite number, an integer within ±(2^53 - 1) (send others as text)',
            String(value),
          );
        return;
      case 'boolean':
        return;
      case 'bigint':
        this.add(way, 'a JSON value (send a bigint as text)', `${value}n`);
        return;
      case 'object':
        if (value !== null) this.enter(value, level, way);
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
      for (let index = 0; index < value.length; index++) this.step(value[index], level, way, index);
      return;
    }
    if (!isPlain(value)) {
      this.isJson = false;
      return;
    }
    for (const key of Object.keys(value)) {
      if (!isStorable(key)) this.add(way, 'keys without NUL and lone surrogates', clip(key));
      else this.step((value as Record<string, unknown>)[key], level, way, key);
    }
  }

  private step(value: unknown, level: number, way: (string | number)[], to: string | number): void {
    way.push(to);
    this.visit(value, level + 1, way);
    way.pop();
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
  const loc = way.map((step) =>
    typeof step === 'string' && step.length > 60 ? `${step.slice(0, 59)}…` : step,
  );
  faults.push({
    type,
    loc,
    msg: `${clip(loc.join('.')).slice(1, -1)}: expected ${expected}, got ${came}`,
    input: came,
  });
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** Maps, Dates and the like say themselves through toJSON, or say nothing. */
function isPlain(value: object): boolean {
  const proto: unknown = Object.getPrototypeOf(value);
  return (
    (proto === Object.prototype || proto === null) &&
    typeof (value as { toJSON?: unknown }).toJSON !== 'function'
  );
}

const shown = (value: unknown): string =>
  isObject(value) ? 'a list' : typeof value === 'bigint' ? `${value}n` : clip(value);
