import { sql } from 'kysely';
import type { ReadDatabase } from '../../database/database.js';
import { asText, type Row, type TextStatement } from '../../database/execute.js';
import { fromTemplate } from '../../database/template.js';
import { TextRow } from '../../database/text-rows.js';
import { isTimeout } from '../../database/unavailable.js';
import { countEverything } from '../counts/counts.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import type { EntryColumns } from '../entry/stored-entry.js';
import { whereOnWay } from '../walk/candidates.js';
import type { IdRange } from '../walk/id-range.js';
import type { PageSpans } from './page-spans.js';
import { entriesSql, entryOf, orderOf } from './select-entries.js';

/** A stretch of a tenant's list, whatever its entries are. */
interface WholeStretch {
  readonly tenantId: string;
  readonly range: IdRange;
  /** Newest first. */
  readonly descending: boolean;
  readonly skip: number;
  readonly most: number;
  /** Whether all entries of the tenant are counted in the same statement. */
  readonly isCounted: boolean;
}

interface CountedPage {
  readonly entries: LogEntry[];
  /** Of all entries; null where they were not counted. */
  readonly total: number | null;
}

/** Reads pages of lists in which every entry is wanted: one statement each, whose texts are few. */
export class WholeList {
  constructor(
    private readonly database: ReadDatabase,
    private readonly spans: PageSpans,
  ) {}

  /** Null where that takes longer than `statementMs`. */
  async page(stretch: WholeStretch, columns: EntryColumns, statementMs: number): Promise<CountedPage | null> {
    const { tenantId, range, descending, skip, most } = stretch;
    const page = { tenantId, range, descending, most: skip + most };
    const read = async (range: IdRange) => {
      const statement = statementOf({ ...stretch, range }, columns);
      const options = { statementMs, inIndexOrder: true, isKept: true };
      const rows = await this.database.query<Row | TextRow>(tenantId, statement, options);
      const [first] = rows;
      const total = stretch.isCounted && first ? totalOf(first, columns) : null;
      return { entries: rows.map(entryOf(columns)), total };
    };
    try {
      const near = this.spans.monthsOf(page);
      let found = await read(near ?? range);
      if (near && found.entries.length < most) found = await read(range);
      this.spans.took(page, found.entries.length < most ? null : found.entries.at(-1)!.id);
      return found;
    } catch (error) {
      if (isTimeout(error)) return null;
      throw error;
    }
  }
}

function statementOf(
  { tenantId, range, descending, skip, most, isCounted }: WholeStretch,
  columns: EntryColumns,
): TextStatement {
  const key = `page ${descending} ${skip > 0} ${most} ${isCounted} ${columns.hasSequence} ${columns.selected}`;
  const values = { tenantId, low: range.low, high: range.high, ...(skip > 0 && { skip }) };
  return fromTemplate(key, values, ({ tenantId, low, high, skip }) => {
    const range = { low, high };
    const order = sql`order by ${orderOf(descending)}`;
    const onWay = whereOnWay({ tenantId, range });
    // Of those that are skipped only the index is read.
    const start =
      skip === undefined
        ? sql``
        : sql`and id ${descending ? sql`<=` : sql`>=`}
            (select id from reel_log_entries where ${onWay} ${order} limit 1 offset ${skip})`;
    const matching = sql`(select * from reel_log_entries where ${onWay} ${start} ${order} limit ${sql.lit(most)})`;
    const entries = entriesSql({ tenantId }, columns, { matching, range }, most, descending);
    if (!isCounted) return asText(entries);
    return asText(sql`
      select e.*, counted.count from (${entries}) e cross join (${countEverything(tenantId)}) counted
      order by e.${orderOf(descending)}`);
  });
}

function totalOf(row: Row | TextRow, columns: EntryColumns): number {
  return Number(row instanceof TextRow ? row.text(columns.fields.length) : row.count);
}
