/** What became of a batch that was sent. `answer`: what came back, in at most 200 characters. */
export type Outcome =
  | Done
  /** Refused for now. `retryAfterMs`: what the receiver asked for. */
  | { readonly kind: 'later'; readonly answer: string; readonly retryAfterMs?: number }
  /** Refused for good, by reason of what is in it. */
  | { readonly kind: 'refused'; readonly answer: string }
  /** Refused until somebody changes something: tried again each five minutes. */
  | { readonly kind: 'failing'; readonly answer: string }
  /** The receiver is not there any more and never will be. */
  | { readonly kind: 'gone'; readonly answer: string };

export interface Done {
  readonly kind: 'done';
  readonly answer: string;
  /** Entries of it, by their index in order, that the receiver refused for good. */
  readonly refused?: readonly RefusedEntry[];
  /** Whether nothing of it may be sent again, whatever was refused. */
  readonly isFinal?: boolean;
  /** Of what was refused, as the receiver does not say which: how many it took all the same. */
  readonly taken?: number;
}

export interface RefusedEntry {
  readonly index: number;
  readonly reason: string;
}

export const MAX_ANSWER = 200;
/** The longest that a receiver's Retry-After is obeyed. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/** Text of elsewhere as it may be stored and shown: at most 200 characters, without control characters, with `…` where it was cut. */
export function answerText(text: string): string {
  const plain = text
    .slice(0, 4 * MAX_ANSWER)
    .toWellFormed()
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
  const characters = [...plain];
  const isCut = text.length > 4 * MAX_ANSWER || characters.length > MAX_ANSWER;
  return isCut ? `${characters.slice(0, MAX_ANSWER - 1).join('')}…` : plain;
}

/** Of an HTTP answer, as all kinds have it that say nothing else. */
export function outcomeOfStatus(status: number, text: string, retryAfter: string | null): Outcome {
  const answer = answerText(text.trim() === '' ? String(status) : `${status} ${text}`);
  if (status >= 200 && status < 300) return { kind: 'done', answer };
  if (status === 408 || status === 429 || status >= 500) {
    const retryAfterMs = retryAfterOf(retryAfter);
    return { kind: 'later', answer, ...(retryAfterMs === null ? {} : { retryAfterMs }) };
  }
  if ([400, 413, 415, 422].includes(status)) return { kind: 'refused', answer };
  if (status === 410) return { kind: 'gone', answer };
  return { kind: 'failing', answer };
}

/** Seconds, or an HTTP date (RFC 9110, section 10.2.3). */
export function retryAfterOf(header: string | null, now = Date.now()): number | null {
  if (header === null) return null;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS) : null;
}
