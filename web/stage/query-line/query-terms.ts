import { isStorable } from './values.js';

/** In the order of the canonical form. */
export const FIELDS = [
  'module',
  'action',
  'severity',
  'origin',
  'actor',
  'resource',
  'client',
  'request',
  'ip',
  'since',
  'until',
] as const;

export type FieldName = (typeof FIELDS)[number];

/** Bounds, in Unicode code points where they are of text. */
export const MAX_LINE = 2000;
export const MAX_TERMS = 50;
export const MAX_ITEMS = 20;
export const MAX_VALUE = 320;
export const MAX_SEARCH = 255;

/** One term as written; a text has no field and one item. */
export interface Term {
  /** 0-based, in UTF-16 units, as is length. */
  position: number;
  length: number;
  field: FieldName | null;
  negated: boolean;
  op: ':' | '>=';
  /** At least one, none empty, quotes taken off. */
  items: string[];
}

/** A fault of one term. The message says what was expected and repeats at most 200 characters of what came. */
export class QueryLineError extends Error {
  constructor(
    message: string,
    readonly position: number,
    readonly length: number,
  ) {
    super(message);
    this.name = 'QueryLineError';
  }
}

type Place = Pick<Term, 'position' | 'length'>;

/** For a message: in back quotes, cut at 100 characters. */
export const shown = (text: string): string =>
  `\`${text.length > 100 ? `${text.slice(0, 99).toWellFormed()}…` : text}\``;

export const faultAt = ({ position, length }: Place, message: string): QueryLineError =>
  new QueryLineError(message, position, length);

/** Whether a text has more code points than that. */
export const isLonger = (text: string, most: number): boolean =>
  text.length > most && (text.length > 2 * most || Array.from(text).length > most);

/** The terms of a line by its grammar alone. Throws QueryLineError. */
export function readTerms(line: string): Term[] {
  if (isLonger(line, MAX_LINE))
    throw new QueryLineError(`expected at most ${MAX_LINE} characters`, 0, line.length);
  return splitLine(line).map((place, index) => {
    if (index >= MAX_TERMS) throw faultAt(place, `expected at most ${MAX_TERMS} terms`);
    return readTerm(line.slice(place.position, place.position + place.length), place);
  });
}

/** One unit of a quoted text, an escape counting as one. */
const QUOTED = /"(?:[^"\\]|\\(?:["\\]|(?!["\\])))*"/y;

/** Where the terms stand: white space parts them, but for white space in quotes. */
function splitLine(line: string): Place[] {
  const places: Place[] = [];
  let at = 0;
  while (at < line.length) {
    if (/\s/.test(line[at] as string)) {
      at += 1;
      continue;
    }
    const position = at;
    while (at < line.length && !/\s/.test(line[at] as string)) {
      if (line[at] !== '"') {
        at += 1;
        continue;
      }
      QUOTED.lastIndex = at;
      if (!QUOTED.test(line))
        throw new QueryLineError(
          `expected a closing " for the quote opened at position ${at}`,
          position,
          line.length - position,
        );
      at = QUOTED.lastIndex;
    }
    places.push({ position, length: at - position });
  }
  return places;
}

/** What a term with a field begins with, or seems to. */
const HEAD = /^(-?)(\p{L}+)(:|>=)/u;
const URL_HEAD = /^https?:\/\//i;

/** A word is text unless it begins as a field with its operator does; `http://` and `https://` are no fields. */
function headOf(written: string): { negated: boolean; name: string; op: Term['op']; length: number } | null {
  const match = URL_HEAD.test(written) ? null : HEAD.exec(written);
  if (!match) return null;
  const [all, minus, name = '', op] = match;
  if (op === '>=' && !isField(name.toLowerCase())) return null;
  return { negated: minus === '-', name, op: op as Term['op'], length: all.length };
}

/** Whether a search text stands for itself without quotes. */
export const isBareText = (text: string): boolean =>
  text !== '' && !/[\s"]/.test(text) && !text.startsWith('-') && headOf(text) === null;

/** Whether an item of a value stands for itself without quotes. */
export const isBareItem = (item: string): boolean => item !== '' && !/[\s",]/.test(item);

/** A backslash is doubled only where it would otherwise be read as the start of an escape. */
export const quote = (text: string): string =>
  `"${text.replace(/\\(?=[\\"]|$)/g, '\\\\').replace(/"/g, '\\"')}"`;

function readTerm(written: string, place: Place): Term {
  const head = headOf(written);
  if (!head) return readText(written, place);
  const { negated, op } = head;
  const field = head.name.toLowerCase();
  if (!isField(field)) {
    const near = `${negated ? '-' : ''}${nearest(field)}:`;
    throw faultAt(
      place,
      `unknown field ${shown(`${head.name}:`)}, did you mean \`${near}\`? Text with a colon stands in quotes`,
    );
  }
  if (op === '>=' && field !== 'severity')
    throw faultAt(place, `expected \`${field}:\`, since only severity takes >=`);
  const value = written.slice(head.length);
  if (value === '') throw faultAt(place, `expected a value after ${shown(written)}`);
  const items = readItems(value, place);
  if (items.length > MAX_ITEMS)
    throw faultAt(place, `expected at most ${MAX_ITEMS} values, got ${items.length}`);
  for (const item of items) checkText(item, MAX_VALUE, place);
  return { ...place, field, negated, op, items };
}

function readText(written: string, place: Place): Term {
  if (written.startsWith('-'))
    throw faultAt(
      place,
      `expected a field after -, since text cannot be negated; in quotes, ${shown(quote(written))}, it is text`,
    );
  const text = unquote(written, place);
  if (text === '') throw faultAt(place, 'expected a text between the quotes');
  checkText(text, MAX_SEARCH, place);
  return { ...place, field: null, negated: false, op: ':', items: [text] };
}

function checkText(text: string, most: number, place: Place): void {
  if (isLonger(text, most)) throw faultAt(place, `expected at most ${most} characters in ${shown(text)}`);
  if (!isStorable(text)) throw faultAt(place, 'expected text without NUL and lone surrogates');
}

/** Items are parted by commas outside quotes. */
function readItems(value: string, place: Place): string[] {
  const items = value.match(/(?:"(?:[^"\\]|\\(?:["\\]|(?!["\\])))*"|[^",])+|(?<=^|,)(?=,|$)/g) ?? [];
  return items.map((item) => {
    const read = unquote(item, place);
    if (read === '') throw faultAt(place, `expected no empty value in ${shown(value)}`);
    return read;
  });
}

/** A word as it stands, or what one pair of quotes holds. */
function unquote(written: string, place: Place): string {
  if (!written.includes('"')) return written;
  QUOTED.lastIndex = 0;
  if (!QUOTED.test(written) || QUOTED.lastIndex !== written.length)
    throw faultAt(place, `expected white space between quoted and other text in ${shown(written)}`);
  return written.slice(1, -1).replace(/\\(["\\])/g, '$1');
}

const isField = (name: string): name is FieldName => (FIELDS as readonly string[]).includes(name);

function nearest(name: string): FieldName {
  const distances = FIELDS.map((field) => distance(name, field));
  return FIELDS[distances.indexOf(Math.min(...distances))] as FieldName;
}

/** Levenshtein's: how many letters to add, drop or change. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, letter] of Array.from(from).entries()) {
    const next = [index + 1];
    for (let at = 1; at <= to.length; at++) {
      const change = (row[at - 1] as number) + (letter === to[at - 1] ? 0 : 1);
      next.push(Math.min(change, (row[at] as number) + 1, (next[at - 1] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
