import type { Author, Scope } from '../auth/scope.js';
import type { CreateLogInput, LogFilter, PageRequest } from './inputs.js';
import type { LogEntry } from './log-entry.entity.js';

/** One page of the list, in the order asked for. */
export interface LogPage {
  entries: LogEntry[];
  hasNextPage: boolean;
  hasPreviousPage: boolean;
}

export interface LogCount {
  value: number;
  precision: 'EXACT' | 'AT_LEAST';
}

/** What a module says in process: createLog's input, its tenant always named. */
export type LogInput = CreateLogInput & { tenantId: string };

/** The trade of the audit trail: everything GraphQL, REST and embedding hosts do goes through here. */
export declare class ReelService {
  /** Stores one entry of a module in this process; resolves once it is on disk (or, inside a caller's transaction, written there). */
  log(input: LogInput): Promise<LogEntry>;
  /** Stores one entry as its author may. Errors: BAD_USER_INPUT, FORBIDDEN, CONFLICT, OVERLOADED, UNAVAILABLE. */
  create(author: Author, input: CreateLogInput): Promise<LogEntry>;
  /** Stores 1 to 1,000 entries, all or none, answered in the order given. */
  createMany(author: Author, inputs: CreateLogInput[]): Promise<LogEntry[]>;
  list(scope: Scope, filter: LogFilter | null | undefined, page: PageRequest): Promise<LogPage>;
  count(scope: Scope, filter: LogFilter | null | undefined, exact: boolean): Promise<LogCount>;
  get(scope: Scope, id: string): Promise<LogEntry | null>;
  /** Entries with one of the request ids, oldest first, at most `first` (+1, for the entry itself) a request. */
  byRequest(scope: Scope, requestIds: readonly string[], first: number): Promise<Map<string, LogEntry[]>>;
}
