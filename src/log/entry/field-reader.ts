import { clip, type Fault } from '../../errors.js';
import { isEmailAddress, isStorable, parseInstant, parseUuid } from '../../query-line/values.js';
import type { Bounds } from './bounds.js';
import type { CreateLogInput } from './create-log-input.js';
import { normalizeAddress } from './ip-address.js';

export type InputName = keyof CreateLogInput;

/** Control, format and bidirectional characters, which are invisible or move other text. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
/** Whether nothing in a text is invisible or moves other text. */
export const isVisible = (text: string): boolean => !INVISIBLE.test(text);

const ELLIPSIS = '…';
/** Of a name or key that is longer than this, too long by far, no character is looked at. */
const MAX_LOOKED_AT = 65_536;
const PAST_MICROSECONDS = /(\.\d{6})(\d+)/;

/**
 * Reads the fields of one unchecked input into their stored form; null if a field is not given or faulty. Faults are added
 * to the list; their types are those of REST's first edition (pydantic's). With `repair`, a descriptive field that is out
 * of bounds is mended instead, and named in `repaired`.
 */
export class FieldReader {
  /** Names of mended fields, as in the input. */
  readonly repaired = new Set<InputName>();

  constructor(
    private readonly input: Readonly<Record<string, unknown>>,
    private readonly faults: Fault[],
    readonly repair: boolean,
  ) {}

  /** Required text of 1 to `max` visible characters, without white space around it. */
  name(field: InputName, max: number): string | null {
    const value = this.input[field];
    if (value === undefined) return this.require(field);
    if (typeof value !== 'string') return this.fault(field, 'string_type', 'text', value);
    if (value === '') return this.fault(field, 'string_too_short', `1 to ${max} characters`, value);
    if (value.length > MAX_LOOKED_AT)
      return this.fault(field, 'string_too_long', `at most ${max} characters`, value);
    if (!isStorable(value))
      return this.fault(field, 'value_error', 'text without NUL or lone surrogates', value);
    if (INVISIBLE.test(value))
      return this.fault(
        field,
        'value_error',
        'text without control, format and bidirectional characters',
        value,
      );
    if (value.trim() !== value)
      return this.fault(field, 'value_error', 'text without white space around it', value);
    if (isLonger(value, { characters: max }))
      return this.fault(field, 'string_too_long', `at most ${max} characters`, value);
    return value;
  }

  /** Text of 1 to `max` characters without control characters; it is never displayed. */
  key(field: InputName, max: number): string | null {
    const value = this.input[field];
    if (typeof value !== 'string') return this.fault(field, 'string_type', 'text', value);
    if (value === '') return this.fault(field, 'string_too_short', `1 to ${max} characters`, value);
    if (value.length > MAX_LOOKED_AT)
      return this.fault(field, 'string_too_long', `at most ${max} characters`, value);
    if (/\p{Cc}/u.test(value))
      return this.fault(field, 'value_error', 'text without control characters', value);
    if (!isStorable(value))
      return this.fault(field, 'value_error', 'text without NUL or lone surrogates', value);
    if (isLonger(value, { characters: max }))
      return this.fault(field, 'string_too_long', `at most ${max} characters`, value);
    return value;
  }

  /** Optional text within bounds; empty text counts as not given. */
  text(field: InputName, bounds: Bounds): string | null {
    const value = this.input[field];
    if (value === undefined || value === null || value === '') return null;
    if (typeof value !== 'string') return this.fault(field, 'string_type', 'text', value);
    if (this.repair) return this.mended(field, value, mendText(value, bounds));
    if (!isStorable(value))
      return this.fault(field, 'value_error', 'text without NUL or lone surrogates', value);
    if (isLonger(value, bounds))
      return this.fault(field, 'string_too_long', `at most ${boundsOf(bounds)}`, value);
    return value;
  }

  /** Optional text, a UUID in lower case. */
  id(field: InputName, bounds: Bounds): string | null {
    const value = this.text(field, bounds);
    return value && (parseUuid(value) ?? value);
  }

  /**
   * As id, of a person: no e-mail address, since ids are sealed and never erased. With repair an address goes to `moveTo`.
   */
  personId(field: InputName, bounds: Bounds, moveTo: (address: string) => void): string | null {
    const value = this.input[field];
    if (typeof value !== 'string' || !isEmailAddress(value)) return this.id(field, bounds);
    if (!this.repair)
      return this.fault(field, 'value_error', 'an identifier that is no e-mail address', value);
    this.repaired.add(field);
    moveTo(value);
    return null;
  }

  /** The UUID of a tenant or client; never the nil UUID. */
  uuid(field: InputName): string | null {
    const value = this.input[field];
    if (value === undefined || value === null) return null;
    if (typeof value !== 'string') return this.fault(field, 'uuid_type', 'a UUID', value);
    const uuid = parseUuid(value);
    if (uuid === null) return this.fault(field, 'uuid_parsing', 'a UUID', value);
    return uuid === NIL ? this.fault(field, 'value_error', 'a UUID other than the nil UUID', value) : uuid;
  }

