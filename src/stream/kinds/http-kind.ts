import type { HttpAnswer, HttpCall } from '../egress/egress.js';
import { StreamFormat } from '../formats/format.js';
import type { BatchBounds, BatchToSend, Kind, Target } from './kind.js';
import { answerText, type Outcome, outcomeOfStatus } from './outcome.js';
import type { CommonSettings } from './settings.js';

/** What is sent over HTTP. */
export interface Post extends Pick<HttpCall, 'url' | 'headers' | 'body'> {
  /** POST, where it is not said. */
  readonly method?: 'POST' | 'PUT';
}

/** How a kind writes batches for one receiver, and reads what it answers. */
export interface Exchange {
  post(batch: BatchToSend): Post | Promise<Post>;
  /** What the status says that matters, where that is not all of a short text. */
  textOf?(answer: HttpAnswer): string;
  /** Of an answer from 200 to 299, which is done where nothing more is said. `call`: asks the receiver more. */
  accepted?(
    answer: HttpAnswer,
    batch: BatchToSend,
    call: (post: Post) => Promise<HttpAnswer>,
    signal: AbortSignal,
  ): AcceptedOutcome | Promise<AcceptedOutcome>;
  /** Of any other one, which goes by its status where nothing more is said. */
  refused?(outcome: Outcome, answer: HttpAnswer): Outcome;
}

/** null: done, as the status says. */
export type AcceptedOutcome = Outcome | null;

/** A kind's own part; the rest is as all of them have it. */
export interface HttpKind<S extends CommonSettings>
  extends Pick<Kind<S>, 'name' | 'settings' | 'checkSecret'>,
    Partial<Pick<Kind<S>, 'formats' | 'destination' | 'proofs' | 'makeSecret' | 'shown' | 'check'>> {
  readonly batch?: BatchBounds;
  /** Whether more than the status of an answer counts. */
  readonly readsAnswer: boolean;
  exchange(target: Target<S>): Exchange;
}

export const JSON_FORMATS: readonly StreamFormat[] = [StreamFormat.REEL, StreamFormat.OCSF, StreamFormat.ECS];
export const BATCH: BatchBounds = { entries: 500, bytes: 1_048_576, seconds: 0 };

/** What an answer is taken for that has no meaning: a batch may not be done. */
export const unreadable = ({ status }: HttpAnswer): Outcome => ({
  kind: 'later',
  answer: answerText(`${status} with an answer that cannot be read`),
});

/** A kind that posts its batches over HTTP to the setting `url`, unless it says otherwise. */
export function httpKind<S extends CommonSettings>({ readsAnswer, exchange, ...own }: HttpKind<S>): Kind<S> {
  return {
    formats: JSON_FORMATS,
    destination: ['url'],
    batch: BATCH,
    proofs: false,
    check: (settings, egress) => egress.checkUrl('settings.url', (settings as { url?: string }).url ?? ''),
    ...own,
    open: (target) => {
      const http = target.egress.http(target.tls);
      const { post, textOf, accepted, refused } = exchange(target);
      return {
        async send(batch, signal) {
          const call = ({ method = 'POST', ...sent }: Post) =>
            http.call({ method, ...sent, readsAnswer, signal });
          const answer = await call(await post(batch));
          const text = textOf ? textOf(answer) : answer.body.toString('utf8');
          const outcome = outcomeOfStatus(answer.status, text, answer.retryAfter);
          if (outcome.kind !== 'done') return refused?.(outcome, answer) ?? outcome;
          return (await accepted?.(answer, batch, call, signal)) ?? outcome;
        },
        close: () => http.close(),
      };
    },
  };
}
