/** Stands between two pieces and in no needle, so that no match spans two of them. */
const BETWEEN = '\uFFFF';

/**
 * Unicode's lower case, without its one rule that looks at neighbours: a final sigma is a sigma, so that a piece of a
 * folded text is always the fold of that piece.
 */
export function fold(text: string): string {
  const lower = text.toLowerCase();
  return RARE.test(lower) ? lower.replaceAll('ς', 'σ').replaceAll(BETWEEN, '\uFFFD') : lower;
}

/** What a lower-case text must not hold. */
const RARE = /[ς\uFFFF]/;

/** What a search looks for in searchText: plain text, in which % and _ mean themselves. */
export const searchNeedle = (text: string): string => fold(text);

/**
 * What a search looks through: every key and every text, number and boolean of data, folded, as written (no JSON
 * escapes), in data's own order. null where there is nothing to find.
 */
export function searchText(data: Record<string, unknown> | null): string | null {
  if (data === null) return null;
  const pieces: string[] = [];
  gather(data, pieces);
  return pieces.length === 0 ? null : pieces.map(fold).join(BETWEEN);
}

function gather(value: unknown, pieces: string[]): void {
  if (Array.isArray(value)) {
    for (const each of value) gather(each, pieces);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, each] of Object.entries(value)) {
      pieces.push(key);
      gather(each, pieces);
    }
  } else if (value !== null && value !== undefined) {
    pieces.push(String(value));
  }
}
