import { type RawBuilder, sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { type IdRange, intersect, isEmptyRange } from './id-range.js';

/** A walk over a part of one tenant's ids. */
export interface Way {
  readonly tenantId: string;
  readonly range: IdRange;
  /** Newest first. */
  readonly descending: boolean;
}

/** Ids of candidates in the way's order: every entry up to and including `until` that can match is among them; null: to the end. */
export interface Part {
  readonly ids: readonly string[];
  readonly until: string | null;
}

/** Entries with one value in a column whose index is (tenant_id, the column, id). */
export interface ValueWalk {
  /** SQL. */
  readonly column: string;
  /** SQL: which entries the index has; null: all. */
  readonly only: string | null;
  readonly type: string;
  readonly value: string;
}

/** Entries within a range of an index, which has them by value, not by id. */
export interface Gathering {
  /** SQL; has a partial index's own condition. */
  readonly where: RawBuilder<unknown>;
  /** SQL: what the index has in front of the id. */
  readonly column: string;
}

/** Where entries that can match are found. They are among the candidates of all of these together. */
export interface CandidateSource {
  readonly walks: readonly ValueWalk[];
  readonly gatherings: readonly Gathering[];
  readonly given: readonly string[];
  /** Ids that are all candidates. */
  readonly within: IdRange | null;
  /** Every candidate matches all conditions. */
  readonly isExact: boolean;
}

const LEAST_PER_WALK = 20;

/** How many candidates to read at once: about `most` in order, and `gathered` of those that must be sorted first. */
export interface Sizes {
  readonly most: number;
  readonly gathered: number;
}

/** The next candidates; null where there are more to gather than `gathered`. */
export async function nextCandidates(
  execute: Execute,
  source: CandidateSource,
  way: Way,
  { most, gathered }: Sizes,
): Promise<Part | null> {
  const parts: Part[] = [{ ids: source.given.filter((id) => isWithin(id, way.range)), until: null }];
  if (source.within) {
    const range = intersect(way.range, source.within);
    parts.push(await walkKey(execute, { ...way, range }, most));
  }
  if (source.walks.length > 0) {
    const each = Math.max(LEAST_PER_WALK, Math.ceil(most / source.walks.length));
    parts.push(...(await walkValues(execute, source.walks, way, each)));
  }
  for (const gathering of source.gatherings) {
    const ids = await gather(execute, gathering, way, gathered);
    if (ids === null) return null;
    parts.push({ ids, until: null });
  }
  return merge(parts, way);
}

/** All that there are of these on the way. */
export const allOf = (ids: readonly string[], way: Way): Part => merge([{ ids, until: null }], way);

/** All that is complete as far as the part that ends first. */
function merge(parts: readonly Part[], { descending, range }: Way): Part {
  const ends = parts.flatMap(({ until }) => until ?? []).sort();
  const until = (descending ? ends.at(-1) : ends[0]) ?? null;
  const reached =
    until === null ? range : descending ? { low: until, high: range.high } : { low: range.low, high: until };
  const ids = new Set(parts.flatMap((part) => part.ids.filter((id) => isWithin(id, reached))));
  const sorted = [...ids].sort();
  return { ids: descending ? sorted.reverse() : sorted, until };
}

const isWithin = (id: string, { low, high }: IdRange): boolean => id >= low && id <= high;

export const directionOf = ({ descending }: Way): RawBuilder<unknown> => (descending ? sql`desc` : sql`asc`);

/** SQL for the tenant's entries of the way; nothing but indexes that begin with the tenant serves it. */
export const whereOnWay = ({ tenantId, range }: Pick<Way, 'tenantId' | 'range'>): RawBuilder<unknown> =>
  sql`tenant_id = ${tenantId}::uuid and id >= ${range.low}::uuid and id <= ${range.high}::uuid`;

/** SQL for the ids of a sub-select as one text: a row for each would take longer to read than to find. */
const listed = (found: RawBuilder<unknown>) =>
  sql`select string_agg(id::text, ',') as ids from (${found}) found`;

const idsIn = (listed: string | null | undefined): string[] => (listed ? listed.split(',') : []);

export async function walkKey(execute: Execute, way: Way, most: number): Promise<Part> {
  if (isEmptyRange(way.range)) return { ids: [], until: null };
  const [row] = await execute<{ ids: string | null }>(
    listed(sql`
      select id from reel_log_entries where ${whereOnWay(way)} order by id ${directionOf(way)} limit ${sql.lit(most)}`),
  );
  return sortedPart(idsIn(row?.ids), way, most);
}

function sortedPart(found: string[], { descending }: Way, most: number): Part {
  const sorted = found.sort();
  const ids = descending ? sorted.reverse() : sorted;
  return { ids, until: ids.length < most ? null : (ids.at(-1) ?? null) };
}

/**
 * One walk of an index for each value. Ranges of one value, not equations, and their order hold the planner to that index:
 * no other has the order, whatever it takes the table to hold.
 */
async function walkValues(
  execute: Execute,
  walks: readonly ValueWalk[],
  way: Way,
  most: number,
): Promise<Part[]> {
  const numbered = walks.map((walk, index) => ({ ...walk, index }));
  const byColumn = Map.groupBy(numbered, ({ column, type }) => `${column} ${type}`);
  const statements = [...byColumn.values()].map((group) => {
    const { column, type, only } = group[0]!;
    const [name, direction] = [sql.raw(column), directionOf(way)];
    return sql`
      (select w.nr, e.ids from unnest(${group.map(({ value }) => value)}::${sql.raw(type)}[], ${group.map(({ index }) => index)}::integer[]) w(value, nr)
      cross join lateral (${listed(sql`
        select id from reel_log_entries
        where ${whereOnWay(way)} and ${name} >= w.value and ${name} <= w.value${only === null ? sql`` : sql` and ${sql.raw(only)}`}
        order by ${name} ${direction}, id ${direction} limit ${sql.lit(most)}`)}
      ) e)`;
  });
  const rows = await execute<{ nr: number; ids: string | null }>(
    sql`${sql.join(statements, sql` union all `)}`,
  );
  const found = new Map(rows.map(({ nr, ids }) => [nr, ids]));
  return walks.map((_, index) => sortedPart(idsIn(found.get(index)), way, most));
}

/** All of them, unsorted; null where there are more than `most`. */
async function gather(
  execute: Execute,
  { where, column }: Gathering,
  way: Way,
  most: number,
): Promise<string[] | null> {
  const name = sql.raw(column);
  const [row] = await execute<{ ids: string | null }>(
    listed(sql`
      select id from reel_log_entries where ${whereOnWay(way)} and ${where}
      order by ${name}, id limit ${sql.lit(most + 1)}`),
  );
  const ids = idsIn(row?.ids);
  return ids.length > most ? null : ids;
}
