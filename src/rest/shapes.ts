import { OUTCOMES } from '../log/entry/outcome.js';
import { SEVERITIES } from '../log/entry/severity.js';
import { MAX_RESOURCE_ID, MAX_SEARCH, MAX_TEXT } from '../log/filter/criteria.js';
import { conditionsOf } from '../log/filter/field-conditions.js';
import { readTimeZone } from '../log/filter/time-zone.js';
import { anyText, bool, checked, instant, integer, oneOf, text, uuid } from './kinds.js';

/** What a part of a request may hold, field by field: requests are read by these, and openapi.json is made of them. */

export const ZONE_SHAPE = {
  time_zone: checked(readTimeZone).describe(
    'Of times without an offset in `query`: an IANA name such as America/Sao_Paulo, or an offset such as +05:30; default UTC.',
  ),
};

const when = (text: string) => instant.describe(`${text} ${instant.description}`);

/** The filter of a list, of statistics and of an export; in the order in which faults are told. */
export const FILTER_SHAPE = {
  module: text(MAX_TEXT).describe('Exactly this module.'),
  action: text(MAX_TEXT).describe('Exactly this action; `users.*` is every action below `users.`.'),
  severity: oneOf(SEVERITIES).describe('Exactly this severity.'),
  min_severity: oneOf(SEVERITIES).describe('This severity or graver.'),
  outcome: oneOf(OUTCOMES).describe('How the action ended.'),
  actor_id: text(MAX_TEXT).describe(
    'Exactly this text, a UUID in any case; a trailing * is every id that begins so.',
  ),
  actor_email: text(MAX_TEXT).describe("The actor's whole e-mail address, in any case."),
  actor_name: text(MAX_TEXT).describe("The actor's whole name, in any case."),
  client_id: uuid.describe('A client of the tenant.'),
  start_date: when('Stored at or after.'),
  end_date: when('Stored at or before.'),
  occurred_from: when('Happened at or after.'),
  occurred_until: when('Happened at or before.'),
  search: text(MAX_SEARCH).describe('Found anywhere in what an entry shows, in any case.'),
  resource_type: text(MAX_TEXT).describe('Exactly this text.'),
  resource_id: text(MAX_RESOURCE_ID).describe('Exactly this text, a UUID in any case.'),
  request_id: text(MAX_TEXT).describe('Exactly this text, a UUID in any case.'),
  ip_address: checked((ipAddress) => conditionsOf({ ipAddress })).describe(
    'An address in any spelling, or a CIDR block such as 10.0.0.0/8.',
  ),
  ...ZONE_SHAPE,
  query: anyText.describe('A query line, whose conditions must hold beside the others.'),
};

/** Which page of a list. */
export const pageShape = ({ maxPageSize }: { readonly maxPageSize: number }) => ({
  page: integer(1, Number.MAX_SAFE_INTEGER).describe('Number of the page, from 1; not with a cursor.'),
  page_size: integer(1, maxPageSize).describe('Entries on a page.'),
  after: anyText.describe('A cursor: what comes after it, the `next_cursor` of the page before.'),
  before: anyText.describe('A cursor: what comes before it, the `previous_cursor` of a page.'),
});

export const EXPORT_FORMATS = ['csv', 'json', 'ndjson'] as const;

/** The body of an export, but for its filter. */
export const EXPORT_SHAPE = {
  format: oneOf(EXPORT_FORMATS).describe('Default csv.'),
  include_data: bool.describe('Whether `data` is included; default false.'),
  include_proofs: bool.describe('ndjson only: whether each line carries its proof; default false.'),
  all_fields: bool.describe('Every field of an entry, instead of the thirteen columns; default false.'),
  spreadsheet: bool.describe('csv only: as spreadsheets open it; default false.'),
};

/** The token of an export link. */
export const LINK_SHAPE = { token: anyText.describe('The secret of the link.') };
