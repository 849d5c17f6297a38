import { type RawBuilder, sql } from 'kysely';
import type { Scope } from '../../auth/scope.js';
import type { ReadDatabase } from '../../database/database.js';
import type { Execute, Row, TextRow, TextStatement } from '../../database/execute.js';
import { fromTemplate } from '../../database/template.js';
import { locatePage } from '../counts/locate-page.js';
import { CountPrecision, type LogCount } from '../counts/log-count.js';
import { type LogEntry } from '../entry/log-entry.entity.js';
import { ALL_COLUMNS, type EntryColumns } from '../entry/stored-entry.js';
import { type Criteria, isEverything } from '../filter/criteria.js';
import { whereInScope } from '../filter/where.js';
import { Budget, LOOKING_BOUNDS, type LookingBounds } from '../walk/budget.js';
import {
  EVERY_ID,
  type IdRange,
  idsWithin,
  newerOrSame,
  newerThan,
  olderOrSame,
  olderThan,
  rangeOf,
} from '../walk/id-range.js';
import { entriesById, type Matching, Walk, type WalkOptions } from '../walk/walk.js';
import { Counting, type CountReach } from './counting.js';
import { LogOrder, type PageRequest } from './page.js';
import { PageSpans } from './page-spans.js';
import { entryOf, orderOf, selectEntries } from './select-entries.js';
import { copySequenced, streamSequenced } from './sequenced.js';
import { WholeList } from './whole-list.js';

/** What is looked up when it is asked for, if it takes a statement of its own. */
export type Told = boolean | (() => Promise<boolean>);

export const tell = (told: Told): boolean | Promise<boolean> => (typeof told === 'boolean' ? told : told());

/** One page of the list, in the order asked for. */
export interface LogPage {
  entries: LogEntry[];
  hasNextPage: Told;
  hasPreviousPage: Told;
  /** Where looking stopped at its budget before the page was full; else null. */
  stopped: PageStop | null;
  /** How many match in all, where they were counted with the page. */
  total?: LogCount | null;
}

export interface PageStop {
  /** Everything up to this id has been looked at. It need not be an entry's. */
  id: string;
  newestFirst: boolean;
  /** Whether the page is read towards its beginning. */
  backwards: boolean;
}

/** Which entries, and what of them. */
interface Wanted {
  readonly criteria: Criteria;
  readonly columns: EntryColumns;
  readonly isCounted: boolean;
}

type ReadWay = WalkOptions & { readonly skip: number };

/** One statement may take so much of a search, before shorter stretches are tried. */
const WHOLE_SHARES = 4;

/** Reads one tenant's entries within a scope. */
export class LogReader {
  private readonly bounds: LookingBounds;
  private readonly counting: Counting;
  private readonly whole: WholeList;

  constructor(
    private readonly database: ReadDatabase,
    private readonly defaultPageSize = 50,
    bounds: Partial<LookingBounds> = {},
    spans = new PageSpans(),
  ) {
    this.bounds = { ...LOOKING_BOUNDS, ...bounds };
    this.counting = new Counting(database, this.bounds);
    this.whole = new WholeList(database, spans);
  }

  /**
   * `request` has passed checkPage. `columns`: what is read of the entries. `isCounted`: all that match are counted with the page where that takes no
   * statement of its own.
   */
  list(criteria: Criteria, request: PageRequest, columns = ALL_COLUMNS, isCounted = false): Promise<LogPage> {
    const wanted = { criteria, columns, isCounted: isCounted && this.bringsTotal(criteria) };
    return request.page != null
      ? this.numbered(wanted, request, request.page)
      : this.byCursor(wanted, request);
  }

  /** Whether a page that is to be counted brings its total, unless it is empty. */
  bringsTotal(criteria: Criteria): boolean {
    return isEverything(criteria) && this.database.isDistributed === false;
  }

  private async byCursor(wanted: Wanted, request: PageRequest): Promise<LogPage> {
    const { criteria } = wanted;
    const order = request.orderBy ?? LogOrder.NEWEST_FIRST;
    const budget = this.budget();
    const backwards = request.last != null || (request.first == null && request.before != null);
    const size = (backwards ? request.last : request.first) ?? this.defaultPageSize;
    const descending = (order === LogOrder.NEWEST_FIRST) !== backwards;
    const cursor = request.after ?? request.before ?? null;
    const towardsOlder = (order === LogOrder.NEWEST_FIRST) === (request.after != null);
    const within = cursor === null ? undefined : towardsOlder ? olderThan(cursor) : newerThan(cursor);
    const way = { descending, within, skip: 0, budget };
    const { walk, rows, total } = await this.page(wanted, way, size + 1);
    const entries = rows.slice(0, size);
    const more = rows.length > size || walk?.ended === false;
    if (backwards) entries.reverse();
    const behind = cursor !== null && (() => this.isAnyBehind(criteria, cursor, towardsOlder, budget));
    return {
      entries,
      hasNextPage: backwards ? behind : more,
      hasPreviousPage: backwards ? more : behind,
      stopped: rows.length < size ? await stopOf(walk, rows, { descending, backwards }) : null,
      total,
    };
  }

