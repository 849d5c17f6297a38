/** The body is larger than allowed. */
export class AnswerTooLarge extends Error {}

/** Reads a response's body as text. Errors: AnswerTooLarge as soon as it exceeds `maxBytes`; TypeError where it is not UTF-8. */
export async function readAnswer(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new AnswerTooLarge(`expected at most ${maxBytes} bytes, got more`);
    chunks.push(chunk);
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
}