  /** An instant of at most `latest` (milliseconds since the epoch), with no digits past microseconds but zeros. */
  instant(field: InputName, latest: number): string | null {
    const value = this.input[field];
    if (value === undefined || value === null) return null;
    const expected = 'an RFC 3339 instant with an offset or Z';
    if (typeof value !== 'string') return this.fault(field, 'datetime_type', expected, value);
    const [, , rest = ''] = PAST_MICROSECONDS.exec(value.slice(0, MAX_INSTANT)) ?? [];
    const parsed = parseInstant(rest === '' ? value : value.replace(PAST_MICROSECONDS, '$1'));
    if (parsed === null) return this.fault(field, 'datetime_parsing', expected, value);
    if (Date.parse(parsed) > latest)
      return this.fault(field, 'value_error', 'an instant that is not more than a day ahead', value);
    if (/^0*$/.test(rest)) return parsed;
    if (!this.repair)
      return this.fault(field, 'value_error', 'an instant without digits past microseconds', value);
    this.repaired.add(field);
    return parsed;
  }

  /** An IP address in any spelling, normalized. */
  address(field: InputName): string | null {
    const value = this.input[field];
    if (value === undefined || value === null || value === '') return null;
    const address = typeof value === 'string' ? normalizeAddress(value) : null;
    if (address !== null) return address;
    if (!this.repair || typeof value !== 'string')
      return this.fault(field, 'value_error', 'an IPv4 or IPv6 address', value);
    this.repaired.add(field);
    return null;
  }

  /** One of a closed list of names. */
  oneOf<T extends string>(field: InputName, names: readonly T[]): T | null {
    const value = this.input[field];
    const known = names.find((each) => each === value);
    return known ?? this.fault(field, 'enum', `one of ${names.join(', ')}`, value);
  }

  boolean(field: InputName): boolean {
    const value = this.input[field];
    if (value === undefined || typeof value === 'boolean') return value ?? false;
    this.fault(field, 'bool_type', 'true or false', value);
    return false;
  }

  /** A fault if the field is given (not null) and differs from `only`, which `named` describes. */
  mustBe(
    field: InputName,
    value: string | null,
    only: string | null,
    named: string,
    same: (value: string, only: string | null) => boolean = (one, other) => one === other,
  ): void {
    if (value !== null && !same(value, only)) this.fault(field, 'value_error', named, value);
  }

  /** A fault, unless the field already has one. */
  require(field: InputName): null {
    if (!this.faults.some((each) => each.loc[0] === field))
      this.faults.push({ type: 'missing', loc: [field], msg: `${field}: expected a value, got none` });
    return null;
  }

  fault(field: InputName, type: string, expected: string, value: unknown): null {
    const input = typeof value === 'string' ? value.slice(0, 200) : (value ?? null);
    const shown = typeof value === 'bigint' ? `${value}n` : clip(value);
    this.faults.push({ type, loc: [field], msg: `${field}: expected ${expected}, got ${shown}`, input });
    return null;
  }

  private mended(field: InputName, original: string, mended: string): string {
    if (mended !== original) this.repaired.add(field);
    return mended;
  }
}

const NIL = '00000000-0000-0000-0000-000000000000';
/** Characters of the longest text that may be an instant. */
const MAX_INSTANT = 200;

/** Whether a text exceeds its bounds; beyond twice the characters they need not be counted. */
export function isLonger(text: string, { characters, bytes }: Bounds): boolean {
  if (text.length > 2 * characters) return true;
  if (text.length > characters && Array.from(text).length > characters) return true;
  return bytes !== undefined && Buffer.byteLength(text) > bytes;
}

const boundsOf = ({ characters, bytes }: Bounds): string =>
  `${characters} characters${bytes === undefined ? '' : ` and ${bytes} bytes in UTF-8`}`;

/** NUL and lone surrogates become U+FFFD; what is too long is cut and ends in an ellipsis. */
export function mendText(text: string, bounds: Bounds): string {
  // A character has at most two units, so the rest cannot remain.
  const isWhole = text.length <= 2 * bounds.characters + 2;
  const storable = (isWhole ? text : text.slice(0, 2 * bounds.characters + 2))
    .replaceAll('\0', '\uFFFD')
    .toWellFormed();
  if (isWhole && !isLonger(storable, bounds)) return storable;
  const maxBytes =
    bounds.bytes === undefined ? Number.POSITIVE_INFINITY : bounds.bytes - Buffer.byteLength(ELLIPSIS);
  let result = '';
  let characters = 0;
  let bytes = 0;
  for (const character of storable) {
    characters += 1;
    bytes += Buffer.byteLength(character);
    if (characters >= bounds.characters || bytes > maxBytes) break;
    result += character;
  }
  return result + ELLIPSIS;
}
