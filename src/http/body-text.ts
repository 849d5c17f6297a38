/** Shorter bodies are left to the collector. */
const LONG = 1_048_576;

/**
 * The text of a body in UTF-8. The bytes of a long one are let go of at once, else several bodies' bytes lie about until
 * the collector comes. Errors: TypeError for what is no UTF-8, whose bytes are kept.
 */
export function bodyText(bytes: Buffer): string {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  const { buffer } = bytes;
  if (bytes.length > LONG && bytes.length === buffer.byteLength && buffer instanceof ArrayBuffer)
    buffer.transfer(0);
  return text;
}
