const [QUOTE, BACKSLASH, EQUALS] = [0x22, 0x5c, 0x3d] as const;
const [ZERO, NINE] = [0x30, 0x39] as const;
/** Digits of an integer that a double holds, whichever they are. */
const MOST_DIGITS = 15;

/** The digit that a character of base64 stands for; 64 for any other byte. */
const DIGIT = new Uint8Array(256).fill(64);
for (const [digit, letter] of Buffer.from(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
).entries())
  DIGIT[letter] = digit;

/** Whether a part of some bytes, from `start` to before `end`, stands in a line at a place. */
export function isAt(line: Uint8Array, at: number, part: Uint8Array, start: number, end: number): boolean {
  const offset = at - start;
  for (let next = start; next < end; next += 1) if (line[next + offset] !== part[next]) return false;
  return true;
}

/** Where a JSON string ends that begins here; -1 where there is none. */
export function endOfText(line: Buffer, at: number): number {
  if (line[at] !== QUOTE) return -1;
  for (let next = at + 1; next < line.length; next += 1) {
    const byte = line[next];
    if (byte === QUOTE) return next + 1;
    if (byte === BACKSLASH) next += 1;
  }
  return -1;
}

/** Of an integer from 1 on. */
export function endOfNumber(line: Buffer, at: number): number {
  let next = at;
  while (line[next]! >= ZERO && line[next]! <= NINE) next += 1;
  return next > at && next - at <= MOST_DIGITS && line[at] !== ZERO ? next : -1;
}

export function integerAt(line: Buffer, start: number, end: number): number {
  let integer = 0;
  for (let at = start; at < end; at += 1) integer = 10 * integer + line[at]! - ZERO;
  return integer;
}

/** Takes standard base64 with its padding and nothing else, of so many bytes that it does not end with whole threes. */
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
    const one = DIGIT[line[from]!]!;
    const two = DIGIT[line[from + 1]!]!;
    const three = DIGIT[line[from + 2]!]!;
    const four = DIGIT[line[from + 3]!]!;
    if ((one | two | three | four) > 63) return false;
    target[to++] = (one << 2) | (two >> 4);
    target[to++] = (two << 4) | (three >> 2);
    target[to++] = (three << 6) | four;
  }
  const one = DIGIT[line[from]!]!;
  const two = DIGIT[line[from + 1]!]!;
  const three = DIGIT[line[from + 2]!]!;
  if ((one | two) > 63 || line[from + 3] !== EQUALS) return false;
  target[to++] = (one << 2) | (two >> 4);
  if (rest === 1) return (two & 15) === 0 && line[from + 2] === EQUALS;
  target[to++] = (two << 4) | (three >> 2);
  return three < 64 && (three & 3) === 0;
}
