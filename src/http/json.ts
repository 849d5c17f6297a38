import { clip, clipWay, type Fault, ReelError, unquoted, wayText } from '../errors.js';
import { readNumber, UnheldNumber } from '../query-line/number.js';
import { noteName } from '../query-line/wide-object.js';
import { isSliceUsed, takeTurn } from '../time-slice.js';

/** A text of JSON as a value, and what must be refused about it. */
export interface JsonText {
  /** Numbers that no double holds as written are UnheldNumber; keys such as `__proto__` are plain data. */
  value: unknown;
  /** The first names that stand twice in their object, loc being `body` and the way there. */
  faults: Fault[];
}

/** Longer texts are read in slices, so that the event loop is not held. */
const MAX_AT_ONCE = 1_048_576;
/** Nor are those read at once that have more levels, over which JSON.parse and the collector take a hundred times as long. */
const MAX_LEVELS_AT_ONCE = 1_000;
const MAX_FAULTS = 20;
/** So many as a text that is read at once can have, so that what is refused does not depend on how it is read. */
const MAX_LEVELS = MAX_AT_ONCE / 2;
/** Lists and objects take many times the memory of their text. */
const MAX_CONTAINERS = 2_000_000;
/** Of all kinds; what is 16 MiB long and meant has fewer. */
const MAX_VALUES = 4_000_000;
/** Of one object, whose names are looked at in one go: more than a text that is read at once has room for. */
const MAX_MEMBERS = 262_144;

/**
 * Reads JSON (RFC 8259) in time linear in its length. Errors: SyntaxError, BAD_USER_INPUT for more than 4,000,000 values,
 * 2,000,000 lists and objects, 262,144 members of one object or 524,288 levels.
 */
export async function readJson(text: string): Promise<JsonText> {
  if (text.length <= MAX_AT_ONCE && !isDeep(text)) {
    const value: unknown = JSON.parse(text);
    if (isFaithful(text, value)) return { value, faults: [] };
  }
  const reader = new JsonReader(text);
  const reading = reader.read();
  for (;;) {
    const step = reading.next();
    if (step.done) return { value: step.value, faults: reader.repeated };
    if (isSliceUsed()) await takeTurn();
  }
}

/** As readJson; BAD_USER_INPUT also where a name stands twice in an object. */
export async function parseJson(text: string): Promise<unknown> {
  const { value, faults } = await readJson(text);
  if (faults.length > 0) throw refusal(faults);
  return value;
}

/**
 * Looks at a short text that a library will read by JSON.parse. Errors: BAD_USER_INPUT where that would lose something
 * of it, as a name that stands twice or digits of a number, or take long. What is no JSON is left to the library.
 */
