import { ReelError, type ReelErrorCode, type ReelFault } from './error.js';
import { fromLocation } from './wire.js';

/** What may come back over GraphQL. */
export interface GraphQLAnswer {
  data?: unknown;
  errors?: readonly { message: string; extensions?: Record<string, unknown> }[];
}

const CODES: Record<number, ReelErrorCode> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  429: 'TOO_MANY_REQUESTS',
};

/** GraphQL errors as one: the first's code and message, the faults of all. */
export function fromErrors(errors: NonNullable<GraphQLAnswer['errors']>): ReelError {
  const { message = '', extensions = {} } = errors[0] ?? {};
  return new ReelError(
    (extensions.code as ReelErrorCode) ?? 'INTERNAL_SERVER_ERROR',
    message,
    errors.flatMap((error) =>
      ((error.extensions?.faults ?? []) as ReelFault[]).map(({ loc, msg }) => ({
        loc: fromLocation(loc),
        msg,
      })),
    ),
    extensions,
  );
}

/** An HTTP status, or a websocket's close code less 4,000, with the body or the words that came with it. */
export function fromStatus(status: number, body?: unknown): ReelError {
  const { errors, detail = body } = (body ?? {}) as GraphQLAnswer & { detail?: unknown };
  if (errors?.length) return fromErrors(errors);
  return new ReelError(
    CODES[status] ??
      (/408|499|[23]../.test(`${status}`)
        ? 'NETWORK'
        : status < 500
          ? 'BAD_USER_INPUT'
          : status > 501
            ? 'UNAVAILABLE'
            : 'INTERNAL_SERVER_ERROR'),
    typeof detail === 'string' && detail ? detail.slice(0, 300) : `Expected GraphQL, got status ${status}`,
  );
}

/** What GraphQL answered, errors among it; throws where the body is no such answer. */
export function answerIn(body: unknown, status = 200): GraphQLAnswer {
  const answer = (body ?? {}) as GraphQLAnswer;
  if (answer.data ?? answer.errors) return answer;
  throw fromStatus(status, body);
}

/** The rejections of fetch, of Apollo, of an axios-like client and of graphql-ws, as far as their shapes say something. */
interface Rejection {
  name?: string;
  message?: string;
  graphQLErrors?: GraphQLAnswer['errors'];
  networkError?: unknown;
  statusCode?: number;
  result?: unknown;
  code?: unknown;
  reason?: string;
}

/** Whatever was thrown or closed with, as a ReelError. */
export function toReelError(cause: unknown, signal?: AbortSignal): ReelError {
  const seen = (cause ?? {}) as Rejection;
  if (signal?.aborted || /^(Abort|Canceled)Error$/.test(seen.name ?? ''))
    return new ReelError('ABORTED', 'Aborted');
  if (cause instanceof ReelError) return cause;
  if (Array.isArray(cause)) return fromErrors(cause);
  if (seen.graphQLErrors?.length) return fromErrors(seen.graphQLErrors);
  if (seen.networkError) return toReelError(seen.networkError);
  if (seen.statusCode) return fromStatus(seen.statusCode, seen.result);
  // Apollo's websocket link keeps the close code in its message only.
  const closed = Number(seen.code ?? /with event (\d+)/.exec(seen.message ?? '')?.[1]);
  if (closed >= 4400) return fromStatus(closed - 4000, seen.reason);
  return new ReelError('NETWORK', `No answer: ${seen.message || seen.reason || 'cut off'}`);
}
