/** The source of a regular expression for a quoted text with its quotes. A backslash before anything but " and \ is itself. */
export const QUOTED = String.raw`"(?:[^"\\]|\\(?:["\\]|(?!["\\])))*"`;

const WHOLE = new RegExp(`^${QUOTED}$`, 's');

/** In quotes. Doubles a backslash only where it would otherwise start an escape. */
export const quote = (text: string): string =>
  `"${text.replace(/\\(?=[\\"]|$)/g, '\\\\').replace(/"/g, '\\"')}"`;

/** Whether all of it is one quoted text. */
export const isQuoted = (written: string): boolean => WHOLE.test(written);

export const unescaped = (text: string): string => text.replace(/\\(["\\])/g, '$1');

/** What a quoted text stands for. */
export const unquote = (written: string): string => unescaped(written.slice(1, -1));
