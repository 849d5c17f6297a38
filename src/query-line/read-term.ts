import { type DataStep, parseDataPath } from './data-path.js';
import { QueryLineError, type Span, shown, splice } from './fault.js';
import { checkText, readValue } from './field-values.js';
import {
  FIELDS,
  type FieldName,
  isNegatable,
  isOrdered,
  OPERATORS,
  type Operator,
  takesSeveral,
} from './fields.js';
import { readItem, splitItems, TermContext } from './items.js';
import { mendOperator, mendPath } from './mend-head.js';
import { joined, mendBooleanWord, negateNext, withoutParentheses } from './mend-words.js';
import { meaningOf } from './names.js';
import { quote } from './quote.js';
import { MAX_TEXT, MAX_VALUES, type QueryTerm, type QueryValue } from './terms.js';
import type { TimeContext } from './time.js';
import {
  fieldOf,
  type Head,
  hasExclamationMark,
  headOf,
  isBooleanWord,
  isParenthesized,
  isSpacedOperator,
  type Word,
} from './words.js';

/** Reads one word of a line as a term. Throws QueryLineError. */
export function readTerm(line: string, words: readonly Word[], index: number, times: TimeContext): QueryTerm {
  const word = words[index]!;
  const head = headOf(word.written);
  const context = new TermContext(line, word, word.position + (head?.length ?? 0));
  checkWord(words, index, context);
  return head ? readFieldTerm(head, words, index, context, times) : readText(word, context);
}

/** Throws QueryLineError for what other query languages say otherwise. */
function checkWord(words: readonly Word[], index: number, context: TermContext): void {
  const { line } = context;
  const [before, word] = [words[index - 1], words[index]!];
  const { written } = word;
  if (isBooleanWord(written)) {
    const bare = written.replace('-', '');
    const message = `expected terms without ${bare}: all of them must hold, any of several values is \`module:a,b\`, not is \`-module:a\`; in quotes, \`"${bare}"\`, it is searched for`;
    throw context.error('BOOLEAN_WORD', message, mendBooleanWord(line, words, index));
  }
  if (hasExclamationMark(written)) {
    const rest = written.slice(1);
    const mended =
      rest === ''
        ? negateNext(line, words, index)
        : written.startsWith('!') && !/^[-!=]/.test(rest)
          ? splice(line, word, `-${rest}`)
          : null;
    throw context.error(
      'EXCLAMATION_MARK',
      `expected - for not, as in \`-module:a\`, got ${shown(written)}; in quotes it is searched for`,
      mended,
    );
  }
  if (isParenthesized(written))
    throw context.error(
      'PARENTHESES',
      `expected a field without parentheses, got ${shown(written)}: all terms must hold; in quotes it is searched for`,
      withoutParentheses(line, words, index),
    );
  if (before && isSpacedOperator(before.written, written)) {
    const isAlone = /^(?:!=|<>|=>|=<|==|>=|<=|[:=<>])$/.test(written);
    const mended = isAlone
      ? joined(line, words, index - 1, index + 1)
      : splice(line, span(before, word), before.written + written);
    throw new QueryLineError(
      'SPACED_OPERATOR',
      `expected no white space around ${shown(written.slice(0, 2))}, as in \`severity>=ERROR\``,
      span(before, word),
      mended,
    );
  }
}

const span = (first: Span, last: Span): Span => ({
  position: first.position,
  length: last.position + last.length - first.position,
});

/** Nothing but white space and what is displayed as nothing: it would be found everywhere. Signs of Arabic, Syriac and Kaithi are seen. */
const INVISIBLE =
  /^(?:(?![\u0600-\u0605\u06DD\u070F\u0890\u0891\u08E2\u{110BD}\u{110CD}])[\p{Cf}\p{Default_Ignorable_Code_Point}\p{White_Space}])*$/u;

function readText(word: Word, context: TermContext): QueryTerm {
  const { position, length, written } = word;
  const negated = written.startsWith('-');
  const bare = negated ? written.slice(1) : written;
  if (negated && (bare === '' || bare.startsWith('-')))
    throw context.mended(
      'BAD_NEGATION',
      `expected a field or a text after one -; in quotes, ${shown(quote(written))}, it is searched for`,
      word,
      bare.includes('"') ? null : quote(written),
    );
  const { text } = readItem(bare, context);
  if (INVISIBLE.test(text))
    throw context.error('EMPTY_TEXT', 'expected text that can be seen between the quotes');
  checkText(text, MAX_TEXT, context);
  return { position, length, field: null, negated, op: ':', values: [{ is: text }] };
}

