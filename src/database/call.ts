import type { ReadDatabase } from './database.js';

/** A request whose answer is being made: what is read for it. */
export interface Call {
  /** Aborts where nobody waits for the answer any more, or it must not be made: its reason is the error that reads end in. */
  readonly signal: AbortSignal;
  /** To be told the bytes of each row that is read. Aborts the signal where it is too much. */
  took(bytes: number): void;
}

/** The same database, read for one call: its statements are cancelled with it, and its rows are counted. */
export const during = (database: ReadDatabase, call: Call): ReadDatabase => ({
  ...(database.copy && {
    copy: (tenantId, work, options) => database.copy!(tenantId, work, { ...options, call }),
  }),
  read: (tenantId, work, options) => database.read(tenantId, work, { ...options, call }),
  get isDistributed() {
    return database.isDistributed ?? false;
  },
  query: (tenantId, statement, options) => database.query(tenantId, statement, { ...options, call }),
});
