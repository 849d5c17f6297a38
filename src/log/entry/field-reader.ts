import { clip, type Fault } from '../../errors.js';
import { isEmailAddress, isStorable, parseInstant, parseUuid } from '../../query-line/values.js';
import type { CreateLogInput } from './create-log-input.js';
import { normalizeAddress } from './ip-address.js';

export type InputName = keyof CreateLogInput;

/** Bounds of a text: characters are Unicode code points, bytes those of UTF-8. */
export interface Bounds {
  characters: number;
  bytes?: number;
}

/** Control, format and bidirectional characters, which a reader does not see or sees somewhere else. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const ELLIPSIS = '…';
const PAST_MICROSECONDS = /(\.\d{6})(\d+)/;

/**
 * Reads the fields of one input that may hold anything, into their stored form; null where a field is not given or
 * faulty. Faults go to the list it was made with; their types are the words of REST's first edition (pydantic's). With
 * repair, what is out of bounds in a descriptive field is mended instead, and the field is named in `repaired`.
 */
export class FieldReader {
  /** Names of mended fields, as the input has them. */
  readonly repaired = new Set<InputName>();

  constructor(
    private readonly input: Readonly<Record<string, unknown>>,
    private readonly faults: Fault[],
    readonly repair: boolean,
  ) {}

  /** Required text of 1 to `most` characters, all of them visible, without white space around. */
  name(field: InputName, most: number): string | null {
    const value = this.input[field];
    if (value === undefined) return this.require(field);
    if (typeof value !== 'string') return this.fault(field, 'string_type', 'text', value);
    if (value === '') return this.fault(field, 'string_too_short', `1 to ${most} characters`, value);
    if (!isStorable(value))
      return this.fault(field, 'value_error', 'text without NUL and lone surrogates', value);
    if (INVISIBLE.test(value))
      return this.fault(
        field,
        'value_error',
        'text without control, format and bidirectional characters',
        value,
      );
    if (value.trim() !== value)
      return this.fault(field, 'value_error', 'text without white space around it', value);
    if (isLonger(value, { characters: most }))
      return this.fault(field, 'string_too_long', `at most ${most} characters`, value);
    return value;
  }

  /** Text of 1 to `most` characters without control characters; it names nothing that a reader sees. */
  key(field: InputName, most: number): string | null {
    const value = this.input[field];
    if (typeof value !== 'string') return this.fault(field, 'string_type', 'text', value);
    if (value === '') return this.fault(field, 'string_too_short', `1 to ${most} characters`, value);
    if (/\p{Cc}/u.test(value))
      return this.fault(field, 'value_error', 'text without control characters', value);
    if (!isStorable(value))
      return this.fault(field, 'value_error', 'text without NUL and lone surrogates', value);
    if (isLonger(value, { characters: most }))
      return this.fault(field, 'string_too_long', `at most ${most} characters`, value);
    return value;
  }

  /** Optional text within bounds; empty is not given. */
  text(field: InputName, bounds: Bounds): string | null {
    const value = this.input[field];
    if (value === undefined || value === null || value === '') return null;
    if (typeof value !== 'string') return this.fault(field, 'string_type', 'text', value);
    if (this.repair) return this.mended(field, value, mendText(value, bounds));
    if (!isStorable(value))
      return this.fault(field, 'value_error', 'text without NUL and lone surrogates', value);
    if (isLonger(value, bounds))
      return this.fault(field, 'string_too_long', `at most ${boundsOf(bounds)}`, value);
    return value;
  }

  /** Optional text that is kept in lower case where it is a UUID. */
  id(field: InputName, bounds: Bounds): string | null {
    const value = this.text(field, bounds);
    return value && (parseUuid(value) ?? value);
  }

  /**
   * As id, of somebody: no e-mail address, since ids are sealed and stay. With repair an address is handed to `moveTo`.
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

  /** A UUID of a tenant or client, which the nil UUID is not. */
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
    const [, , rest = ''] = PAST_MICROSECONDS.exec(value.slice(0, MOST_INSTANT)) ?? [];
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

  /** An IP address in any spelling, in one. */
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

  /** One of a closed list of names; null where none is given. */
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

  /** A fault unless the field is not given or faulty already (null), or the same as what it must be. */
  mustBe(
    field: InputName,
    value: string | null,
    only: string | null,
    named: string,
    same: (value: string, only: string | null) => boolean = (one, other) => one === other,
  ): void {
    if (value !== null && !same(value, only)) this.fault(field, 'value_error', named, value);
  }

  /** A fault unless the field has one already. */
  require(field: InputName): null {
    if (!this.faults.some((each) => each.loc[0] === field))
      this.faults.push({ type: 'missing', loc: [field], msg: `${field}: expected a value, got none` });
    return null;
  }

  fault(field: InputName, type: string, expected: string, came: unknown): null {
    const input = typeof came === 'string' ? came.slice(0, 200) : (came ?? null);
    const said = typeof came === 'bigint' ? `${came}n` : clip(came);
    this.faults.push({ type, loc: [field], msg: `${field}: expected ${expected}, got ${said}`, input });
    return null;
  }

  private mended(field: InputName, came: string, mended: string): string {
    if (mended !== came) this.repaired.add(field);
    return mended;
  }
}

const NIL = '00000000-0000-0000-0000-000000000000';
/** Characters of an instant that are looked at; a longer text is none. */
const MOST_INSTANT = 200;

/** Whether a text goes past its bounds; past twice the characters there is no need to count them. */
function isLonger(text: string, { characters, bytes }: Bounds): boolean {
  if (text.length > 2 * characters) return true;
  if (text.length > characters && Array.from(text).length > characters) return true;
  return bytes !== undefined && Buffer.byteLength(text) > bytes;
}

const boundsOf = ({ characters, bytes }: Bounds): string =>
  `${characters} characters${bytes === undefined ? '' : ` and ${bytes} bytes in UTF-8`}`;

/** NUL and lone surrogates become U+FFFD; what is too long is cut and ends in an ellipsis. */
export function mendText(text: string, bounds: Bounds): string {
  // Twice the characters hold all that can stay; the rest need not be looked at.
  const isWhole = text.length <= 2 * bounds.characters + 2;
  const storable = (isWhole ? text : text.slice(0, 2 * bounds.characters + 2))
    .replaceAll('\0', '\uFFFD')
    .toWellFormed();
  if (isWhole && !isLonger(storable, bounds)) return storable;
  const most =
    bounds.bytes === undefined ? Number.POSITIVE_INFINITY : bounds.bytes - Buffer.byteLength(ELLIPSIS);
  let kept = '';
  let characters = 0;
  let bytes = 0;
  for (const character of storable) {
    characters += 1;
    bytes += Buffer.byteLength(character);
    if (characters >= bounds.characters || bytes > most) break;
    kept += character;
  }
  return kept + ELLIPSIS;
}
