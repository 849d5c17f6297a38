import type { Fault } from '../errors.js';
import { snake } from '../log/entry/fields.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import { entryToWire } from '../log/entry/wire.js';
import type { LogExport } from '../log/export/export.js';
import type { LogStatistics } from './options.js';

export const listToWire = (entries: readonly LogEntry[], total: number, page: number, pageSize: number) => ({
  items: entries.map(entryToWire),
  total,
  page,
  page_size: pageSize,
  pages: Math.ceil(total / pageSize),
});

const countsToWire = (counts: LogStatistics['entriesByModule']) =>
  Object.fromEntries(counts.filter(({ count }) => count > 0).map(({ key, count }) => [key ?? '', count]));

export const statsToWire = (stats: LogStatistics) => ({
  total_entries: stats.totalEntries,
  entries_by_severity: countsToWire(stats.entriesBySeverity),
  entries_by_module: countsToWire(stats.entriesByModule),
  entries_today: stats.entriesToday,
  entries_this_week: stats.entriesThisWeek,
});

export const exportToWire = (prepared: LogExport) => ({
  download_url: prepared.downloadUrl,
  filename: prepared.filename,
  record_count: prepared.recordCount,
  expires_at: prepared.expiresAt,
});

/** The first step of a fault that says already where in the request it is. */
const PLACES = new Set(['query', 'path', 'header', 'body']);

/** A fault of the trade, located by the field's own name, as a fault of this request. */
export function faultToWire(fault: Fault, place: 'query' | 'body'): Required<Fault> {
  const { type, loc, msg, input = null } = fault;
  const field = loc[0];
  const spelt =
    typeof field === 'string' && msg.startsWith(field) ? snake(field) + msg.slice(field.length) : msg;
  return { type, loc: placeOf(loc, place), msg: spelt, input };
}

function placeOf(loc: Fault['loc'], place: 'query' | 'body'): Fault['loc'] {
  if (PLACES.has(String(loc[0]))) return loc;
  if (loc[0] === 'idempotencyKey') return ['header', 'Idempotency-Key'];
  // Past the field's own name follow keys of the caller's data, which are nobody's to rename.
  return [place, snake(String(loc[0])), ...loc.slice(1)];
}
