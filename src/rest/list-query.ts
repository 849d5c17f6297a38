import type { FastifyRequest } from 'fastify';
import type { Fault } from '../errors.js';
import { OUTCOMES } from '../log/entry/outcome.js';
import { SEVERITIES } from '../log/entry/severity.js';
import { MAX_RESOURCE_ID, MAX_SEARCH, MAX_TEXT } from '../log/filter/criteria.js';
import { conditionsOf } from '../log/filter/field-conditions.js';
import type { FilterInput } from '../log/filter/log-filter.js';
import { readQuery } from '../log/filter/query-filter.js';
import { readTimeZone } from '../log/filter/time-zone.js';
import { checkPage } from '../log/read/page.js';
import { Fields } from './fields.js';

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
  const filter: FilterInput = {};
  const one = <T>(value: T | undefined): T[] | undefined => (value === undefined ? undefined : [value]);
  filter.modules = one(fields.text('module', MAX_TEXT));
  const action = fields.text('action', MAX_TEXT);
  // GraphQL's trailing * is younger: here it is a plain character.
  if (action?.endsWith('*') && !action.endsWith('.*')) filter.exactActions = [action];
  else filter.actions = one(action);
  filter.severities = one(fields.oneOf('severity', SEVERITIES));
  filter.minSeverity = fields.oneOf('min_severity', SEVERITIES);
  filter.outcomes = one(fields.oneOf('outcome', OUTCOMES));
  filter.actorIds = one(fields.text('actor_id', MAX_TEXT));
  filter.actorEmail = fields.text('actor_email', MAX_TEXT);
  filter.actorName = fields.text('actor_name', MAX_TEXT);
  filter.clientId = fields.uuid('client_id');
  filter.startDate = fields.instant('start_date');
  filter.endDate = fields.instant('end_date');
  filter.occurredFrom = fields.instant('occurred_from');
  filter.occurredUntil = fields.instant('occurred_until');
  filter.search = fields.text('search', MAX_SEARCH);
  filter.resourceType = fields.text('resource_type', MAX_TEXT);
  filter.resourceId = fields.text('resource_id', MAX_RESOURCE_ID);
  filter.requestId = fields.text('request_id', MAX_TEXT);
  filter.ipAddress = fields.checked('ip_address', (ipAddress) => conditionsOf({ ipAddress }));
  const timeZone = readZone(fields) ?? defaultZone;
  filter.query = fields.checked('query', (line) => readQuery(line, now, timeZone));
  return { filter, timeZone };
}

/** The zone named by `time_zone`. */
export const readZone = (fields: Fields): string | undefined => fields.checked('time_zone', readTimeZone);

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

export function readListQuery(
  request: FastifyRequest,
  sizes: { defaultPageSize: number; maxPageSize: number },
  faults: Fault[],
  now: Date,
): ListQuery {
  const fields = new Fields(queryOf(request), ['query'], faults);
  const page = fields.integer('page', 1, Number.MAX_SAFE_INTEGER);
  const pageSize = fields.integer('page_size', 1, sizes.maxPageSize) ?? sizes.defaultPageSize;
  const after = fields.checked('after', (text) => checkPage({ page, after: text }, sizes));
  const before = fields.checked('before', (text) => checkPage({ page, after, before: text }, sizes));
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
