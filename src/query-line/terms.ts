import { nearest } from './nearest.js';
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

/** Bounds; those of text are in Unicode code points. */
const MAX_LINE = 2000;
const MAX_TERMS = 50;
export const MAX_ITEMS = 20;
const MAX_VALUE = 320;
const MAX_SEARCH = 255;

/** One term. A text has no field and one item. */
export interface Term {
  /** 0-based, in UTF-16 units, as is length. */
  position: number;
  length: number;
  field: FieldName | null;
  negated: boolean;
  op: ':' | '>=';
  /** Never empty, nor is any item; without quotes. */
  items: string[];
}

/** What is wrong with one term. The message quotes at most 200 characters of the line. */
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

type Span = Pick<Term, 'position' | 'length'>;

/** For a message: in backticks, cut at 100 characters. */
export const shown = (text: string): string =>
  `\`${text.length > 100 ? `${text.slice(0, 99).toWellFormed()}…` : text}\``;

export const errorAt = ({ position, length }: Span, message: string): QueryLineError =>
  new QueryLineError(message, position, length);

/** Whether a text has more than `max` code points. */
const isLonger = (text: string, max: number): boolean =>
  text.length > max && (text.length > 2 * max || Array.from(text).length > max);

/** Splits a line into terms, without looking at what their values mean. Throws QueryLineError. */
export function readTerms(line: string): Term[] {
  if (isLonger(line, MAX_LINE))
    throw new QueryLineError(`expected at most ${MAX_LINE} characters`, 0, line.length);
  return splitLine(line).map((span, index) => {
    if (index >= MAX_TERMS) throw errorAt(span, `expected at most ${MAX_TERMS} terms`);
    return readTerm(line.slice(span.position, span.position + span.length), span);
  });
}

/** A quoted text with its quotes. A backslash before anything but " and \ stands for itself. */
const QUOTED = /"(?:[^"\\]|\\(?:["\\]|(?!["\\])))*"/y;

/** Terms are separated by white space outside quotes. */
function splitLine(line: string): Span[] {
  const spans: Span[] = [];
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
    spans.push({ position, length: at - position });
  }
  return spans;
}

/** What looks like a field with its operator at the start of a term. */
const HEAD = /^(-?)(\p{L}+)(:|>=)/u;
const URL_HEAD = /^https?:\/\//i;

/** Null for a text: a word that does not start with a field and its operator, or that starts with `http://` or `https://`. */
function headOf(written: string): { negated: boolean; name: string; op: Term['op']; length: number } | null {
  const match = URL_HEAD.test(written) ? null : HEAD.exec(written);
  if (!match) return null;
  const [all, minus, name = '', op] = match;
  if (op === '>=' && !isField(name.toLowerCase())) return null;
  return { negated: minus === '-', name, op: op as Term['op'], length: all.length };
}

/** Whether a text needs no quotes. */
export const isBareText = (text: string): boolean =>
  text !== '' && !/[\s"]/.test(text) && !text.startsWith('-') && headOf(text) === null;

/** Whether an item of a value needs no quotes. */
export const isBareItem = (item: string): boolean => item !== '' && !/[\s",]/.test(item);

/** Doubles a backslash only where it would otherwise start an escape. */
export const quote = (text: string): string =>
  `"${text.replace(/\\(?=[\\"]|$)/g, '\\\\').replace(/"/g, '\\"')}"`;

function readTerm(written: string, span: Span): Term {
  const head = headOf(written);
  if (!head) return readText(written, span);
  const { negated, op } = head;
  const field = head.name.toLowerCase();
  if (!isField(field)) {
    const near = `${negated ? '-' : ''}${nearest(field, FIELDS)}:`;
    throw errorAt(
      span,
      `unknown field ${shown(`${head.name}:`)}, did you mean \`${near}\`? Put text with a colon in quotes`,
    );
  }
  if (op === '>=' && field !== 'severity')
    throw errorAt(span, `expected \`${field}:\`, since only severity takes >=`);
  const value = written.slice(head.length);
  if (value === '') throw errorAt(span, `expected a value after ${shown(written)}`);
  const items = readItems(value, span);
  if (items.length > MAX_ITEMS)
    throw errorAt(span, `expected at most ${MAX_ITEMS} values, got ${items.length}`);
  for (const item of items) checkText(item, MAX_VALUE, span);
  return { ...span, field, negated, op, items };
}

function readText(written: string, span: Span): Term {
  if (written.startsWith('-'))
    throw errorAt(
      span,
      `expected a field after -, since text cannot be negated; in quotes, ${shown(quote(written))}, it is searched for`,
    );
  const text = unquote(written, span);
  if (text === '') throw errorAt(span, 'expected text between the quotes');
  checkText(text, MAX_SEARCH, span);
  return { ...span, field: null, negated: false, op: ':', items: [text] };
}

function checkText(text: string, max: number, span: Span): void {
  if (isLonger(text, max)) throw errorAt(span, `expected at most ${max} characters in ${shown(text)}`);
  if (!isStorable(text)) throw errorAt(span, 'expected text without NUL or lone surrogates');
}

/** Items are separated by commas outside quotes. */
function readItems(value: string, span: Span): string[] {
  const items = value.match(/(?:"(?:[^"\\]|\\(?:["\\]|(?!["\\])))*"|[^",])+|(?<=^|,)(?=,|$)/g) ?? [];
  return items.map((item) => {
    const read = unquote(item, span);
    if (read === '') throw errorAt(span, `expected no empty value in ${shown(value)}`);
    return read;
  });
}

/** The text inside one pair of quotes, or a word without quotes as it is. */
function unquote(written: string, span: Span): string {
  if (!written.includes('"')) return written;
  QUOTED.lastIndex = 0;
  if (!QUOTED.test(written) || QUOTED.lastIndex !== written.length)
    throw errorAt(span, `expected white space between quoted and other text in ${shown(written)}`);
  return written.slice(1, -1).replace(/\\(["\\])/g, '$1');
}

const isField = (name: string): name is FieldName => (FIELDS as readonly string[]).includes(name);
