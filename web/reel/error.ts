import type { GraphQLResponse } from './transport.js';

/** What is wrong with one field of a request; `loc` names fields as the caller does. */
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
  /** Anything else that the server says, such as `position` and `length` of an error in a query line, or `errorId`. */
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

/** `filter.severities[0]` as a fault's loc. */
export const wayOf = (path: string): ReelFault['loc'] =>
  path.match(/\w+/g)!.map((step) => (Number(step) >= 0 ? Number(step) : step));

/** Several GraphQL errors as one: code and message of the first, faults of all, in GraphQL's names. */
export function fromErrors(errors: NonNullable<GraphQLResponse['errors']>): ReelError {
  // Values that no field has seen yet are named as those of variables.
  const found = errors.map(({ message, extensions = {} }) => {
    const [variable, path = ''] = /^Variable "\$(\w.*?)"/.exec(message) ?? [];
    const text = variable ? path + message.slice(variable.length) : message;
    const faults = (extensions.faults ?? (variable ? [{ loc: wayOf(path), msg: text }] : [])) as ReelFault[];
    return { text, extensions, faults };
  });
  const { text = '', extensions: { code, faults: _, ...rest } = {} } = found[0] ?? {};
  return new ReelError(
    (code as ReelErrorCode) ?? 'INTERNAL_SERVER_ERROR',
    text,
    found.flatMap(({ faults }) => faults.map(({ loc, msg }) => ({ loc, msg }))),
    rest,
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

/** What fetch, an axios-like client and graphql-ws reject with, as far as it is used here. */
interface Rejection {
  name?: string;
  message?: string;
  /** Of a WebSocket's close event a number; others have texts, which no number is less than. */
  code?: number;
  reason?: string;
}

/** Turns anything thrown, or a WebSocket's close event, into a ReelError. */
export function toReelError(cause: unknown, signal?: AbortSignal): ReelError {
  const { name = '', message, code = 0, reason } = (cause ?? {}) as Rejection;
  if (signal?.aborted || /^(Abort|Canceled)Error$/.test(name)) return new ReelError('ABORTED', 'Aborted');
  if (cause instanceof ReelError) return cause;
  if (Array.isArray(cause)) return fromErrors(cause);
  if (code >= 4400) return fromStatus(code - 4000, reason);
  return new ReelError('NETWORK', `No answer: ${message || reason || 'cut off'}`);
}
