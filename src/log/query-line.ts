import type { LogOrigin } from './entry/origin.js';
import type { LogSeverity } from './entry/severity.js';
import {
  FIELDS,
  type FieldName,
  faultAt,
  isBareItem,
  isBareText,
  MAX_ITEMS,
  quote,
  readTerms,
  shown,
  type Term,
} from './query-terms.js';
import { EXPECTED_TIME, printTime, readTime, type TimeField } from './query-time.js';
import { parseUuid } from './values.js';

export { QueryLineError } from './query-terms.js';

/** What a query line says, in LogFilter's vocabulary; null or empty where it says nothing. */
export interface ParsedQuery {
  modules: string[];
  notModules: string[];
  actions: string[];
  notActions: string[];
  severities: LogSeverity[];
  minSeverity: LogSeverity | null;
  origin: LogOrigin | null;
  /** UUIDs in lower case, as all others here. */
  actorIds: string[];
  /** In lower case. */
  actorEmail: string | null;
  resourceType: string | null;
  resourceId: string | null;
  clientId: string | null;
  requestId: string | null;
  /** An address or a CIDR block. */
  ipAddress: string | null;
  /** At or after, `2026-01-05T10:00:00.123456Z`. */
  since: string | null;
  /** At or before, in the same form. */
  until: string | null;
  /** Each must be found. */
  searches: string[];
}

export interface ParsedLine {
  filter: ParsedQuery;
  /** The times that were said relative to now, such as `-24h`, so that they stay so in print. */
  relative: { since?: string; until?: string };
}

const SEVERITIES = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'];
const ORIGINS = ['MODULE', 'BROWSER'];
const NEGATABLE: readonly FieldName[] = ['module', 'action'];
const LISTS: readonly FieldName[] = ['module', 'action', 'severity', 'actor'];

/**
 * Reads a query line (docs/query-line.md). `now` is what relative times count from. Pure: it runs in browsers as it does here.
 * Throws QueryLineError for the first fault.
 */
export function parseQueryLine(line: string, now: Date): ParsedLine {
  const parsed: ParsedLine = {
    filter: {
      modules: [],
      notModules: [],
      actions: [],
      notActions: [],
      severities: [],
      minSeverity: null,
      origin: null,
      actorIds: [],
      actorEmail: null,
      resourceType: null,
      resourceId: null,
      clientId: null,
      requestId: null,
      ipAddress: null,
      since: null,
      until: null,
      searches: [],
    },
    relative: {},
  };
  const named = new Set<FieldName>();
  for (const term of readTerms(line)) {
    if (term.field === null) {
      add(parsed.filter.searches, term);
      continue;
    }
    if (term.negated && !NEGATABLE.includes(term.field))
      throw faultAt(
        term,
        `expected ${shown(`${term.field}${term.op}`)} without -, since only module and action may be negated`,
      );
    if (term.items.length > 1 && (!LISTS.includes(term.field) || term.op === '>='))
      throw faultAt(
        term,
        `expected one value after ${shown(`${term.field}${term.op}`)}; one with a comma stands in quotes`,
      );
    if (!term.negated) {
      if (named.has(term.field)) throw faultAt(term, `expected ${shown(`${term.field}:`)} only once`);
      named.add(term.field);
    }
    MEANINGS[term.field](parsed, term, now);
  }
  return parsed;
}

type Meaning = (parsed: ParsedLine, term: Term, now: Date) => void;

