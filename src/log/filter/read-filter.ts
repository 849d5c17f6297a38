import { badInput } from '../../errors.js';
import { nearest } from '../../query-line/nearest.js';
import { parseInstant, parseUuid } from '../../query-line/values.js';
import { ACTOR_TYPES } from '../entry/actor-type.js';
import { ORIGINS } from '../entry/origin.js';
import { OUTCOMES } from '../entry/outcome.js';
import { SEVERITIES } from '../entry/severity.js';
import type { LogFilter } from './log-filter.js';

/** Reads one value. Errors: BAD_USER_INPUT for `name`. */
type Reader = (value: unknown, name: string) => unknown;

const read =
  (expected: string, parse: (value: string) => string | null): Reader =>
  (value, name) => {
    const parsed = typeof value === 'string' ? parse(value) : null;
    if (parsed === null) throw badInput(name, expected, value);
    return parsed;
  };
const text = read('text', (value) => value);
const instant = read('an RFC 3339 instant as text', (value) => (parseInstant(value) === null ? null : value));
const uuid = read('a UUID', parseUuid);
const oneOf = (names: readonly string[]) =>
  read(`one of ${names.join(', ')}`, (value) => (names.includes(value) ? value : null));
const object: Reader = (value, name) => {
  if (typeof value !== 'object' || value === null) throw badInput(name, 'an object', value);
  return value;
};
const list =
  (item: Reader): Reader =>
  (value, name) => {
    if (!Array.isArray(value)) throw badInput(name, 'a list', value);
    return value.map((each, index) => item(each, `${name}[${index}]`));
  };

const READERS: Readonly<Record<keyof LogFilter, Reader>> = {
  startDate: instant,
  endDate: instant,
  modules: list(text),
  notModules: list(text),
  actions: list(text),
  notActions: list(text),
  severities: list(oneOf(SEVERITIES)),
  minSeverity: oneOf(SEVERITIES),
  origin: oneOf(ORIGINS),
  occurredFrom: instant,
  occurredUntil: instant,
  ids: list(uuid),
  actorIds: list(text),
  notActorIds: list(text),
  actorEmail: text,
  actorName: text,
  actorTypes: list(oneOf(ACTOR_TYPES)),
  onBehalfOfId: text,
  outcomes: list(oneOf(OUTCOMES)),
  resourceType: text,
  resourceId: text,
  clientId: uuid,
  requestId: text,
  ipAddress: text,
  notIpAddress: text,
  search: text,
  notSearch: list(text),
  data: list(object),
  query: text,
};

/**
 * A filter as a host gives it, whose names and types nobody has checked: a name that is misspelt would find everything.
 * Errors: BAD_USER_INPUT.
 */
export function readFilter(given: LogFilter): LogFilter {
  const names = Object.keys(READERS) as (keyof LogFilter)[];
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => {
      const reader = Object.hasOwn(READERS, name) ? READERS[name as keyof LogFilter] : null;
      if (!reader) throw badInput('filter', `a field such as ${nearest(name, names)}`, name);
      return value == null ? [] : [[name, reader(value, name)]];
    }),
  );
}