  /** The entry that the cursor names may be removed or not match, so it alone does not tell. True where the budget does not suffice to tell. */
  private async isAnyBehind(
    criteria: Criteria,
    cursor: string,
    towardsOlder: boolean,
    budget: Budget,
  ): Promise<boolean> {
    if (budget.isSpent) return true;
    const within = towardsOlder ? newerOrSame(cursor) : olderOrSame(cursor);
    const walk = this.walk(criteria, { descending: !towardsOlder, within, budget });
    for await (const [found] of walk.read(
      (matching) => sql`select id from ${matching} matching limit 1`,
      () => 1,
    ))
      if (found) return true;
    return !walk.ended;
  }

  private async numbered(wanted: Wanted, { first, orderBy }: PageRequest, page: number): Promise<LogPage> {
    const { criteria } = wanted;
    const size = first ?? this.defaultPageSize;
    const descending = (orderBy ?? LogOrder.NEWEST_FIRST) === LogOrder.NEWEST_FIRST;
    const { tenantId } = criteria.scope;
    const execute: Execute = (statement) =>
      this.database.query(tenantId, statement, { inIndexOrder: true, isKept: true });
    const start = await locatePage(execute, criteria, (page - 1) * size, descending);
    const within = idsWithin(start.from ?? null, start.until ?? null);
    const way = { descending, within, skip: start.skip, budget: this.budget() };
    const { walk, rows, total } = await this.page(wanted, way, size + 1);
    return {
      entries: rows.slice(0, size),
      hasNextPage: rows.length > size || walk?.ended === false,
      hasPreviousPage: page > 1,
      stopped: rows.length < size ? await stopOf(walk, rows, { descending, backwards: false }) : null,
      total,
    };
  }

  private budget(): Budget {
    return new Budget(this.bounds.searchMs, this.bounds.clock);
  }

  private walk(criteria: Criteria, options: WalkOptions): Walk {
    return new Walk(this.database, criteria, options, this.bounds);
  }

  /** The first `most` entries of a way, in its order. `walk`: null where one statement has read all that was wanted of it. */
  private async page(
    { criteria, columns, isCounted }: Wanted,
    { skip, ...options }: ReadWay,
    most: number,
  ): Promise<{ walk: Walk | null; rows: LogEntry[]; total: LogCount | null }> {
    const { descending, within: range = EVERY_ID } = options;
    if (isEverything(criteria) && most <= this.bounds.candidates.most) {
      const { tenantId } = criteria.scope;
      const stretch = { tenantId, range, descending, skip, most, isCounted };
      const { statementMs, searchMs, graceMs } = this.bounds;
      const ms = Math.min(statementMs, Math.max(graceMs, searchMs / WHOLE_SHARES));
      const found = await this.whole.page(stretch, columns, ms);
      if (found)
        return { walk: null, rows: found.entries, total: found.total === null ? null : exactly(found.total) };
    }
    const walk = this.walk(criteria, options);
    const wanted = { criteria, columns };
    const rows = await (skip === 0
      ? this.entriesOf(walk, wanted, most, descending)
      : this.entriesAfter(walk, wanted, { skip, most, descending }));
    return { walk, rows, total: null };
  }

