/** A step from a value in data into what it holds: to an object's key, or to any item of an array. */
export type DataStep = { readonly key: string } | { readonly anyItem: true };

/** Characters of a whole path, in Unicode code points. */
export const MAX_PATH = 255;

/** A key, bare or quoted, each with any number of [*]; then a dot, or the end. */
const STEP = /(?:([A-Za-z0-9_-]+)|"((?:[^"\\]|\\(?:["\\]|(?!["\\])))*)")((?:\[\*\])*)(\.|$)/y;
const BARE_KEY = /^[A-Za-z0-9_-]+$/;

/**
 * A path into data: keys joined by dots, a key with other characters than letters, digits, _ and - in double quotes, [*]
 * for any item of an array: `after."card.type"`, `items[*].sku`. Digits are a key, never a place in an array. Null for
 * anything else, a path past MAX_PATH included.
 */
export function parseDataPath(text: string): DataStep[] | null {
  if (text.length > 2 * MAX_PATH || Array.from(text).length > MAX_PATH) return null;
  const steps: DataStep[] = [];
  for (let at = 0; ; at = STEP.lastIndex) {
    STEP.lastIndex = at;
    const match = STEP.exec(text);
    if (!match) return null;
    const [, bare, quoted = '', items = '', dot] = match;
    steps.push({ key: bare ?? quoted.replace(/\\(["\\])/g, '$1') });
    for (let count = items.length / 3; count > 0; count -= 1) steps.push({ anyItem: true });
    if (dot === '') return steps;
  }
}

/** The shortest text that parses to these steps. */
export function printDataPath(steps: readonly DataStep[]): string {
  let text = '';
  for (const step of steps) {
    if ('anyItem' in step) text += '[*]';
    else text += `${text === '' ? '' : '.'}${BARE_KEY.test(step.key) ? step.key : quoteKey(step.key)}`;
  }
  return text;
}

/** Doubles a backslash only where it would otherwise start an escape. */
const quoteKey = (key: string): string => `"${key.replace(/\\(?=[\\"]|$)/g, '\\\\').replace(/"/g, '\\"')}"`;
