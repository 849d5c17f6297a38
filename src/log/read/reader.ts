import { type RawBuilder, sql } from 'kysely';
import type { Scope } from '../../auth/scope.js';
import type { ReadDatabase } from '../../database/database.js';
import type { Execute, Row } from '../../database/execute.js';
import { type LogEntry } from '../entry/log-entry.entity.js';
import { selectList, toEntry } from '../entry/row.js';
import type { Criteria } from '../filter/criteria.js';
import { every, whereAll, whereInScope, whereWithin } from '../filter/where.js';
import { countEntries, locatePage } from '../stats/counts.js';
import type { LogCount } from '../stats/log-count.js';
import { LogOrder, type PageRequest } from './page.js';

/** One page of the list, in the order asked for. */
export interface LogPage {
  entries: LogEntry[];
  hasNextPage: boolean;
  hasPreviousPage: boolean;
}

const COLUMNS = sql.raw(selectList());

/** Adds the sequence to rows that a sub-select has already limited to the page. */
const withSequence = (rows: RawBuilder<unknown>, order: RawBuilder<unknown>) => sql<Row>`
  select e.*, s.seq as sequence from (${rows}) e
  left join reel_log_sequence s on s.tenant_id = e.tenant_id and s.entry_id = e.id order by ${order}`;

const NEWEST = sql`id desc`;
const OLDEST = sql`id asc`;

/** Reads one tenant's entries within a scope, by walks along the primary key. */
export class LogReader {
  constructor(
    private readonly database: ReadDatabase,
    private readonly defaultPageSize = 50,
  ) {}

  /** `request` has passed checkPage. */
  async list(criteria: Criteria, request: PageRequest): Promise<LogPage> {
    const order = request.orderBy ?? LogOrder.NEWEST_FIRST;
    return this.database.read(criteria.scope.tenantId, (execute) =>
      request.page != null
        ? this.numbered(execute, criteria, order, request.first ?? this.defaultPageSize, request.page)
        : this.byCursor(execute, criteria, order, request),
    );
  }

  private async byCursor(
    execute: Execute,
    criteria: Criteria,
    order: LogOrder,
    request: PageRequest,
  ): Promise<LogPage> {
    const backwards = request.last != null || (request.first == null && request.before != null);
    const size = (backwards ? request.last : request.first) ?? this.defaultPageSize;
    const descending = (order === LogOrder.NEWEST_FIRST) !== backwards;
    const cursor = request.after ?? request.before ?? null;
    const towardsOlder = (order === LogOrder.NEWEST_FIRST) === (request.after != null);
    const beyond =
      cursor === null ? [] : [towardsOlder ? sql`id < ${cursor}::uuid` : sql`id > ${cursor}::uuid`];
    const rows = await walk(execute, every([whereAll(criteria), ...beyond]), descending, size + 1);
    const entries = rows.slice(0, size);
    const more = rows.length > size;
    if (backwards) entries.reverse();
    // The entry that the cursor names may be removed or not match, so it alone does not tell whether there is a page behind.
    const behind =
      cursor !== null &&
      (await exists(
        execute,
        every([whereAll(criteria), towardsOlder ? sql`id >= ${cursor}::uuid` : sql`id <= ${cursor}::uuid`]),
      ));
    return backwards
      ? { entries, hasPreviousPage: more, hasNextPage: behind }
      : { entries, hasNextPage: more, hasPreviousPage: behind };
  }

  private async numbered(
    execute: Execute,
    criteria: Criteria,
    order: LogOrder,
    size: number,
    page: number,
  ): Promise<LogPage> {
    const offset = (page - 1) * size;
    const newest = order === LogOrder.NEWEST_FIRST;
    const start = await locatePage(execute, criteria, offset, newest);
    const where = every([whereAll(criteria), whereWithin(start.from ?? null, start.until ?? null)]);
    const rows = await walk(execute, where, newest, size + 1, start.skip);
    return { entries: rows.slice(0, size), hasNextPage: rows.length > size, hasPreviousPage: page > 1 };
  }

  /** Unless `exact`, counting may stop at a cap. */
  async count(criteria: Criteria, exact: boolean): Promise<LogCount> {
    return this.database.read(criteria.scope.tenantId, (execute) => countEntries(execute, criteria, exact));
  }

