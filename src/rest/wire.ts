import type { Fault } from '../errors.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import type { LogExport } from '../log/export/export.js';
import type { ExportColumn } from '../log/export/export-format.js';
import type { LogStatistics } from './options.js';

/** `resourceType` as `resource_type`: the only rule by which names change on this wire. */
export const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
export const camel = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** An entry's fields in the order in which REST shows them; the four last came with the second edition. */
const ENTRY_FIELDS = [
  'id',
  'module',
  'action',
  'severity',
  'resourceType',
  'resourceId',
  'data',
  'actorId',
  'actorEmail',
  'actorName',
  'tenantId',
  'clientId',
  'ipAddress',
  'userAgent',
  'requestId',
  'createdAt',
  'origin',
  'occurredAt',
  'sequence',
  'onBehalfOfId',
] as const satisfies readonly (keyof LogEntry)[];

/** An export's fields in the order of its columns; data stands there only where it was asked for. */
const EXPORT_FIELDS = [
  'id',
  'createdAt',
  'module',
  'action',
  'severity',
  'actorId',
  'actorEmail',
  'actorName',
  'tenantId',
  'clientId',
  'resourceType',
  'resourceId',
  'ipAddress',
  'data',
] as const satisfies readonly (typeof ENTRY_FIELDS)[number][];

const ENTRY_COLUMNS: readonly ExportColumn[] = ENTRY_FIELDS.map((field) => ({ field, name: snake(field) }));

/** Header and keys of exported files. */
export const EXPORT_COLUMNS: readonly ExportColumn[] = EXPORT_FIELDS.map((field) => ({
  field,
  name: snake(field),
}));

/** Every key present, null where empty. */
export function entryToWire(entry: LogEntry): Record<string, unknown> {
  const wire: Record<string, unknown> = {};
  for (const { field, name } of ENTRY_COLUMNS) wire[name] = entry[field] ?? null;
  return wire;
}

/** What entryToWire wrote, with data null where it is left out; null where a field is missing or of another type. */
export function entryFromWire(wire: Readonly<Record<string, unknown>>): LogEntry | null {
  const entry: Record<string, unknown> = {};
  for (const { field, name } of ENTRY_COLUMNS) {
    const value = wire[name] ?? null;
    if (field === 'sequence' ? !Number.isSafeInteger(value) : field !== 'data' && !isText(value)) return null;
    if (field === 'data' && typeof value !== 'object') return null;
    entry[field] = value;
  }
  return entry as unknown as LogEntry;
}

const isText = (value: unknown): boolean => value === null || typeof value === 'string';

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
