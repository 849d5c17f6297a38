/** What was wrong in one place of a request; `loc` spells fields as the module's callers do. */
export interface ReelFault {
  loc: (string | number)[];
  msg: string;
}

/** A code of the GraphQL contract, or NETWORK (nothing usable came back) or ABORTED (the caller gave up). */
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

/** What every function of the module rejects with. */
export class ReelError extends Error {
  declare readonly code: ReelErrorCode;
  /** Empty where the answer named none. */
  declare readonly faults: ReelFault[];
  /** What else the server said, for example `position` and `length` of a fault in a query line, or `errorId`. */
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
