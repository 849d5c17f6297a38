/** A body larger than it may be. */
export class AnswerTooLarge extends Error {}

/** The text of an answer, given up as soon as it is past `maxBytes` or is no UTF-8. */
export async function readAnswer(answer: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new AnswerTooLarge(`expected at most ${maxBytes} bytes, got more`);
    chunks.push(chunk);
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
}