export function checkJson(text: string): void {
  if (isDeep(text)) throw beyond(`${MAX_LEVELS_AT_ONCE} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return;
  }
  if (isFaithful(text, value)) return;
  const reader = new JsonReader(text);
  for (const _ of reader.read());
  const faults = [...reader.repeated, ...reader.unheld];
  if (faults.length > 0) throw refusal(faults);
}

const refusal = (faults: Fault[]): ReelError =>
  new ReelError('BAD_USER_INPUT', faults.map(({ msg }) => msg).join('; '), { faults });

const [QUOTE, BACKSLASH, COMMA, COLON, SPACE] = [0x22, 0x5c, 0x2c, 0x3a, 0x20] as const;
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d] as const;
const [PLUS, MINUS, POINT, ZERO, NINE] = [0x2b, 0x2d, 0x2e, 0x30, 0x39] as const;
const [TAB, LINE_FEED, CARRIAGE_RETURN, LETTER_E, SMALL_E, SMALL_U] = [
  0x09, 0x0a, 0x0d, 0x45, 0x65, 0x75,
] as const;
/** A number of so many characters, none of them an exponent's, is held by a double. */
const SURE_LENGTH = 15;

/** Whether what JSON.parse made of a text has every number as written and every name once: then it has as many names as the text has colons. */
function isFaithful(text: string, value: unknown): boolean {
  let names = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = closingQuote(text, at);
    else if (code === COLON) names += 1;
    else if (code === MINUS || isDigit(code)) {
      const start = at;
      let isSure = code !== MINUS || text.charCodeAt(at + 1) !== ZERO;
      at = lastDigit(text, at);
      if (text.charCodeAt(at + 1) === POINT) at = lastDigit(text, at + 1);
      const next = text.charCodeAt(at + 1);
      if (next === SMALL_E || next === LETTER_E) {
        isSure = false;
        at = lastDigit(text, isDigit(text.charCodeAt(at + 2)) ? at + 1 : at + 2);
      }
      if (!(isSure && at - start < SURE_LENGTH) && !isRead(text.slice(start, at + 1))) return false;
    }
  }
  return names === 0 || names === countNames(value);
}

function isDeep(text: string): boolean {
  if (text.length < 2 * MAX_LEVELS_AT_ONCE) return false;
  let levels = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === OPEN_LIST || code === OPEN_OBJECT) {
      levels += 1;
      if (levels > MAX_LEVELS_AT_ONCE) return true;
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) levels -= 1;
    else if (code === QUOTE) {
      at = closingQuote(text, at);
      if (at < 0) return false;
    }
  }
  return false;
}

/** Compared at once, which is much quicker than one by one: a text may be nothing but backslashes. */
const BACKSLASHES = '\\'.repeat(1_024);

/** Where the string that begins at a place ends; -1 where it does not. */
export function closingQuote(text: string, at: number): number {
  for (let end = text.indexOf('"', at + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end;
    while (text.slice(Math.max(0, before - BACKSLASHES.length), before) === BACKSLASHES)
      before -= BACKSLASHES.length;
    while (text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
    if ((end - before) % 2 === 0) return end;
  }
  return -1;
}

/** Where the digits end that stand past a place. */
function lastDigit(text: string, at: number): number {
  let end = at;
  while (isDigit(text.charCodeAt(end + 1))) end += 1;
  return end;
}

/** Whether JSON.parse answers for a number what readNumber does; -0 it does not make 0. */
const isRead = (text: string): boolean => Object.is(readNumber(text), Number(text));

/** Names of all objects in a value, however deep. */
function countNames(value: unknown): number {
  let names = 0;
  const open: object[] = [];
  if (isContainer(value)) open.push(value);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (Array.isArray(next)) {
      for (let at = 0; at < next.length; at += 1) if (isContainer(next[at])) open.push(next[at]);
    } else {
      for (const name in next) {
        names += 1;
        const member = (next as Record<string, unknown>)[name];
        if (isContainer(member)) open.push(member);
      }
    }
  }
  return names;
}

const isContainer = (value: unknown): value is object => typeof value === 'object' && value !== null;
const DIGITS = /[0-9]+/y;
const isDigit = (code: number): boolean => code >= ZERO && code <= NINE;

/** Values, or ends of lists and objects, between two looks at the clock. */
const STRIDE = 512;
/** Characters of a string that are read at once. */
const MAX_PIECE = 65_536;

/** Reads JSON value by value: several times slower than JSON.parse, in steps, and losing nothing. */
class JsonReader {
  readonly repeated: Fault[] = [];
  readonly unheld: Fault[] = [];
  private at = 0;
  private containers = 0;
  private readonly open: (unknown[] | Record<string, unknown>)[] = [];
  /** Of each open object the name whose value is being read; of a list nothing. */
  private readonly names: string[] = [];
  /** Of each open object how many members it has so far. */
  private readonly members: number[] = [];

  constructor(private readonly text: string) {}

  /** Answers the value in the end. Errors: SyntaxError. */
  *read(): Generator<undefined, unknown> {
    for (let values = 1; ; values += 1) {
      if (values % STRIDE === 0) yield;
      if (values > MAX_VALUES) throw beyond(`${MAX_VALUES} values`);
      let value = this.begin();
      if (value === BEGUN) {
        const begun = this.open.at(-1)!;
        if (!Array.isArray(begun)) yield* this.name(begun);
        continue;
      }
      if (value === LONG) value = yield* this.longString();
      for (let closed = 1; ; closed += 1) {
        if (closed % STRIDE === 0) yield;
        const within = this.open.at(-1);
        const code = this.space();
        if (within === undefined) {
          if (this.at < this.text.length) throw this.fault();
          return value;
        }
        const isList = Array.isArray(within);
        if (isList) within.push(value);
        else put(within, this.names.at(-1)!, value);
        this.at += 1;
        if (code === COMMA) {
          if (!isList) yield* this.name(within);
          break;
        }
        if (code !== (isList ? CLOSE_LIST : CLOSE_OBJECT)) throw this.fault();
        this.close();
        value = within;
      }
    }
  }

  /** A whole value, or BEGUN where it is a list or an object whose first member comes next. */
  private begin(): unknown {
    const code = this.space();
    if (code === QUOTE) return this.string() ?? LONG;
    if (code === OPEN_OBJECT || code === OPEN_LIST) {
      const container = code === OPEN_LIST ? [] : {};
      this.at += 1;
      this.containers += 1;
      if (this.containers > MAX_CONTAINERS) throw beyond(`${MAX_CONTAINERS} lists and objects`);
      if (this.open.length === MAX_LEVELS) throw beyond(`${MAX_LEVELS} levels`);
      if (this.space() === (code === OPEN_LIST ? CLOSE_LIST : CLOSE_OBJECT)) {
        this.at += 1;
        return container;
      }
      this.open.push(container);
      this.names.push('');
      this.members.push(0);
      return BEGUN;
    }
    if (code === MINUS || isDigit(code)) return this.number();
    for (const [word, value] of WORDS)
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    throw this.fault();
  }

  private close(): void {
    this.open.pop();
    this.names.pop();
    this.members.pop();
  }

  /** A member's name and its colon. */
  private *name(object: Record<string, unknown>): Generator<undefined, void> {
    if (this.space() !== QUOTE) throw this.fault();
    const name = this.string() ?? (yield* this.longString());
    this.members[this.members.length - 1]! += 1;
    if (this.members.at(-1)! > MAX_MEMBERS) throw beyond(`${MAX_MEMBERS} members of one object`);
    noteName(object, name, this.members.at(-1)!);
    this.names[this.names.length - 1] = name;
    if (this.space() !== COLON) throw this.fault();
    this.at += 1;
    if (this.repeated.length < MAX_FAULTS && Object.hasOwn(object, name))
      this.repeated.push(
        fault(this.way(), `each name once in an object, got ${clip(name.slice(0, 200))} twice`, name),
      );
  }

  /** null for one that is longer than MAX_PIECE, which is left to longString. */
  private string(): string | null {
    const start = this.at;
    const end = this.stringEnd(start + 1);
    if (this.text.charCodeAt(end) !== QUOTE) return null;
    this.at = end + 1;
    // It decodes and checks, and what it answers keeps nothing else of the text alive.
    return JSON.parse(this.text.slice(start, end + 1)) as string;
  }

  private *longString(): Generator<undefined, string> {
    const pieces: string[] = [];
    this.at += 1;
    while (this.text.charCodeAt(this.at) !== QUOTE) {
      const end = this.stringEnd(this.at);
      pieces.push(JSON.parse(`"${this.text.slice(this.at, end)}"`) as string);
      this.at = end;
      yield;
    }
    this.at += 1;
    return pieces.join('');
  }

  /** Where a string's closing quote is, or else where a piece of it may end that is not too long. */
  private stringEnd(start: number): number {
    const { text } = this;
    let at = start;
    while (at - start < MAX_PIECE) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) break;
      if (Number.isNaN(code)) throw this.fault();
      if (code !== BACKSLASH) at += 1;
      else at += text.charCodeAt(at + 1) === SMALL_U ? 6 : 2;
    }
    return at;
  }

  private number(): number | UnheldNumber {
    const { text } = this;
    const start = this.at;
    if (text.charCodeAt(this.at) === MINUS) this.at += 1;
    if (text.charCodeAt(this.at) === ZERO) this.at += 1;
    else this.digits();
    if (text.charCodeAt(this.at) === POINT) {
      this.at += 1;
      this.digits();
    }
    const code = text.charCodeAt(this.at);
    if (code === SMALL_E || code === LETTER_E) {
      const sign = text.charCodeAt(this.at + 1);
      this.at += sign === PLUS || sign === MINUS ? 2 : 1;
      this.digits();
    }
    const written = text.slice(start, this.at);
    const value = readNumber(written);
    if (value instanceof UnheldNumber && this.unheld.length < MAX_FAULTS)
      this.unheld.push(
        fault(this.way(), `a number that a double holds as written, got ${unquoted(written)}`, value),
      );
    return value;
  }

  /** One digit or more. */
  private digits(): void {
    // Of millions of digits several times as fast as by character.
    DIGITS.lastIndex = this.at;
    if (!DIGITS.test(this.text)) throw this.fault();
    this.at = DIGITS.lastIndex;
  }

  /** What stands past white space; NaN at the end. */
  private space(): number {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== SPACE && code !== LINE_FEED && code !== CARRIAGE_RETURN && code !== TAB) return code;
      this.at += 1;
    }
  }

  private way(): (string | number)[] {
    return this.open.map((each, level) => (Array.isArray(each) ? each.length : this.names[level]!));
  }

  private fault(): SyntaxError {
    return new SyntaxError(`Unexpected text at position ${this.at} of JSON`);
  }
}

const BEGUN = Symbol('begun');
const LONG = Symbol('long');
const WORDS = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const;

function beyond(most: string): ReelError {
  const msg = `expected at most ${most} of JSON, got more`;
  return refusal([{ type: 'value_error', loc: ['body'], msg }]);
}

function put(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
  else object[name] = value;
}

function fault(way: (string | number)[], expected: string, input: unknown): Fault {
  const loc = clipWay(way);
  return { type: 'value_error', loc: ['body', ...loc], msg: `${wayText(loc)}: expected ${expected}`, input };
}
