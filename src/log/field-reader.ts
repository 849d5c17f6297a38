import { clip, type Fault } from '../errors.js';
import { isStorable, parseInstant, parseUuid } from '../query-line/values.js';
import type { CreateLogInput } from './inputs.js';
import { parseAddress } from './ip-address.js';
import { LogSeverity, SEVERITIES } from './severity.js';

type Name = keyof CreateLogInput;

/** Control characters of Unicode's category Cc. */
const hasControl = (text: string): boolean => /\p{Cc}/u.test(text);

/**
 * Reads the fields of one input that may hold anything, into their stored form; null where a field is not given or
 * faulty. Faults go to the list it was made with; their types are the words of REST's first edition (pydantic's).
 */
export class FieldReader {
  constructor(
    private readonly input: Readonly<Record<string, unknown>>,
    private readonly faults: Fault[],
  ) {}

  /** Required text of 1 to `most` characters without control characters. */
  name(field: Name, most: number): string | null {
    const value = this.input[field];
    if (value === undefined) return this.require(field);
    if (typeof value !== 'string') return this.fault(field, 'string_type', 'text', value);
    if (value === '') return this.fault(field, 'string_too_short', `1 to ${most} characters`, value);
    if (hasControl(value)) return this.fault(field, 'value_error', 'text without control characters', value);
    return this.bounded(field, value, most);
  }

  /** Optional text of at most `most` characters; empty is not given. */
  text(field: Name, most: number): string | null {
    const value = this.input[field];
    if (value === undefined || value === null || value === '') return null;
    if (typeof value !== 'string') return this.fault(field, 'string_type', 'text', value);
    return this.bounded(field, value, most);
  }

  /** Optional text that is kept in lower case where it is a UUID. */
  anyId(field: Name, most: number): string | null {
    const value = this.text(field, most);
    return value && (parseUuid(value) ?? value);
  }

  uuid(field: Name): string | null {
    return this.parsed(field, parseUuid, 'uuid', 'a UUID');
  }

  instant(field: Name): string | null {
    return this.parsed(field, parseInstant, 'datetime', 'an RFC 3339 instant with an offset or Z');
  }

  address(field: Name): string | null {
    const value = this.input[field];
    if (value === undefined || value === null || value === '') return null;
    const address = typeof value === 'string' ? parseAddress(value) : null;
    return address ?? this.fault(field, 'value_error', 'an IPv4 or IPv6 address', value);
  }

  severity(field: Name): LogSeverity | null {
    const value = this.input[field];
    const known = SEVERITIES.find((each) => each === value);
    return known ?? this.fault(field, 'enum', `one of ${SEVERITIES.join(', ')}`, value);
  }

  /** A fault unless the field is not given or faulty already (null), or the same as what it must be. */
  mustBe(
    field: Name,
    value: string | null,
    only: string | null,
    named: string,
    same: (value: string, only: string | null) => boolean,
  ): void {
    if (value !== null && !same(value, only)) this.fault(field, 'value_error', named, value);
  }

  /** A fault unless the field has one already. */
  require(field: Name): null {
    if (!this.faults.some((each) => each.loc[0] === field))
      this.faults.push({ type: 'missing', loc: [field], msg: `${field}: expected a value, got none` });
    return null;
  }

  private parsed(field: Name, parse: (text: string) => string | null, kind: string, expected: string) {
    const value = this.input[field];
    if (value === undefined || value === null) return null;
    if (typeof value !== 'string') return this.fault(field, `${kind}_type`, expected, value);
    return parse(value) ?? this.fault(field, `${kind}_parsing`, expected, value);
  }

  private bounded(field: Name, value: string, most: number): string | null {
    if (!isStorable(value))
      return this.fault(field, 'value_error', 'text without NUL and lone surrogates', value);
    const length = value.length > most ? characters(value, most) : value.length;
    if (length > most) return this.fault(field, 'string_too_long', `at most ${most} characters`, value);
    return value;
  }

  private fault(field: Name, type: string, expected: string, came: unknown): null {
    const input = typeof came === 'string' ? came.slice(0, 200) : (came ?? null);
    const said = typeof came === 'bigint' ? `${came}n` : clip(came);
    this.faults.push({ type, loc: [field], msg: `${field}: expected ${expected}, got ${said}`, input });
    return null;
  }
}

/** Code points; past twice the bound there is no need to count. */
const characters = (text: string, most: number): number =>
  text.length > 2 * most ? text.length : Array.from(text).length;
