const [QUOTE, BACKSLASH, EQUALS] = [0x22, 0x5c, 0x3d] as const;
const [ZERO, NINE] = [0x30, 0x39] as const;
const [OPEN_LIST, CLOSE_LIST, COMMA] = [0x5b, 0x5d, 0x2c] as const;
/** A double holds every integer of so many digits. */
const MAX_DIGITS = 15;

/** The value of each character of base64; 64 for any other byte. */
const BASE64_VALUE = new Uint8Array(256).fill(64);
for (const [digit, letter] of Buffer.from(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
).entries())
  BASE64_VALUE[letter] = digit;

/** Whether the bytes of `part` from `start` (inclusive) to `end` (exclusive) are in the line at `at`. */
export function matchesAt(
  line: Uint8Array,
  at: number,
  part: Uint8Array,
  start: number,
  end: number,
): boolean {
  const offset = at - start;
  for (let next = start; next < end; next += 1) if (line[next + offset] !== part[next]) return false;
  return true;
}

/** Where the JSON string that begins at `at` ends; -1 if none begins there. */
export function endOfString(line: Buffer, at: number): number {
  if (line[at] !== QUOTE) return -1;
  for (let next = at + 1; next < line.length; next += 1) {
    const byte = line[next];
    if (byte === QUOTE) return next + 1;
    if (byte === BACKSLASH) next += 1;
  }
  return -1;
}

/** Where the JSON list of strings, without spaces, that begins at `at` ends; -1 if none begins there. */
export function endOfStrings(line: Buffer, at: number): number {
  if (line[at] !== OPEN_LIST) return -1;
  if (line[at + 1] === CLOSE_LIST) return at + 2;
  let next = at;
  do {
    next = endOfString(line, next + 1);
  } while (next > 0 && line[next] === COMMA);
  return next > 0 && line[next] === CLOSE_LIST ? next + 1 : -1;
}

/** Where the positive integer that begins at `at` ends; -1 if none begins there. */
export function endOfInteger(line: Buffer, at: number): number {
  let next = at;
  while (line[next]! >= ZERO && line[next]! <= NINE) next += 1;
  return next > at && next - at <= MAX_DIGITS && line[at] !== ZERO ? next : -1;
}

/** Of an integer that endOfInteger accepted. */
export function parseInteger(line: Buffer, start: number, end: number): number {
  let integer = 0;
  for (let at = start; at < end; at += 1) integer = 10 * integer + line[at]! - ZERO;
  return integer;
}

/**
 * Decodes standard base64 with padding into `count` bytes, not a multiple of three, at the start of `target`; false if it is
 * anything else.
 */
export function decodeBase64(
  line: Buffer,
  start: number,
  end: number,
  target: Uint8Array,
  count: number,
): boolean {
  const rest = count % 3;
  if (end - start !== 4 * Math.ceil(count / 3)) return false;
  let from = start;
  let to = 0;
  for (; to < count - rest; from += 4) {
    const one = BASE64_VALUE[line[from]!]!;
    const two = BASE64_VALUE[line[from + 1]!]!;
    const three = BASE64_VALUE[line[from + 2]!]!;
    const four = BASE64_VALUE[line[from + 3]!]!;
    if ((one | two | three | four) > 63) return false;
    target[to++] = (one << 2) | (two >> 4);
    target[to++] = (two << 4) | (three >> 2);
    target[to++] = (three << 6) | four;
  }
  const one = BASE64_VALUE[line[from]!]!;
  const two = BASE64_VALUE[line[from + 1]!]!;
  const three = BASE64_VALUE[line[from + 2]!]!;
  if ((one | two) > 63 || line[from + 3] !== EQUALS) return false;
  target[to++] = (one << 2) | (two >> 4);
  if (rest === 1) return (two & 15) === 0 && line[from + 2] === EQUALS;
  target[to++] = (two << 4) | (three >> 2);
  return three < 64 && (three & 3) === 0;
}
