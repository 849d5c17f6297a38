/** The two hex digits of each byte, as character codes. */
export const UPPER_DIGIT = Uint8Array.from({ length: 256 }, (_, byte) =>
  (byte >> 4).toString(16).charCodeAt(0),
);
export const LOWER_DIGIT = Uint8Array.from({ length: 256 }, (_, byte) =>
  (byte & 15).toString(16).charCodeAt(0),
);

/** Whether `hex`, in lower case, encodes the `length` bytes from `from` on. */
export function isHexOf(hex: string, bytes: Uint8Array, from: number, length: number): boolean {
  if (2 * length !== hex.length) return false;
  for (let at = 0; at < length; at += 1) {
    const byte = bytes[from + at]!;
    if (hex.charCodeAt(2 * at) !== UPPER_DIGIT[byte] || hex.charCodeAt(2 * at + 1) !== LOWER_DIGIT[byte])
      return false;
  }
  return true;
}