function readFieldTerm(
  head: Head,
  words: readonly Word[],
  index: number,
  context: TermContext,
  times: TimeContext,
): QueryTerm {
  const { written, position, length } = words[index]!;
  const field = fieldOf(head.name) ?? unknownField(head, written, context);
  const path = field === 'data' ? readPath(head, context) : null;
  const op = readOperator(head, field, context);
  if (head.negated && !isNegatable(field))
    throw context.error(
      'NOT_NEGATABLE',
      `expected \`${field}:\` without -, since a bound on time cannot be negated`,
    );
  const values = readValues(written.slice(head.length), field, op, words, index, context, times);
  return { position, length, field, ...(path && { path }), negated: head.negated, op, values };
}

function unknownField(
  { name, negated, operator, length }: Head,
  written: string,
  context: TermContext,
): never {
  const quoted = `in quotes, ${shown(quote(written))}, it is searched for`;
  if (name.includes('*'))
    throw context.error(
      'MISPLACED_WILDCARD',
      `expected * only at the end of a value, as in \`action:users.*\`, got ${shown(written)}; ${quoted}`,
    );
  const meant = meaningOf(name, operator);
  const sign = negated !== (meant?.negated ?? false) ? '-' : '';
  const value = written.slice(length);
  if (!meant) {
    const bare = negated ? written.slice(1) : written;
    const isText = !bare.includes('"') && meant === undefined;
    throw context.mended(
      'UNKNOWN_FIELD',
      `unknown field ${shown(`${name}${operator}`)}, expected one of ${FIELDS.join(', ')}.path; ${quoted}`,
      context.span,
      isText ? `${negated ? '-' : ''}${quote(bare)}` : null,
    );
  }
  const head = meant.field === null ? '' : `${meant.field}${meant.operator ?? operator}`;
  const hint =
    meant.field === null
      ? `${sign}${quote(value.replaceAll('"', ''))}`
      : `${sign}${meant.field}${meant.operator ?? ':'}`;
  throw context.mended(
    'UNKNOWN_FIELD',
    `unknown field ${shown(`${name}${operator}`)}, did you mean ${shown(hint)}? Otherwise, ${quoted}`,
    context.span,
    `${sign}${head}${value}`,
  );
}

function readPath({ name, negated }: Head, context: TermContext): readonly DataStep[] {
  const path = name.startsWith('.', 4) ? parseDataPath(name.slice(5)) : null;
  if (path) return path;
  const part = { position: context.span.position + (negated ? 1 : 0), length: name.length };
  throw context.mended(
    'BAD_PATH',
    `expected a path in data, such as \`data.invoice.amount\`, \`data.items[*].sku\` or \`data.after."card.type"\`, got ${shown(name)}`,
    part,
    mendPath(name),
  );
}

function readOperator(head: Head, field: FieldName, context: TermContext): Operator {
  const operator = OPERATORS.find((each) => each === head.operator);
  if (operator === ':' || (operator && isOrdered(field))) return operator;
  const expected = isOrdered(field)
    ? `one of ${OPERATORS.join(' ')} after \`${head.name}\``
    : `\`${field}:\`, since only severity and data.path take other operators`;
  const part = { position: context.span.position, length: head.length };
  const message = `expected ${expected}, got ${shown(head.operator)}; not is \`-${head.name}:\``;
  throw context.mended('BAD_OPERATOR', message, part, mendOperator(head, field));
}

function readValues(
  value: string,
  field: FieldName,
  op: Operator,
  words: readonly Word[],
  index: number,
  context: TermContext,
  times: TimeContext,
): QueryValue[] {
  const { line } = context;
  const written = shown(words[index]!.written);
  if (value === '')
    throw context.error('EMPTY_VALUE', `expected a value after ${written}`, joined(line, words, index));
  const items = splitItems(value, context.valueStart);
  const filled = items.filter((item) => item.written !== '' && item.written !== '""');
  if (filled.length === 0 && items.length === 1)
    throw context.error('EMPTY_VALUE', `expected a value between the quotes in ${written}`);
  if (filled.length < items.length) {
    const isList = filled.length > 0 && op === ':' && (takesSeveral(field) || filled.length === 1);
    const all = { position: context.valueStart, length: value.length };
    const list = isList ? splice(line, all, filled.map((item) => item.written).join(',')) : null;
    const mended = (items.at(-1)?.written === '' && joined(line, words, index)) || list;
    throw context.error('EMPTY_ITEM', `expected no empty value in ${written}`, mended);
  }
  if (items.length > 1 && (op !== ':' || !takesSeveral(field)))
    throw context.error('ONE_VALUE', `expected one value in ${written}; put one with a comma in quotes`);
  if (items.length > MAX_VALUES)
    throw context.error('TOO_MANY_VALUES', `expected at most ${MAX_VALUES} values, got ${items.length}`);
  const values = items.map((item) => readValue(item, { term: context, field, op, times }));
  const keys = values.map((each) => JSON.stringify(each));
  return values.filter((_, at) => keys.indexOf(keys[at]!) === at);
}