const MEANINGS: Record<FieldName, Meaning> = {
  module: ({ filter }, term) => add(term.negated ? filter.notModules : filter.modules, term, MAX_ITEMS),
  action: ({ filter }, term) => add(term.negated ? filter.notActions : filter.actions, term, MAX_ITEMS),
  severity: ({ filter }, term) => {
    const severities = term.items.map((item) => oneOf(SEVERITIES, item, term) as LogSeverity);
    if (term.op === '>=') filter.minSeverity = severities[0] as LogSeverity;
    else filter.severities = [...new Set(severities)];
  },
  origin: ({ filter }, term) => {
    filter.origin = oneOf(ORIGINS, only(term), term) as LogOrigin;
  },
  actor: ({ filter }, term) => {
    if (term.items.length === 1 && only(term).includes('@')) filter.actorEmail = only(term).toLowerCase();
    else {
      const expected =
        term.items.length > 1 ? 'user ids (UUIDs) in a list' : 'a user id (UUID) or an e-mail address';
      filter.actorIds = [...new Set(term.items.map((item) => uuid(item, expected, term)))];
    }
  },
  resource: ({ filter }, term) => {
    const [, type, id] = /^([^/]+)(?:\/(.+))?$/s.exec(only(term)) ?? [];
    if (type === undefined) throw unlike('a resource type, or type/id', only(term), term);
    filter.resourceType = type;
    filter.resourceId = id === undefined ? null : (parseUuid(id) ?? id);
  },
  client: ({ filter }, term) => {
    filter.clientId = uuid(only(term), 'a client id (UUID)', term);
  },
  request: ({ filter }, term) => {
    filter.requestId = uuid(only(term), 'a request id (UUID)', term);
  },
  ip: ({ filter }, term) => {
    if (!isAddressOrBlock(only(term)))
      throw unlike('an IP address or a CIDR block, such as 10.0.0.0/8', only(term), term);
    filter.ipAddress = only(term).toLowerCase();
  },
  since: (parsed, term, now) => setTime('since', parsed, term, now),
  until: (parsed, term, now) => setTime('until', parsed, term, now),
};

const only = (term: Term): string => term.items[0] as string;

const unlike = (expected: string, came: string, term: Term) =>
  faultAt(term, `expected ${expected}, got ${shown(came)}`);

function add(list: string[], term: Term, most = Number.POSITIVE_INFINITY): void {
  for (const item of term.items) if (!list.includes(item)) list.push(item);
  if (list.length > most)
    throw faultAt(term, `expected at most ${most} values of -${term.field}: in all, got ${list.length}`);
}

function oneOf(known: readonly string[], item: string, term: Term): string {
  const upper = item.toUpperCase();
  if (!known.includes(upper)) throw unlike(`one of ${known.join(', ')}`, item, term);
  return upper;
}

function uuid(item: string, expected: string, term: Term): string {
  const read = parseUuid(item);
  if (read === null) throw unlike(expected, item, term);
  return read;
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$|\/)|(?=$|\/))){4}(?:\/(?:3[0-2]|[12]?\d))?$/;
const IPV6 = /^([0-9a-f:.]*:[0-9a-f:.]*)(?:\/(?:12[0-8]|1[01]\d|[1-9]?\d))?$/i;

function isAddressOrBlock(text: string): boolean {
  if (IPV4.test(text)) return true;
  const address = IPV6.exec(text)?.[1];
  return address !== undefined && URL.canParse(`http://[${address}]`);
}

function setTime(field: TimeField, { filter, relative }: ParsedLine, term: Term, now: Date): void {
  const time = readTime(field, only(term), now);
  if (!time) throw unlike(EXPECTED_TIME, only(term), term);
  filter[field] = time.instant;
  if (time.relative) relative[field] = time.relative;
}

/** The canonical form: fields in their order, texts last, quotes only where needed. Parsing it gives the same filter again. */
export function printQueryLine({ filter, relative }: ParsedLine): string {
  const { resourceType, resourceId } = filter;
  const time = (field: TimeField) => relative[field] ?? (filter[field] && printTime(field, filter[field]));
  const values: Record<FieldName, readonly (string | null)[]> = {
    module: filter.modules,
    action: filter.actions,
    severity: filter.severities,
    origin: [filter.origin?.toLowerCase() ?? null],
    actor: [filter.actorEmail, ...filter.actorIds],
    resource: [resourceType && (resourceId === null ? resourceType : `${resourceType}/${resourceId}`)],
    client: [filter.clientId],
    request: [filter.requestId],
    ip: [filter.ipAddress],
    since: [time('since')],
    until: [time('until')],
  };
  const terms = FIELDS.flatMap((field) => {
    if (field === 'severity')
      return [print('severity:', values.severity), print('severity>=', [filter.minSeverity])];
    if (field === 'module') return [print('module:', values.module), print('-module:', filter.notModules)];
    if (field === 'action') return [print('action:', values.action), print('-action:', filter.notActions)];
    return [print(`${field}:`, values[field])];
  });
  const texts = filter.searches.map((text) => (isBareText(text) ? text : quote(text)));
  return [...terms.filter((term) => term !== ''), ...texts].join(' ');
}

function print(head: string, values: readonly (string | null)[]): string {
  const items = values
    .filter((value) => value !== null)
    .map((item) => (isBareItem(item) ? item : quote(item)));
  return items.length === 0 ? '' : head + items.join(',');
}
