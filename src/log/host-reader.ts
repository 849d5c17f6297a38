import type { Scope } from '../auth/scope.js';
import type { ReadDatabase } from '../database/database.js';
import { badInput } from '../errors.js';
import { parseUuid } from '../query-line/values.js';
import type { LogCount } from './counts/log-count.js';
import type { LogEntry } from './entry/log-entry.entity.js';
import { wholeEntry } from './entry/stored-entry.js';
import { type Criteria, toCriteria } from './filter/criteria.js';
import type { LogFilter } from './filter/log-filter.js';
import { readFilter } from './filter/read-filter.js';
import { checkPage, type PageRequest } from './read/page.js';
import { LogReader, tell } from './read/reader.js';

/** One page of a list, in the order asked for. */
export interface HostPage {
  entries: LogEntry[];
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  /** Where looking stopped at its budget before the page was full: `after` it goes on. Null where it did not. */
  stoppedAt: string | null;
}

const MAX_PAGE_SIZE = 1_000;

/** Reads a tenant's entries in a host's own process, which is trusted: the scope it names is what is read. */
export class HostLogReader {
  private readonly reader: LogReader;

  constructor(database: ReadDatabase) {
    this.reader = new LogReader(database);
  }

  /** Null where there is none in the scope. Errors: BAD_USER_INPUT, UNAVAILABLE. */
  async get(scope: Scope, id: string): Promise<LogEntry | null> {
    const parsed = parseUuid(id);
    if (parsed === null) throw badInput('id', 'a UUID', id);
    const entry = await this.reader.get(readScope(scope), parsed);
    return entry && wholeEntry(entry);
  }

  /**
   * The newest 50 that match, or the page asked for, of at most 1,000. A cursor is an entry's id. A time without an offset
   * in the filter's query line is UTC. Errors: BAD_USER_INPUT, UNAVAILABLE.
   */
  async list(scope: Scope, filter: LogFilter = {}, page: PageRequest = {}): Promise<HostPage> {
    const found = await this.reader.list(
      criteriaOf(scope, filter),
      checkPage(page, { maxPageSize: MAX_PAGE_SIZE }),
    );
    const [hasNextPage, hasPreviousPage] = await Promise.all([
      tell(found.hasNextPage),
      tell(found.hasPreviousPage),
    ]);
    const entries = found.entries.map(wholeEntry);
    return { entries, hasNextPage, hasPreviousPage, stoppedAt: found.stopped?.id ?? null };
  }

  /** How many match, as far as could be counted within the budget of a search. Errors: BAD_USER_INPUT, UNAVAILABLE. */
  async count(scope: Scope, filter: LogFilter = {}): Promise<LogCount> {
    return this.reader.count(criteriaOf(scope, filter), 'budget');
  }
}

const criteriaOf = (scope: Scope, filter: LogFilter): Criteria =>
  toCriteria(readScope(scope), readFilter(filter), new Date());

/** A client that is left out must not come to mean all of them. */
function readScope({ tenantId, clients }: Scope): Scope {
  const tenant = typeof tenantId === 'string' ? parseUuid(tenantId) : null;
  if (tenant === null) throw badInput('scope.tenantId', 'a UUID', tenantId);
  if (clients === null) return { tenantId: tenant, clients };
  if (!Array.isArray(clients))
    throw badInput('scope.clients', 'null for the whole tenant, or a list of clients', clients);
  return {
    tenantId: tenant,
    clients: clients.map((client: unknown) => {
      const id = typeof client === 'string' ? parseUuid(client) : null;
      if (id === null) throw badInput('scope.clients', 'UUIDs', client);
      return id;
    }),
  };
}
