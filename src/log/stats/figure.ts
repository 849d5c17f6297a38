import { type RawBuilder, sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import type { Micros } from '../counts/time-spans.js';
import type { Criteria } from '../filter/criteria.js';

/** Runs one transaction that reads the tenant; all its statements see one snapshot. */
export type Read = <T>(work: (execute: Execute) => Promise<T>) => Promise<T>;

/** What one stretch has of a tally; what `key` and `detail` are, the tally says. */
export interface TallyRow extends Record<string, unknown> {
  key: string | null;
  detail: number;
  n: string;
}

/** Matching entries summed up stretch by stretch, newest first. */
export interface Tally {
  readonly criteria: Criteria;
  /** Of reel_log_entries: all that `rows` reads. */
  readonly columns: readonly string[];
  /** Where it must be told when the newest match was stored before any stretch: null where none is found. */
  begin?(newest: Micros | null): void;
  /** SQL for a select from `matching`: key text, detail integer, n bigint. Called for each stretch; null: nothing to count. */
  rows(): RawBuilder<unknown> | null;
  add(row: TallyRow): void;
  /** Whether nothing that was looked at had to be forgotten. */
  readonly isComplete: boolean;
}

/** One of the numbers that statistics consist of. */
export interface Figure<T> {
  /**
   * Counts it from the stored counts where they suffice; else returns what has to be summed up, null if nothing. Called again where the
   * transaction is run again, and then counts from zero.
   */
  prepare(execute: Execute): Promise<Tally | null>;
  /** Once all is summed up. Errors: BAD_USER_INPUT. */
  result(read: Read): Promise<T>;
}

export const columnList = (columns: Iterable<string>): RawBuilder<unknown> =>
  sql.join([...columns].map((column) => sql.ref(column)));
