import { type Command, InvalidArgumentError } from 'commander';
import { LogOrigin } from '../log/entry/origin.js';
import { LogSeverity } from '../log/entry/severity.js';
import type { LogFilter } from '../log/filter/log-filter.js';
import type { TimeField } from '../query-line/fields.js';
import { EXPECTED_TIME, readTime } from '../query-line/time.js';
import { textsOption, uuidOption, uuidsOption } from './options.js';

interface FilterOption {
  flags: string;
  text: string;
  read?: (text: string, before: never) => unknown;
}

const time = (field: TimeField) => (text: string) => {
  const parsed = readTime(field, text, { now: new Date(), timeZone: 'UTC' });
  if (parsed === null) throw new InvalidArgumentError(`Expected ${EXPECTED_TIME}.`);
  return parsed.is;
};

const oneOf = (values: readonly string[]) => (text: string) => {
  const value = values.find((each) => each === text.toUpperCase());
  if (value === undefined) throw new InvalidArgumentError(`Expected one of ${values.join(', ')}.`);
  return value;
};

const severity = oneOf(Object.values(LogSeverity));
const severities = (text: string, before: string[] = []) => [...before, severity(text)];

/** LogFilter's fields as options, in kebab case; those of lists may be repeated. */
const FILTER_OPTIONS: Record<keyof LogFilter, FilterOption> = {
  startDate: {
    flags: '--start-date <time>',
    text: 'created at or after this time: RFC 3339, a date, or -24h',
    read: time('since'),
  },
  endDate: {
    flags: '--end-date <time>',
    text: 'created at or before this time; a bare date includes the whole day',
    read: time('until'),
  },
  modules: { flags: '--modules <name>', text: 'written by this module; may be repeated', read: textsOption },
  notModules: {
    flags: '--not-modules <name>',
    text: 'not written by this module; may be repeated',
    read: textsOption,
  },
  actions: {
    flags: '--actions <name>',
    text: 'with this action, users.* meaning every action below users.; may be repeated',
    read: textsOption,
  },
  notActions: {
    flags: '--not-actions <name>',
    text: 'without this action; may be repeated',
    read: textsOption,
  },
  severities: { flags: '--severities <name>', text: 'of this severity; may be repeated', read: severities },
  minSeverity: { flags: '--min-severity <name>', text: 'of this severity or above', read: severity },
  origin: {
    flags: '--origin <name>',
    text: 'stored by a module (MODULE) or reported by a browser (BROWSER)',
    read: oneOf(Object.values(LogOrigin)),
  },
  actorIds: {
    flags: '--actor-ids <id>',
    text: 'by the person with this id; may be repeated',
    read: uuidsOption,
  },
  actorEmail: {
    flags: '--actor-email <address>',
    text: 'by the person with this e-mail address, in any case',
  },
  resourceType: { flags: '--resource-type <name>', text: 'about a resource of this type' },
  resourceId: { flags: '--resource-id <id>', text: 'about the resource with this id' },
  clientId: { flags: '--client-id <id>', text: 'of this client', read: uuidOption },
  requestId: { flags: '--request-id <id>', text: 'of this request', read: uuidOption },
  ipAddress: { flags: '--ip-address <address>', text: 'from this address or CIDR block' },
  search: { flags: '--search <text>', text: 'with this text in their data' },
  query: {
    flags: '--query <line>',
    text: 'that match this query line, for example severity>=ERROR -module:guardian',
  },
};

export function filterOptions(command: Command): Command {
  for (const { flags, text, read } of Object.values(FILTER_OPTIONS)) {
    const meaning = `only entries ${text}`;
    if (read) command.option(flags, meaning, read as (text: string, before: unknown) => unknown);
    else command.option(flags, meaning);
  }
  return command;
}

/** The fields of LogFilter that were given. */
export const filterOf = (options: Record<string, unknown>): LogFilter =>
  Object.fromEntries(
    Object.keys(FILTER_OPTIONS).flatMap((name) =>
      options[name] === undefined ? [] : [[name, options[name]]],
    ),
  );
