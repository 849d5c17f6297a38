import type { z } from 'zod';
import { clip, type Fault, isShort } from '../errors.js';
import { camel } from '../log/entry/fields.js';
import { nearest } from '../query-line/nearest.js';
import { UnheldNumber } from '../query-line/number.js';
import { faultOf, faultsOf, NO_OBJECT } from './kinds.js';

type Shape = Readonly<Record<string, z.ZodType>>;
/** What was read of a part of a request: what is faulty, or not given, is left out. */
type Read<S extends Shape> = { [K in keyof S]?: Exclude<z.output<S[K]>, undefined> };

/** One part of a request (query, body, body.filter), whose fields are read by their schemas; collects faults, throws none. */
export class Fields {
  private readonly known = new Set<string>();

  /** `location`: the first steps of each fault's loc. `faults` is shared by all parts of the request. null and empty text count as not given. */
  constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    private readonly location: readonly string[],
    private readonly faults: Fault[],
  ) {}

  /** In the order of the shape. */
  read<S extends Shape>(shape: S): Read<S> {
    const found: Record<string, unknown> = {};
    for (const [name, schema] of Object.entries(shape)) {
      const value = this.given(name);
      if (value === undefined) continue;
      const { success, data, error } = schema.safeParse(value);
      if (success) found[name] = data;
      else for (const issue of error.issues) this.refuse(name, faultOf(issue));
    }
    return found as Read<S>;
  }

  /** A text that was read, if `check` takes it; the faults of the BAD_USER_INPUT that it throws are faults of this field. */
  checked(name: string, value: string | undefined, check: (text: string) => void): string | undefined {
    if (value === undefined) return undefined;
    const found = faultsOf(() => check(value));
    for (const fault of found) this.refuse(name, fault);
    return found.length === 0 ? value : undefined;
  }

  object(name: string): Record<string, unknown> | undefined {
    const value = this.given(name);
    if (value === undefined || isObject(value)) return value;
    this.refuse(name, NO_OBJECT);
    return undefined;
  }

  /** A fault for each name that no other method was asked for: ignoring it would answer something else. To be called last. */
  refuseOthers(): void {
    const known = [...this.known];
    const others = Object.keys(this.values).filter((name) => !this.known.has(name));
    for (const name of others.slice(0, MAX_UNKNOWN))
      this.faults.push(unknownName(this.location, name, known));
  }

  private given(name: string): unknown {
    this.known.add(name);
    const value = Object.hasOwn(this.values, name) ? this.values[name] : undefined;
    return value === null || value === '' ? undefined : value;
  }

  private refuse(name: string, fault: Omit<Fault, 'loc'>): void {
    const prefix = `${camel(name)}: `;
    const msg = fault.msg.startsWith(prefix) ? fault.msg.slice(prefix.length) : fault.msg;
    this.faults.push({ ...fault, loc: [...this.location, name], msg, input: show(this.values[name]) });
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
