import type { GraphQLResponse } from './transport.js';
import { fromLocation } from './wire.js';

/** What is wrong with one field of a request; `loc` names fields as the module's callers do. */
export interface ReelFault {
  loc: (string | number)[];
  msg: string;
}

/** A code of the GraphQL contract, or NETWORK (no usable response) or ABORTED (the caller cancelled). */
export type ReelErrorCode =
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'BAD_USER_INPUT'
  | 'CONFLICT'
  | 'NOT_FOUND'
  | 'TOO_MANY_REQUESTS'
  | 'OVERLOADED'
  | 'UNAVAILABLE'
  | 'INTERNAL_SERVER_ERROR'
  | 'NETWORK'
  | 'ABORTED';

/** Every function of the module rejects with this. */
export class ReelError extends Error {
  declare readonly code: ReelErrorCode;
  /** Empty where the response named none. */
  declare readonly faults: ReelFault[];
  /** Anything else in the response, such as `position` and `length` of an error in a query line, or `errorId`. */
  declare readonly extensions: Record<string, unknown>;

  constructor(
    code: ReelErrorCode,
    message: string,
    faults: ReelFault[] = [],
    extensions: Record<string, unknown> = {},
  ) {
    super(message);
    Object.assign(this, { name: 'ReelError', code, faults, extensions });
  }
}

const CODES: Record<number, ReelErrorCode> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  429: 'TOO_MANY_REQUESTS',
};

/** Several GraphQL errors as one: code and message of the first, faults of all. */
export function fromErrors(errors: NonNullable<GraphQLResponse['errors']>): ReelError {
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

/** From an HTTP status, or a WebSocket's close code minus 4,000, with the body or reason that came with it. */
export function fromStatus(status: number, body?: unknown): ReelError {
  const { errors, detail = body } = (body ?? {}) as GraphQLResponse & { detail?: unknown };
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

/** The body as a GraphQL response. Throws ReelError where it is not one. */
export function readResponse(body: unknown, status = 200): GraphQLResponse {
  const response = (body ?? {}) as GraphQLResponse;
  if (response.data ?? response.errors) return response;
  throw fromStatus(status, body);
}

/** What fetch, Apollo, an axios-like client and graphql-ws reject with, as far as it is used here. */
interface Rejection {
  name?: string;
  message?: string;
  graphQLErrors?: GraphQLResponse['errors'];
  networkError?: unknown;
  statusCode?: number;
  result?: unknown;
  code?: unknown;
  reason?: string;
}

/** Turns anything thrown, or a WebSocket's close event, into a ReelError. */
export function toReelError(cause: unknown, signal?: AbortSignal): ReelError {
  const rejection = (cause ?? {}) as Rejection;
  if (signal?.aborted || /^(Abort|Canceled)Error$/.test(rejection.name ?? ''))
    return new ReelError('ABORTED', 'Aborted');
  if (cause instanceof ReelError) return cause;
  if (Array.isArray(cause)) return fromErrors(cause);
  if (rejection.graphQLErrors?.length) return fromErrors(rejection.graphQLErrors);
  if (rejection.networkError) return toReelError(rejection.networkError);
  if (rejection.statusCode) return fromStatus(rejection.statusCode, rejection.result);
  // Apollo's WebSocket link has the close code in its message only.
  const closeCode = Number(rejection.code ?? /with event (\d+)/.exec(rejection.message ?? '')?.[1]);
  if (closeCode >= 4400) return fromStatus(closeCode - 4000, rejection.reason);
  return new ReelError('NETWORK', `No answer: ${rejection.message || rejection.reason || 'cut off'}`);
}
