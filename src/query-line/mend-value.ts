import { type Span, splice } from './fault.js';
import type { TermContext } from './items.js';
import { near } from './nearest.js';

const COMMON_WORDS: Readonly<Record<string, string>> = {
  ERR: 'ERROR',
  FATAL: 'CRITICAL',
  SUCCEEDED: 'SUCCESS',
  FAILED: 'FAILURE',
  ALLOWED: 'SUCCESS',
  REFUSED: 'DENIED',
  FORBIDDEN: 'DENIED',
};

/** The line with a misspelt name of an enumeration mended, or with the operator that stands in front of it put right. */
export function mendWord<Word extends string>(
  text: string,
  field: string,
  words: readonly Word[],
  item: Span,
  { line, span }: TermContext,
): string | null {
  const [, sign = '', name = ''] = /^(>=|<=|>|<|=|!=?|-)?(.*)$/s.exec(text.toUpperCase()) ?? [];
  const word = words.find((each) => each === name) ?? wordLike(name, words);
  if (word === null) return null;
  if (sign === '') return splice(line, item, word);
  const term = line.slice(span.position, span.position + span.length);
  if (term.length !== field.length + 1 + item.length) return null;
  if (sign === '=') return splice(line, span, `${field}:${word}`);
  if (/[<>]/.test(sign)) return field === 'severity' ? splice(line, span, `${field}${sign}${word}`) : null;
  return splice(line, span, `-${field}:${word}`);
}

function wordLike<Word extends string>(name: string, words: readonly Word[]): Word | null {
  const common = words.find((each) => each === COMMON_WORDS[name]);
  if (common !== undefined) return common;
  const longer = name.length >= 3 ? words.filter((each) => each.startsWith(name)) : [];
  const found = longer.length > 0 ? longer : near(name, words);
  return found.length === 1 ? found[0]! : null;
}

/** `24h` as `-24h`, and dates with missing zeros or seconds. */
export function mendTime(text: string): string | null {
  const relative = /^[+-]?(\d+) ?([mhdw])[a-z]*$/i.exec(text);
  if (relative) return `-${relative[1]}${relative[2]!.toLowerCase()}`;
  const date =
    /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[Tt ](\d{1,2}):(\d{2})(:\d{2}(?:\.\d{1,6})?)?([Zz]|[+-]\d{2}:?\d{2})?)?$/.exec(
      text,
    );
  if (!date) return null;
  const [, year, month = '', day = '', hour, minute, seconds = ':00', zone = ''] = date;
  const bare = `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
  if (hour === undefined) return bare;
  const offset = zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone.toUpperCase();
  return `${bare}T${hour.padStart(2, '0')}:${minute}${seconds}${offset}`;
}

/** `10.1.*` as `10.1.0.0/16`. */
export function mendAddress(text: string): string | null {
  const [, first, rest = ''] = /^((?:\d{1,3}\.){1,3})((?:\*\.){0,2}\*)$/.exec(text) ?? [];
  if (first === undefined) return null;
  const octets = first.split('.').slice(0, -1);
  if (octets.length + rest.split('.').length > 4) return null;
  return `${[...octets, '0', '0', '0'].slice(0, 4).join('.')}/${8 * octets.length}`;
}
