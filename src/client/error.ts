/**
 * INVALID: the entry is not as its action is defined; REFUSED: the server refused it for good; FULL: there was no room for
 * it; DROPPED: newer entries needed its room; UNWRITABLE: the spool could not be written; CLOSED: the client was closed,
 * and where the entry was taken before, it is still in the spool.
 */
export type ReelLogErrorCode = 'INVALID' | 'REFUSED' | 'FULL' | 'DROPPED' | 'UNWRITABLE' | 'CLOSED';

/** Why an entry was not taken, or is not known to be stored. */
export class ReelLogError extends Error {
  override readonly name = 'ReelLogError';

  constructor(
    readonly code: ReelLogErrorCode,
    message: string,
  ) {
    super(message);
  }
}
