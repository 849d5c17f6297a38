/** The body is larger than allowed. */
export class BodyTooLarge extends Error {}

/** Reads a response's body as text. Errors: BodyTooLarge as soon as it exceeds `maxBytes`; TypeError where it is not UTF-8. */
export async function readBody(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new BodyTooLarge(`expected at most ${maxBytes} bytes, got more`);
    chunks.push(chunk);
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
}