  async get(scope: Scope, id: string): Promise<LogEntry | null> {
    return (await this.byIds(scope, [id])).get(id) ?? null;
  }

  async byIds(scope: Scope, ids: readonly string[]): Promise<Map<string, LogEntry>> {
    const rows = await this.database.read(scope.tenantId, (execute) =>
      walk(execute, every([whereInScope(scope), sql`id = any (${ids}::uuid[])`]), true, ids.length),
    );
    return new Map(rows.map((entry) => [entry.id, entry]));
  }

  /** The entries of each request id, oldest first, at most `limit` each: one statement, one index walk per request. */
  async byRequests(
    scope: Scope,
    requestIds: readonly string[],
    limit: number,
  ): Promise<Map<string, LogEntry[]>> {
    const found = sql`
      select e.* from unnest(${requestIds}::text[]) wanted
      cross join lateral (
        select ${COLUMNS} from reel_log_entries
        where ${whereInScope(scope)} and request_id = wanted order by id limit ${limit}
      ) e`;
    const rows = await this.database.read(scope.tenantId, (execute) => execute(withSequence(found, OLDEST)));
    const groups = new Map<string, LogEntry[]>(requestIds.map((id) => [id, []]));
    for (const entry of rows.map(toEntry)) if (entry.requestId) groups.get(entry.requestId)?.push(entry);
    return groups;
  }

  /** How many entries up to the sequence `upTo` match. */
  async countSequenced(criteria: Criteria, upTo: number): Promise<number> {
    const [row] = await this.database.read(criteria.scope.tenantId, (execute) =>
      execute<{ count: string }>(sql`
        select count(*) as count from reel_log_entries e
        where ${whereAll(criteria)} and exists (
          select from reel_log_sequence s where s.tenant_id = e.tenant_id and s.entry_id = e.id and s.seq <= ${upTo})`),
    );
    return Number(row?.count ?? 0);
  }

  /** Matching entries after the sequence `after` up to `upTo`, in sealed order, read batch by batch. */
  async *streamSequenced(
    criteria: Criteria,
    upTo: number,
    batchSize = 1000,
    after = 0,
  ): AsyncGenerator<LogEntry[]> {
    const { tenantId } = criteria.scope;
    for (let last = after; last < upTo; ) {
      const until = Math.min(last + batchSize, upTo);
      const entries = await this.database.read(tenantId, async (execute) => {
        const positions = await execute<{ seq: string; entry_id: string }>(sql`
          select seq, entry_id from reel_log_sequence
          where tenant_id = ${tenantId}::uuid and seq > ${last} and seq <= ${until} order by seq`);
        return entriesAt(execute, criteria, positions);
      });
      if (entries.length > 0) yield entries;
      last = until;
    }
  }
}

/** The matching entries at some positions, in order. The range of ids lets the planner skip all other months. */
async function entriesAt(
  execute: Execute,
  criteria: Criteria,
  positions: readonly { seq: string; entry_id: string }[],
): Promise<LogEntry[]> {
  const ids = positions.map((position) => position.entry_id);
  if (ids.length === 0) return [];
  const sorted = ids.toSorted();
  const [first, last] = [sorted[0], sorted.at(-1)];
  const rows = await execute(sql`
    select ${COLUMNS} from reel_log_entries where ${whereAll(criteria)}
      and id >= ${first}::uuid and id <= ${last}::uuid and id = any (${ids}::uuid[])`);
  const found = new Map(rows.map((row) => [row.id as string, row]));
  return positions.flatMap(({ seq, entry_id }) => {
    const row = found.get(entry_id);
    return row ? [toEntry(Object.assign(row, { sequence: seq }))] : [];
  });
}

async function walk(
  execute: Execute,
  where: RawBuilder<boolean>,
  descending: boolean,
  limit: number,
  skip = 0,
): Promise<LogEntry[]> {
  const order = descending ? NEWEST : OLDEST;
  const rows = sql`select ${COLUMNS} from reel_log_entries where ${where} order by ${order} limit ${limit} offset ${skip}`;
  return (await execute(withSequence(rows, order))).map(toEntry);
}

async function exists(execute: Execute, where: RawBuilder<boolean>): Promise<boolean> {
  const rows = await execute(sql`select from reel_log_entries where ${where} limit 1`);
  return rows.length > 0;
}
