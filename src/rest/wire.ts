import type { z } from 'zod';
import type { Fault } from '../errors.js';
import type { Answer } from '../http/answer.js';
import type { JsonBytes } from '../http/json-writer.js';
import type { LogCount } from '../log/counts/log-count.js';
import { snake } from '../log/entry/fields.js';
import { entriesToJson } from '../log/entry/wire.js';
import type { LogExport } from '../log/export/export.js';
import { pageInfoOf } from '../log/read/log-connection.js';
import { type LogPage, tell } from '../log/read/reader.js';
import type { FacetCount, LogTotals, Statistics } from '../log/stats/log-stats.js';
import type { EXPORT, LIST, STATS } from './answers.js';

/** `total` and `number` are null where the page was asked for by cursor. */
export async function listToWire(
  found: LogPage,
  { total, number, size }: { total: LogCount | null; number: number | null; size: number },
  answer: Answer,
): Promise<Omit<z.output<typeof LIST>, 'items'> & { items: JsonBytes }> {
  const { startCursor, endCursor, searchedUntil } = pageInfoOf(found);
  const [isMore, isBehind] = await Promise.all([tell(found.hasNextPage), tell(found.hasPreviousPage)]);
  return {
    items: answer.part(entriesToJson(found.entries)),
    total: total?.value ?? null,
    page: number,
    page_size: size,
    pages: total && Math.ceil(total.value / size),
    total_precision: total?.precision ?? null,
    next_cursor: isMore ? endCursor : null,
    previous_cursor: isBehind ? startCursor : null,
    searched_until: searchedUntil,
  };
}

const countsToWire = (counts: readonly FacetCount[]) =>
  Object.fromEntries(counts.filter(({ count }) => count > 0).map(({ key, count }) => [key ?? '', count]));

type Reach = Awaited<ReturnType<Statistics['reach']>>;

export const statsToWire = (
  stats: LogTotals,
  { precision, searchedUntil }: Reach,
): z.output<typeof STATS> => ({
  total_entries: stats.totalEntries,
  entries_by_severity: countsToWire(stats.entriesBySeverity),
  entries_by_module: countsToWire(stats.entriesByModule),
  entries_today: stats.entriesToday,
  entries_this_week: stats.entriesThisWeek,
  precision,
  ...(searchedUntil !== null && { searched_until: searchedUntil }),
});

export const exportToWire = (prepared: LogExport): z.output<typeof EXPORT> => ({
  download_url: prepared.downloadUrl,
  filename: prepared.filename,
  record_count: prepared.recordCount,
  expires_at: prepared.expiresAt,
});

/** The first step of a fault's loc that already says which part of the request it is in. */
const LOCATIONS = new Set(['query', 'path', 'header', 'body']);

/** A fault of log/entry, whose loc begins with the field's name, as a fault of this request. */
export function faultToWire(fault: Fault, location: 'query' | 'body'): Fault {
  const { type, loc, msg, input = null, ctx } = fault;
  const field = loc[0];
  const message =
    typeof field === 'string' && msg.startsWith(field) ? snake(field) + msg.slice(field.length) : msg;
  return { type, loc: locationOf(loc, location), msg: message, input, ...(ctx && { ctx }) };
}

function locationOf(loc: Fault['loc'], location: 'query' | 'body'): Fault['loc'] {
  if (LOCATIONS.has(String(loc[0]))) return loc;
  if (loc[0] === 'idempotencyKey') return ['header', 'Idempotency-Key'];
  // Behind the field's name follow keys of the caller's data, which keep their names.
  return [location, snake(String(loc[0])), ...loc.slice(1)];
}
