import { QueryLineError, type Span, splice } from './fault.js';
import { FIELDS, type FieldName, isField } from './fields.js';
import { QUOTED, quote, unescaped } from './quote.js';

/** A term as it stands in the line: what white space outside quotes separates. */
export interface Word extends Span {
  readonly written: string;
}

const WORD = new RegExp(`(?:[^\\s"]|${QUOTED})+`, 'y');
const SPACE = /\s*/y;

/** Splits a line at white space outside quotes. Throws QueryLineError for a quote that is not closed. */
export function splitLine(line: string): Word[] {
  const words: Word[] = [];
  for (let at = 0; ; ) {
    SPACE.lastIndex = at;
    SPACE.test(line);
    const position = SPACE.lastIndex;
    if (position >= line.length) return words;
    WORD.lastIndex = position;
    at = WORD.test(line) ? WORD.lastIndex : position;
    if (line[at] === '"') throw unclosed(line, position, at);
    words.push({ position, length: at - position, written: line.slice(position, at) });
  }
}

function unclosed(line: string, position: number, quoteAt: number): QueryLineError {
  const text = unescaped(line.slice(quoteAt + 1)).trimEnd();
  const isOneTerm = text !== '' && !KNOWN_HEAD.test(text);
  return new QueryLineError(
    'UNCLOSED_QUOTE',
    `expected a closing " for the quote opened at position ${quoteAt}`,
    { position, length: line.length - position },
    isOneTerm ? line.slice(0, quoteAt) + quote(text) : null,
  );
}

const OPERATOR = '(!=|<>|=>|=<|==|>=|<=|[:=<>])';
/** A field with its operator, later in the line. */
const KNOWN_HEAD = new RegExp(`\\s-?(?:${FIELDS.join('|')})(?:\\.[^\\s:=<>]*)?${OPERATOR}`, 'i');
const NAME_HEAD = new RegExp(`^(-?)([\\p{L}*][\\p{L}\\p{M}\\p{Nd}_.*-]*)${OPERATOR}`, 'u');
const DATA_HEAD = new RegExp(`^(-?)(data(?=[.["!:=<>])(?:[^\\s":=<>]|${QUOTED})*?)${OPERATOR}`, 'i');
const URL_HEAD = /^https?:\/\//i;

/** The start of a term that names a field: its name and operator as they are written, and where the value begins. */
export interface Head {
  readonly negated: boolean;
  readonly name: string;
  readonly operator: string;
  readonly length: number;
}

/** Null for a text. */
export function headOf(written: string): Head | null {
  const match = DATA_HEAD.exec(written) ?? NAME_HEAD.exec(written);
  if (!match || URL_HEAD.test(written.startsWith('-') ? written.slice(1) : written)) return null;
  const [{ length }, minus, name = '', operator = ''] = match;
  return { negated: minus === '-', name, operator, length };
}

/** The field of a head's name, in any case; null where there is none. */
export function fieldOf(name: string): FieldName | null {
  const lower = name.toLowerCase();
  if (/^data(?![\p{L}\p{M}\p{Nd}_-])/u.test(lower)) return 'data';
  return isField(lower) ? lower : null;
}

export const isBooleanWord = (written: string): boolean => /^-?(?:AND|OR|NOT)$/.test(written);
export const hasExclamationMark = (written: string): boolean => /^-?!/.test(written);

/** Whether it is `(module:a`, which is no grouping but would be a text. */
export function isParenthesized(written: string): boolean {
  const inside = /^-?\(+/.exec(written);
  const head = inside && headOf(written.slice(inside[0].length));
  return head ? fieldOf(head.name) !== null : false;
}

const WHOLE_PATH = new RegExp(`^data\\.(?:[^\\s":=<>]|${QUOTED})+$`, 'i');

/** Whether `field` and `operator` are a field and what begins with an operator, with white space between: `severity >= ERROR`. */
export function isSpacedOperator(field: string, operator: string): boolean {
  const name = field.startsWith('-') ? field.slice(1) : field;
  const isName = isField(name.toLowerCase()) || WHOLE_PATH.test(name);
  return isName && /^(?:!=|[:=<>])/.test(operator);
}

/** Whether a text needs no quotes where it does not stand behind a field's name. */
export const isBareText = (text: string): boolean =>
  text !== '' &&
  !/[\s"]/.test(text) &&
  !text.startsWith('-') &&
  !isBooleanWord(text) &&
  !hasExclamationMark(text) &&
  !isParenthesized(text) &&
  headOf(text) === null;

/** The line with one word, or all from a word up to another, replaced. */
export const replaceWords = (line: string, first: Word, last: Word, text: string): string =>
  splice(line, { position: first.position, length: last.position + last.length - first.position }, text);
