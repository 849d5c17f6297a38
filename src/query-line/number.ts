/** Digits of the longest plain decimal form that is taken, a zero before the point counted. */
const MAX_PLAIN_DIGITS = 300;
/** So many significant digits always come back from a double as they were written (IEEE 754). */
const SURE_DIGITS = 15;
/** The shortest text of a double has at most so many (ECMA-262, Number::toString). */
const MAX_SHORTEST_DIGITS = 17;

/** A longer text is looked at before it is read, which takes several times as long. */
const LONG_TEXT = 1_000;

/** A number of JSON that no double holds as written. Whoever meets one refuses it, or keeps its text. */
export class UnheldNumber {
  constructor(readonly text: string) {}

  /** JSON.stringify, which says a key, writes the number as it came; graphql-js's inspect shows its beginning. */
  toJSON(key?: string): unknown {
    return key === undefined ? this.text.slice(0, 200) : rawJson(this.text);
  }
}

/** ECMAScript's JSON.rawJSON (proposal JSON.parse source text access), which TypeScript does not know yet. */
export const rawJson = (JSON as unknown as { rawJSON(text: string): object }).rawJSON;

/**
 * A number as JSON writes it: as a double where its decimal value is that of the shortest text of the double, it is no
 * integer beyond ±(2^53 - 1), and its plain form has at most 300 digits. -0 is 0. Linear in the text.
 */
export function readNumber(text: string): number | UnheldNumber {
  if (text.length > LONG_TEXT && significantDigits(text) > MAX_SHORTEST_DIGITS) return new UnheldNumber(text);
  const value = Number(text);
  if (text.length <= SURE_DIGITS && !/[eE]/.test(text)) return value + 0;
  if (String(value) === text) return isHeld(value) ? value : new UnheldNumber(text);
  const written = decimal(text);
  if (written.digits === '') return 0;
  if (written.digits.length > MAX_SHORTEST_DIGITS || !isHeld(value)) return new UnheldNumber(text);
  const shortest = decimal(String(value));
  return written.digits === shortest.digits && written.point === shortest.point
    ? value
    : new UnheldNumber(text);
}

/** Whether a double may stand in data: its shortest text is the number that is meant. */
export function isHeld(value: number): boolean {
  if (Number.isInteger(value)) return Number.isSafeInteger(value);
  if (!Number.isFinite(value)) return false;
  if (!isTiny(value)) return true;
  const { digits, point } = decimal(String(value));
  return 1 - point + digits.length <= MAX_PLAIN_DIGITS;
}

/** How many more characters a number that is held takes as PostgreSQL prints it, in plain form, than in JSON.stringify's. */
export function plainSurplus(value: number): number {
  if (!isTiny(value)) return 0;
  const text = String(value);
  const { digits, point } = decimal(text);
  return (value < 0 ? 1 : 0) + 2 - point + digits.length - text.length;
}

/** Where ECMAScript writes a number with a negative exponent. */
const isTiny = (value: number): boolean => value !== 0 && Math.abs(value) < 1e-6;

/** At least; of a mantissa's digits, from the first to the last that is not 0. */
function significantDigits(text: string): number {
  const exponentAt = Math.max(text.lastIndexOf('e'), text.lastIndexOf('E'));
  const isDigit = (at: number) => text.charCodeAt(at) > ZERO && text.charCodeAt(at) <= NINE;
  let last = (exponentAt < 0 ? text.length : exponentAt) - 1;
  while (last >= 0 && !isDigit(last)) last -= 1;
  let first = 0;
  while (first < last && !isDigit(first)) first += 1;
  // A point may stand between them.
  return last - first;
}
const [ZERO, NINE] = [0x30, 0x39] as const;

/** The magnitude of a decimal number as 0.DIGITS times ten to the power of `point`, without zeros around the digits. */
function decimal(text: string): { digits: string; point: number } {
  const exponentAt = text.search(/[eE]/);
  const mantissa = exponentAt < 0 ? text : text.slice(0, exponentAt);
  const exponent = exponentAt < 0 ? 0 : Number(text.slice(exponentAt + 1));
  const start = mantissa.startsWith('-') ? 1 : 0;
  const pointAt = mantissa.indexOf('.');
  const whole = mantissa.slice(start, pointAt < 0 ? undefined : pointAt);
  const all = pointAt < 0 ? whole : whole + mantissa.slice(pointAt + 1);
  let first = 0;
  while (all[first] === '0') first += 1;
  let end = all.length;
  while (end > first && all[end - 1] === '0') end -= 1;
  return { digits: all.slice(first, end), point: whole.length - first + exponent };
}
