import type { HttpAnswer } from '../egress/egress.js';
import { readAnswer } from './answer.js';
import { readPartialSuccess } from './otlp-message.js';

const isJsonAnswer = ({ contentType }: HttpAnswer) => contentType.startsWith('application/json');

/** What of an answer is text. */
export const textOf = (answer: HttpAnswer): string =>
  isJsonAnswer(answer) || answer.contentType.startsWith('text/') ? answer.body.toString('utf8') : '';

/** null: accepted whole; undefined: it cannot be read. */
export function partialOf(answer: HttpAnswer): { rejected: number; message: string } | null | undefined {
  if (answer.body.length === 0) return null;
  if (!isJsonAnswer(answer)) return readPartialSuccess(answer.body);
  const said = readAnswer<{
    partialSuccess?: { rejectedLogRecords?: number | string; errorMessage?: string };
  }>(answer);
  if (!said) return undefined;
  const { rejectedLogRecords = 0, errorMessage = '' } = said.partialSuccess ?? {};
  return { rejected: Number(rejectedLogRecords), message: errorMessage };
}
