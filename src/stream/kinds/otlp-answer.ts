import type { HttpAnswer } from '../egress/egress.js';
import { readAnswer } from './answer.js';
import { type AcceptedOutcome, unreadable } from './http-kind.js';
import { readPartialSuccess } from './otlp-message.js';
import { answerText } from './outcome.js';

const isJsonAnswer = ({ contentType }: HttpAnswer) => contentType.startsWith('application/json');

/** What of an answer is text. */
export const textOf = (answer: HttpAnswer): string =>
  isJsonAnswer(answer) || answer.contentType.startsWith('text/') ? answer.body.toString('utf8') : '';

/** A batch that is accepted in part is parked whole: it does not say which entries, and sending any of them again is forbidden. */
export function acceptedOf(answer: HttpAnswer, count: number): AcceptedOutcome {
  const partial = partialOf(answer);
  if (partial === undefined) return unreadable(answer);
  if (!partial || partial.rejected === 0) return null;
  const taken = Math.max(0, count - partial.rejected);
  const reason = answerText(`${partial.rejected} of ${count} rejected: ${partial.message}`);
  return {
    kind: 'done',
    answer: reason,
    isFinal: true,
    taken,
    refused: Array.from({ length: count }, (_, index) => ({ index, reason })),
  };
}

/** null: accepted whole; undefined: it cannot be read. */
function partialOf(answer: HttpAnswer): { rejected: number; message: string } | null | undefined {
  if (answer.body.length === 0) return null;
  if (!isJsonAnswer(answer)) return readPartialSuccess(answer.body);
  const said = readAnswer<{
    partialSuccess?: { rejectedLogRecords?: unknown; errorMessage?: unknown };
  }>(answer);
  if (!said) return undefined;
  const { rejectedLogRecords = 0, errorMessage = '' } = said.partialSuccess ?? {};
  const rejected = Number(rejectedLogRecords);
  if (!Number.isSafeInteger(rejected) || rejected < 0 || typeof errorMessage !== 'string') return undefined;
  return { rejected, message: errorMessage };
}
