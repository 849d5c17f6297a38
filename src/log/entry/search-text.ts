import { FIELDS } from './fields.js';
import type { LogEntry } from './log-entry.entity.js';

/** Separates two pieces; in none of them, nor in a needle, since white space becomes a space: no match spans two. */
export const SEPARATOR = '\n';

/** Everything but printable ASCII with single spaces. */
const UNUSUAL = /[^ -~]| {2}/;

/**
 * Format characters and others that are displayed as nothing (Unicode Standard, section 23.2 and UAX #44,
 * Default_Ignorable_Code_Point), but for the signs of Arabic, Syriac and Kaithi that enclose what follows, which are visible.
 */
const INVISIBLE =
  /(?![\u0600-\u0605\u06DD\u070F\u0890\u0891\u08E2\u{110BD}\u{110CD}])[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * Text as people read it, in which other spellings of the same text are equal: without invisible format characters, NFKC,
 * case folded, U+0307 behind i dropped, NFKC, and white space of any kind and length as one space.
 */
export function normalize(text: string): string {
  if (!UNUSUAL.test(text)) return text.toLowerCase();
  return foldCase(text.replace(INVISIBLE, '').normalize('NFKC'))
    .replace(/i\u0307+/g, 'i')
    .normalize('NFKC')
    .replace(/\p{White_Space}+/gu, ' ');
}

/**
 * Full case folding (Unicode Standard, section 3.13) by the mappings that JavaScript has: texts are equal here where they
 * are there, though Cherokee becomes lower case, not upper.
 */
function foldCase(text: string): string {
  // Twice lower, for U+1E9E; a dotless i is no i; lower case alone has a final sigma.
  const lower = text.toLowerCase();
  const upper = lower.includes('ı') ? lower.split('ı').map(upperCase).join('ı') : upperCase(lower);
  return upper.toLowerCase().replaceAll('ς', 'σ');
}

const upperCase = (text: string): string => text.toUpperCase();

/** What a search looks for in searchText: plain text, in which % and _ are literal. */
export const searchNeedle = normalize;

/** Whether there is anything to look for. */
export const isSearchable = (needle: string): boolean => needle !== '' && needle !== ' ';

/** Fields whose values are searched, besides data. */
export const SEARCHED_FIELDS = FIELDS.filter(({ searched, column }) => searched && column !== 'data');

/** Values by field name, as an entry shows them. */
type Shown = Readonly<Partial<Record<keyof LogEntry, unknown>>>;

/**
 * The text that a search looks through: normalized, each key, text, number and boolean of data, without JSON escapes and in
 * data's own order, then each searched field in order.
 */
export function searchText(entry: Shown): string {
  const pieces: string[] = [];
  collect(entry.data, pieces);
  for (const { name } of SEARCHED_FIELDS) {
    const value = entry[name];
    if (value != null) pieces.push(normalize(String(value)));
  }
  return pieces.join(SEPARATOR);
}

function collect(value: unknown, pieces: string[]): void {
  if (typeof value === 'string') {
    pieces.push(normalize(value));
  } else if (Array.isArray(value)) {
    for (const each of value) collect(each, pieces);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, each] of Object.entries(value)) {
      pieces.push(normalize(key));
      collect(each, pieces);
    }
  } else if (value !== null && value !== undefined) {
    pieces.push(String(value));
  }
}
