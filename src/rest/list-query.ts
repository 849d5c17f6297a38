import type { FastifyRequest } from 'fastify';
import type { Fault } from '../errors.js';
import { SEVERITIES } from '../log/entry/severity.js';
import { MAX_SEARCH, MAX_TEXT } from '../log/filter/criteria.js';
import type { LogFilter } from '../log/filter/log-filter.js';
import { Fields } from './fields.js';

/** The query parameters of a request; of one that is given twice the last counts, as in the first edition. */
export function queryOf(request: FastifyRequest): Record<string, string> {
  const { url } = request;
  const start = url.indexOf('?');
  return start < 0 ? {} : Object.fromEntries(new URLSearchParams(url.slice(start + 1)));
}

/** A filter under its REST names, as in the query of the list and in the body of an export. */
export function readFilterFields(fields: Fields): LogFilter {
  const filter: LogFilter = {};
  const one = <T>(value: T | undefined): T[] | undefined => (value === undefined ? undefined : [value]);
  filter.modules = one(fields.text('module', MAX_TEXT));
  filter.actions = one(fields.text('action', MAX_TEXT));
  filter.severities = one(fields.oneOf('severity', SEVERITIES));
  filter.minSeverity = fields.oneOf('min_severity', SEVERITIES);
  filter.actorIds = one(fields.text('actor_id', MAX_TEXT));
  filter.clientId = fields.uuid('client_id');
  filter.startDate = fields.instant('start_date');
  filter.endDate = fields.instant('end_date');
  filter.search = fields.text('search', MAX_SEARCH);
  filter.resourceType = fields.text('resource_type', MAX_TEXT);
  filter.resourceId = fields.text('resource_id', MAX_TEXT);
  filter.requestId = fields.text('request_id', MAX_TEXT);
  return filter;
}

/** No list is long enough for a page past this. */
export const LAST_PAGE = 2 ** 31 - 1;

export function readListQuery(
  request: FastifyRequest,
  sizes: { defaultPageSize: number; maxPageSize: number },
  faults: Fault[],
): { filter: LogFilter; page: number; pageSize: number } {
  const fields = new Fields(queryOf(request), ['query'], faults);
  const query = {
    page: fields.integer('page', 1, Number.MAX_SAFE_INTEGER) ?? 1,
    pageSize: fields.integer('page_size', 1, sizes.maxPageSize) ?? sizes.defaultPageSize,
    filter: readFilterFields(fields),
  };
  fields.refuseOthers();
  return query;
}

/** Statistics take the list's filter. */
export function readStatsQuery(request: FastifyRequest, faults: Fault[]): LogFilter {
  const fields = new Fields(queryOf(request), ['query'], faults);
  const filter = readFilterFields(fields);
  fields.refuseOthers();
  return filter;
}
