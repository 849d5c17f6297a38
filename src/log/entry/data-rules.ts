import type { Fault } from '../../errors.js';
import type { CheckedData } from './check-data.js';

/** What rules look at of an entry. */
export interface RuledEntry {
  readonly module: string;
  readonly action: string;
  /** Whether a module wrote it, or a person's browser. */
  readonly isModule: boolean;
  /** Whether what is out of bounds is mended. */
  readonly repair: boolean;
}

/** Rules on the data of entries by module and action: what is registered of actions (log/actions). */
export interface DataRules {
  /** What is stored in place of the data; null: nothing. What the entry must be refused for goes to the list. */
  apply(entry: RuledEntry, data: CheckedData | null, faults: Fault[]): CheckedData | null;
}

/** Rules on the data of entries, which change. */
export interface RuleSource {
  /** Those that hold; null where they must be read first. */
  readonly recent: DataRules | null;
  /** Errors: UNAVAILABLE. */
  current(): Promise<DataRules>;
}
