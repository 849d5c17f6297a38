import { clip, type Fault, isShort, ReelError } from '../errors.js';
import { camel } from '../log/entry/fields.js';
import { nearest } from '../query-line/nearest.js';
import { UnheldNumber } from '../query-line/number.js';
import { isStorable, parseInstant, parseUuid } from '../query-line/values.js';

/** Reads the fields of one part of a request (query, body, body.filter), one by one; collects faults, throws none. */
export class Fields {
  /** `location`: the first steps of each fault's loc. `faults` is shared by all parts of the request. null and empty text count as not given. */
  private readonly known = new Set<string>();

  constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    private readonly location: readonly string[],
    private readonly faults: Fault[],
  ) {}

  private given(name: string): unknown {
    this.known.add(name);
    const value = Object.hasOwn(this.values, name) ? this.values[name] : undefined;
    return value === null || value === '' ? undefined : value;
  }

  private fault(name: string, type: string, msg: string): undefined {
    this.faults.push({ type, loc: [...this.location, name], msg, input: show(this.values[name]) });
    return undefined;
  }

  /** A fault for each name that no other method was asked for: ignoring it would answer something else. To be called last. */
  refuseOthers(): void {
    const known = [...this.known];
    const others = Object.keys(this.values).filter((name) => !this.known.has(name));
    for (const name of others.slice(0, MAX_UNKNOWN))
      this.faults.push(unknownName(this.location, name, known));
  }

  /** Text of at most `max` characters. */
  text(name: string, max: number): string | undefined {
    const value = this.given(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') return this.fault(name, 'string_type', 'Input should be a valid string');
    if (value.length > max && [...value].length > max)
      return this.fault(name, 'string_too_long', `String should have at most ${max} characters`);
    if (!isStorable(value))
      return this.fault(name, 'value_error', 'Input should not contain NUL or lone surrogates');
    return value;
  }

  /** Text that `check` takes; the faults of the BAD_USER_INPUT that it throws are faults of this field. */
  checked(name: string, check: (text: string) => void): string | undefined {
    const value = this.given(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') return this.fault(name, 'string_type', 'Input should be a valid string');
    try {
      check(value);
      return value;
    } catch (error) {
      if (!(error instanceof ReelError) || error.code !== 'BAD_USER_INPUT') throw error;
      const prefix = `${camel(name)}: `;
      for (const fault of error.faults) {
        const msg = fault.msg.startsWith(prefix) ? fault.msg.slice(prefix.length) : fault.msg;
        this.faults.push({ ...fault, loc: [...this.location, name], msg, input: show(value) });
      }
      return undefined;
    }
  }

  /** Returned in lower case. */
  uuid(name: string): string | undefined {
    const value = this.given(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') return this.fault(name, 'uuid_type', 'UUID input should be a string');
    return parseUuid(value) ?? this.fault(name, 'uuid_parsing', 'Input should be a valid UUID');
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.given(name);
    if (value === undefined) return undefined;
    const found = allowed.find((each) => each === value);
    if (found !== undefined) return found;
    const quoted = allowed.map((each) => `'${each}'`);
    return this.fault(name, 'enum', `Input should be ${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`);
  }

  /** RFC 3339; without an offset it is UTC, a bare date is its midnight UTC. Returned with six digits of a second, in UTC. */
  instant(name: string): string | undefined {
    const value = this.given(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string')
      return this.fault(name, 'datetime_type', 'Input should be a valid datetime');
    const whole = /^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00:00` : value;
    return (
      parseInstant(whole) ??
      parseInstant(`${whole}Z`) ??
      this.fault(name, 'datetime_parsing', 'Input should be a valid datetime: RFC 3339, or a bare date')
    );
  }

  /** A decimal integer from `min` to `max`, as text of a query. */
  integer(name: string, min: number, max: number): number | undefined {
    const value = this.given(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string' || !/^\s*[+-]?\d+\s*$/.test(value))
      return this.fault(
        name,
        'int_parsing',
        'Input should be a valid integer, unable to parse string as an integer',
      );
    const number = Number(value);
    if (number < min)
      return this.fault(name, 'greater_than_equal', `Input should be greater than or equal to ${min}`);
    if (number > max)
      return this.fault(name, 'less_than_equal', `Input should be less than or equal to ${max}`);
    return number;
  }

  boolean(name: string): boolean | undefined {
    const value = this.given(name);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.fault(name, 'bool_type', 'Input should be a valid boolean');
  }

  object(name: string): Record<string, unknown> | undefined {
    const value = this.given(name);
    if (value === undefined) return undefined;
    return isObject(value) ? value : this.fault(name, 'dict_type', 'Input should be a valid dictionary');
  }
}

/** So many unknown names are reported; finding what each may have meant takes time. */
export const MAX_UNKNOWN = 20;

/** An unknown name is refused: it would widen a filter, or be lost from an entry that can never be corrected. */
export function unknownName(location: readonly string[], name: string, known: readonly string[]): Fault {
  const shown = cut(name);
  return {
    type: 'extra_forbidden',
    loc: [...location, shown],
    msg: `Extra inputs are not permitted: ${shown}; did you mean ${nearest(name, known)}?`,
    input: null,
  };
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof UnheldNumber);

/** An input as a fault shows it: itself if short, else the beginning of its text. */
export function show(input: unknown): unknown {
  if (input === undefined) return null;
  if (typeof input === 'string') return cut(input);
  if (typeof input !== 'object' || input === null) return input;
  return isShort(input) ? input : clip(input);
}

const cut = (text: string): string => (text.length > 200 ? `${text.slice(0, 199).toWellFormed()}…` : text);
