/** Separates two texts, and is in no needle, so that no match spans both. */
const SEPARATOR = '\uFFFF';

/**
 * Unicode's lower case, without its one context-dependent rule: a final sigma is a sigma, so that folding a part of a text
 * gives that part of the folded text.
 */
export function fold(text: string): string {
  const lower = text.toLowerCase();
  return REPLACED.test(lower) ? lower.replaceAll('ς', 'σ').replaceAll(SEPARATOR, '\uFFFD') : lower;
}

/** What must be replaced in a lower-case text. */
const REPLACED = /[ς\uFFFF]/;

/** What a search looks for in searchText: plain text, in which % and _ are literal. */
export const searchNeedle = (text: string): string => fold(text);

/**
 * The text that a search looks through: every key, text, number and boolean of data, folded, without JSON escapes, in
 * data's own order. null if there is none.
 */
export function searchText(data: Record<string, unknown> | null): string | null {
  if (data === null) return null;
  const texts: string[] = [];
  collect(data, texts);
  return texts.length === 0 ? null : texts.map(fold).join(SEPARATOR);
}

function collect(value: unknown, texts: string[]): void {
  if (Array.isArray(value)) {
    for (const each of value) collect(each, texts);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, each] of Object.entries(value)) {
      texts.push(key);
      collect(each, texts);
    }
  } else if (value !== null && value !== undefined) {
    texts.push(String(value));
  }
}
