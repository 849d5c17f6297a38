import { errorAt, type FieldName, MAX_ITEMS, readTerms, shown, type Term } from './terms.js';
import { EXPECTED_TIME, readTime, type TimeField } from './time.js';
import { ORIGINS, type Origin, parseUuid, SEVERITIES, type Severity } from './values.js';

/** The conditions of a query line, named as in LogFilter; null or empty where it has none. */
export interface ParsedQuery {
  modules: string[];
  notModules: string[];
  actions: string[];
  notActions: string[];
  severities: Severity[];
  minSeverity: Severity | null;
  origin: Origin | null;
  /** UUIDs in lower case, like every id here. */
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
  /** The times that were given relative to now, such as `-24h`, so that they are printed that way again. */
  relative: { since?: string; until?: string };
}

const NEGATABLE: readonly FieldName[] = ['module', 'action'];
const LISTS: readonly FieldName[] = ['module', 'action', 'severity', 'actor'];

/** Parses a query line (docs/query-line.md). Relative times count back from `now`. Throws QueryLineError for the first error. */
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
      throw errorAt(
        term,
        `expected ${shown(`${term.field}${term.op}`)} without -, since only module and action can be negated`,
      );
    if (term.items.length > 1 && (!LISTS.includes(term.field) || term.op === '>='))
      throw errorAt(
        term,
        `expected one value after ${shown(`${term.field}${term.op}`)}; put one with a comma in quotes`,
      );
    if (!term.negated) {
      if (named.has(term.field)) throw errorAt(term, `expected ${shown(`${term.field}:`)} only once`);
      named.add(term.field);
    }
    ADD_CONDITION[term.field](parsed, term, now);
  }
  return parsed;
}

const ADD_CONDITION: Record<FieldName, (parsed: ParsedLine, term: Term, now: Date) => void> = {
  module: ({ filter }, term) => add(term.negated ? filter.notModules : filter.modules, term, MAX_ITEMS),
  action: ({ filter }, term) => add(term.negated ? filter.notActions : filter.actions, term, MAX_ITEMS),
  severity: ({ filter }, term) => {
    const severities = term.items.map((item) => oneOf(SEVERITIES, item, term));
    if (term.op === '>=') filter.minSeverity = severities[0] as Severity;
    else filter.severities = [...new Set(severities)];
  },
  origin: ({ filter }, term) => {
    filter.origin = oneOf(ORIGINS, only(term), term);
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
    if (type === undefined) throw mismatch('a resource type, or type/id', only(term), term);
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
      throw mismatch('an IP address or a CIDR block, such as 10.0.0.0/8', only(term), term);
    filter.ipAddress = only(term).toLowerCase();
  },
  since: (parsed, term, now) => setTime('since', parsed, term, now),
  until: (parsed, term, now) => setTime('until', parsed, term, now),
};

const only = (term: Term): string => term.items[0] as string;

const mismatch = (expected: string, got: string, term: Term) =>
  errorAt(term, `expected ${expected}, got ${shown(got)}`);

function add(list: string[], term: Term, max = Number.POSITIVE_INFINITY): void {
  for (const item of term.items) if (!list.includes(item)) list.push(item);
  if (list.length > max)
    throw errorAt(term, `expected at most ${max} values of -${term.field}: in all, got ${list.length}`);
}

function oneOf<Word extends string>(words: readonly Word[], item: string, term: Term): Word {
  const word = words.find((each) => each === item.toUpperCase());
  if (word === undefined) throw mismatch(`one of ${words.join(', ')}`, item, term);
  return word;
}

function uuid(item: string, expected: string, term: Term): string {
  const id = parseUuid(item);
  if (id === null) throw mismatch(expected, item, term);
  return id;
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
  if (!time) throw mismatch(EXPECTED_TIME, only(term), term);
  filter[field] = time.instant;
  if (time.relative) relative[field] = time.relative;
}
