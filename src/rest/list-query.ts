import type { FastifyRequest } from 'fastify';
import type { Fault } from '../errors.js';
import type { FilterInput } from '../log/filter/log-filter.js';
import { readQuery } from '../log/filter/query-filter.js';
import { checkPage } from '../log/read/page.js';
import { Fields } from './fields.js';
import { FILTER_SHAPE, pageShape, ZONE_SHAPE } from './shapes.js';

/** The query parameters of a request; of one that is given twice the last counts, as in the first edition. */
export function queryOf(request: FastifyRequest): Record<string, string> {
  const { url } = request;
  const start = url.indexOf('?');
  return start < 0 ? {} : Object.fromEntries(new URLSearchParams(url.slice(start + 1)));
}

/** A filter, and the zone of the times without an offset in its query line. */
export interface FilterRequest {
  filter: FilterInput;
  timeZone: string;
}

/** A filter under its REST names, as in the query of the list and in the body of an export. `now`: of relative times. */
export function readFilterFields(fields: Fields, now: Date, defaultZone = 'UTC'): FilterRequest {
  const { query: line, time_zone: zone, action, ...given } = fields.read(FILTER_SHAPE);
  const timeZone = zone ?? defaultZone;
  const one = <T>(value: T | undefined): T[] | undefined => (value === undefined ? undefined : [value]);
  // GraphQL's trailing * is younger: here it is a plain character.
  const isExact = action?.endsWith('*') && !action.endsWith('.*');
  const filter: FilterInput = {
    modules: one(given.module),
    ...(isExact ? { exactActions: [action!] } : { actions: one(action) }),
    severities: one(given.severity),
    minSeverity: given.min_severity,
    outcomes: one(given.outcome),
    actorIds: one(given.actor_id),
    actorEmail: given.actor_email,
    actorName: given.actor_name,
    clientId: given.client_id,
    startDate: given.start_date,
    endDate: given.end_date,
    occurredFrom: given.occurred_from,
    occurredUntil: given.occurred_until,
    search: given.search,
    resourceType: given.resource_type,
    resourceId: given.resource_id,
    requestId: given.request_id,
    ipAddress: given.ip_address,
    query: fields.checked('query', line, (text) => readQuery(text, now, timeZone)),
  };
  return { filter, timeZone };
}

/** The zone named by `time_zone`. */
export const readZone = (fields: Fields): string | undefined => fields.read(ZONE_SHAPE).time_zone;

/** No list is long enough for a page past this. */
export const LAST_PAGE = 2 ** 31 - 1;

/** Which part of the list: a page by its number, or what is after or before a cursor. */
export interface ListQuery extends FilterRequest {
  /** null with a cursor. */
  page: number | null;
  pageSize: number;
  after: string | null;
  before: string | null;
}

export interface PageSizes {
  readonly defaultPageSize: number;
  readonly maxPageSize: number;
}

/** Reads queries of lists with these sizes of pages; adds what is wrong with one to `faults`. */
export function listQueryReader(sizes: PageSizes) {
  const shape = pageShape(sizes);
  return (request: FastifyRequest, faults: Fault[], now: Date): ListQuery =>
    readListQuery(request, { sizes, shape }, faults, now);
}

function readListQuery(
  request: FastifyRequest,
  { sizes, shape }: { sizes: PageSizes; shape: ReturnType<typeof pageShape> },
  faults: Fault[],
  now: Date,
): ListQuery {
  const fields = new Fields(queryOf(request), ['query'], faults);
  const { page, page_size: pageSize = sizes.defaultPageSize, ...cursors } = fields.read(shape);
  const after = fields.checked('after', cursors.after, (text) => checkPage({ page, after: text }, sizes));
  const before = fields.checked('before', cursors.before, (text) =>
    checkPage({ page, after, before: text }, sizes),
  );
  const query = {
    page: after === undefined && before === undefined ? (page ?? 1) : null,
    pageSize,
    // In stored form.
    after: after?.toLowerCase() ?? null,
    before: before?.toLowerCase() ?? null,
    ...readFilterFields(fields, now),
  };
  fields.refuseOthers();
  return query;
}

/** Statistics take the list's filter. */
export function readStatsQuery(request: FastifyRequest, faults: Fault[], now: Date): FilterRequest {
  const fields = new Fields(queryOf(request), ['query'], faults);
  const asked = readFilterFields(fields, now);
  fields.refuseOthers();
  return asked;
}