  private async entriesOf(
    walk: Walk,
    { criteria, columns }: Omit<Wanted, 'isCounted'>,
    most: number,
    descending: boolean,
  ): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    const left = () => most - entries.length;
    const page = (matching: Matching, range: IdRange) =>
      selectEntries(criteria.scope, columns, { matching, range }, most, descending);
    for await (const rows of walk.read<Row | TextRow>(page, left)) {
      entries.push(...rows.slice(0, left()).map(entryOf(columns)));
      if (left() === 0) break;
    }
    return entries;
  }

  /** The same after the first `skip`, of which only the ids are read. */
  private async entriesAfter(
    walk: Walk,
    { criteria, columns }: Omit<Wanted, 'isCounted'>,
    { skip, most, descending }: { skip: number; most: number; descending: boolean },
  ): Promise<LogEntry[]> {
    let seen = 0;
    const ids: string[] = [];
    const left = () => skip + most - seen;
    const order = orderOf(descending);
    const select = (matching: Matching) =>
      sql`select id from ${matching} matching order by ${order} limit ${left()}`;
    for await (const rows of walk.read<{ id: string }>(select, left)) {
      ids.push(...rows.slice(Math.max(0, skip - seen)).map(({ id }) => id));
      seen += rows.length;
      if (left() === 0) break;
    }
    const found = await this.byIds(criteria.scope, ids, { columns });
    return ids.flatMap((id) => found.get(id) ?? []);
  }

  /** `reach`: see Counting. */
  count(criteria: Criteria, reach: CountReach): Promise<LogCount> {
    return this.counting.count(criteria, reach);
  }

  async get(scope: Scope, id: string, columns = ALL_COLUMNS): Promise<LogEntry | null> {
    return (await this.byIds(scope, [id], { columns })).get(id) ?? null;
  }

  /** `isBounded`: see ReadOptions. */
  async byIds(
    scope: Scope,
    ids: readonly string[],
    { isBounded = false, columns = ALL_COLUMNS }: { isBounded?: boolean; columns?: EntryColumns } = {},
  ): Promise<Map<string, LogEntry>> {
    if (ids.length === 0) return new Map();
    const isKept = ids.length === 1 && scope.clients === null;
    const statement = isKept
      ? fromTemplate(
          `entry ${columns.hasSequence} ${columns.selected}`,
          { tenantId: scope.tenantId, id: ids[0]! },
          ({ tenantId, id }) => selectById({ tenantId, clients: null }, columns, [id]),
        )
      : selectById(scope, columns, ids);
    const rows = await this.database.query<Row | TextRow>(scope.tenantId, statement, {
      inIndexOrder: true,
      isBounded,
      isKept,
    });
    return new Map(rows.map(entryOf(columns)).map((entry) => [entry.id, entry]));
  }

  /** The entries of each request id, oldest first, at most `limit` each: one statement, one index walk per request. */
  async byRequests(
    scope: Scope,
    requestIds: readonly string[],
    limit: number,
  ): Promise<Map<string, LogEntry[]>> {
    const found = sql`(
      select e.* from unnest(${requestIds}::text[]) wanted
      cross join lateral (
        select * from reel_log_entries
        where ${whereInScope(scope)} and request_id >= wanted and request_id <= wanted
        order by request_id, id limit ${limit}
      ) e)`;
    const anywhere = { matching: found, range: EVERY_ID };
    const statement = selectEntries(scope, ALL_COLUMNS, anywhere, requestIds.length * limit, false);
    const rows = await this.database.query<Row | TextRow>(scope.tenantId, statement, { inIndexOrder: true });
    const groups = new Map<string, LogEntry[]>(requestIds.map((id) => [id, []]));
    for (const entry of rows.map(entryOf(ALL_COLUMNS)))
      if (entry.requestId) groups.get(entry.requestId)?.push(entry);
    return groups;
  }

  /** How many entries up to the sequence `upTo` match. Errors: UNAVAILABLE where counting takes too long. */
  countSequenced(criteria: Criteria, upTo: number): Promise<number> {
    return this.counting.countSequenced(criteria, upTo);
  }

  /** Matching entries after the sequence `after` up to `upTo`, in sealed order, read batch by batch. */
  streamSequenced(criteria: Criteria, upTo: number, batchSize = 1000, after = 0): AsyncGenerator<LogEntry[]> {
    return streamSequenced(this.database, criteria, { after, upTo, batchSize });
  }

  /** The same rows from the first sequence on, as COPY has them (copySequenced); null where the database cannot. */
  copySequenced(
    criteria: Criteria,
    columns: RawBuilder<unknown>,
    upTo: number,
  ): AsyncGenerator<Buffer> | null {
    const { database } = this;
    if (!database.copy) return null;
    return copySequenced(database.copy.bind(database), criteria, columns, upTo);
  }
}

/** `found`: what the page has, in the walk's order. */
async function stopOf(
  walk: Walk | null,
  found: readonly LogEntry[],
  { descending, backwards }: { descending: boolean; backwards: boolean },
): Promise<PageStop | null> {
  const told = !walk || walk.ended ? null : await walk.told();
  if (told === null) return null;
  const last = found.at(-1)?.id ?? told;
  // Not in front of the page's last entry, which would then be on the next page, too.
  const isInFront = descending ? told > last : told < last;
  return { id: isInFront ? last : told, newestFirst: descending, backwards };
}

function selectById(scope: Scope, columns: EntryColumns, ids: readonly string[]): TextStatement {
  const visible = sql`(select * from ${entriesById(scope.tenantId, ids)} entries where ${whereInScope(scope)})`;
  return selectEntries(scope, columns, { matching: visible, range: rangeOf(ids) }, ids.length, true);
}

const exactly = (value: number): LogCount => ({ value, precision: CountPrecision.EXACT });
