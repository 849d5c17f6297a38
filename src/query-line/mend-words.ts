import { splice } from './fault.js';
import { takesSeveral } from './fields.js';
import {
  fieldOf,
  type Head,
  headOf,
  isBooleanWord,
  isParenthesized,
  replaceWords,
  type Word,
} from './words.js';

/** The line without a word and the white space on one side of it. */
export function withoutWord(line: string, words: readonly Word[], index: number): string {
  const [before, word, after] = [words[index - 1], words[index]!, words[index + 1]];
  const position = before ? before.position + before.length : word.position;
  const end = before || !after ? word.position + word.length : after.position;
  return splice(line, { position, length: end - position }, '');
}

/** The line with a word and the text behind it as one term; null where what stands behind it is no text. */
export function joined(line: string, words: readonly Word[], first: number, last = first + 1): string | null {
  const next = words[last];
  if (!next || headOf(next.written) || isBooleanWord(next.written)) return null;
  const parts = words.slice(first, last + 1).map(({ written }) => written);
  return replaceWords(line, words[first]!, next, parts.join(''));
}

/** `NOT x` and `! x` as `-x`. */
export function negateNext(line: string, words: readonly Word[], index: number): string | null {
  const [word, next] = [words[index]!, words[index + 1]];
  if (!next || /^[-!(]/.test(next.written) || isBooleanWord(next.written)) return null;
  return replaceWords(line, word, next, `-${next.written}`);
}

/** The line with AND, OR or NOT put right; null where terms cannot say it, or several lines could be meant. */
export function mendBooleanWord(line: string, words: readonly Word[], index: number): string | null {
  const has = (text: string) => words.some(({ written }) => written === text);
  const word = words[index]!.written;
  if (word === 'NOT') return negateNext(line, words, index);
  if (has('OR') && (has('AND') || words.some(({ written }) => isParenthesized(written)))) return null;
  if (word === 'AND') return words.length > 1 ? withoutWord(line, words, index) : null;
  return word === 'OR' ? eitherOf(line, words[index - 1], words[index + 1]) : null;
}

/** `module:a OR module:b` as `module:a,b`. */
function eitherOf(line: string, first: Word | undefined, last: Word | undefined): string | null {
  const [head, other] = [first && headOf(first.written), last && headOf(last.written)];
  if (!first || !last || !head || !other || !isListable(head) || !isListable(other)) return null;
  if (head.name.toLowerCase() !== other.name.toLowerCase()) return null;
  return replaceWords(line, first, last, `${first.written},${last.written.slice(other.length)}`);
}

function isListable({ name, negated, operator }: Head): boolean {
  const field = fieldOf(name);
  return field !== null && takesSeveral(field) && !negated && operator === ':';
}

/** The line without a pair of parentheses around terms, where these cannot change what it says. */
export function withoutParentheses(line: string, words: readonly Word[], index: number): string | null {
  const close = words.findIndex(({ written }, at) => at >= index && written.endsWith(')'));
  const isAlternative = ({ written }: Word) => written === 'OR' || written === 'NOT';
  if (close < 0 || words.some((word, at) => isAlternative(word) && (at < index || at > close))) return null;
  const [first, last] = [words[index]!, words[close]!];
  const position = first.position + first.written.indexOf('(');
  const closed = splice(line, { position: last.position + last.length - 1, length: 1 }, '');
  return splice(closed, { position, length: 1 }, '');
}
