import { type Command, InvalidArgumentError } from 'commander';
import type { LogFilter } from '../log/inputs.js';
import { LogOrigin } from '../log/origin.js';
import { LogSeverity } from '../log/severity.js';
import { EXPECTED_TIME, readTime, type TimeField } from '../query-line/time.js';
import { textsOption, uuidOption, uuidsOption } from './options.js';

interface FilterOption {
  flags: string;
  text: string;
  read?: (text: string, before: never) => unknown;
}

const time = (field: TimeField) => (text: string) => {
  const said = readTime(field, text, new Date());
  if (said === null) throw new InvalidArgumentError(`Expected ${EXPECTED_TIME}.`);
  return said.instant;
};

const oneOf = (values: readonly string[]) => (text: string) => {
  const value = values.find((each) => each === text.toUpperCase());
  if (value === undefined) throw new InvalidArgumentError(`Expected one of ${values.join(', ')}.`);
  return value;
};

const severity = oneOf(Object.values(LogSeverity));
const severities = (text: string, before: string[] = []) => [...before, severity(text)];

/** The names of LogFilter as options, in kebab case; a list's may be repeated. */
const FILTER_OPTIONS: Record<keyof LogFilter, FilterOption> = {
  startDate: {
    flags: '--start-date <time>',
    text: 'at or after; RFC 3339, a date, or -24h',
    read: time('since'),
  },
  endDate: {
    flags: '--end-date <time>',
    text: 'at or before; a bare date is its last instant',
    read: time('until'),
  },
  modules: { flags: '--modules <name>', text: 'may be repeated', read: textsOption },
  notModules: { flags: '--not-modules <name>', text: 'may be repeated', read: textsOption },
  actions: {
    flags: '--actions <name>',
    text: 'users.* is everything below; may be repeated',
    read: textsOption,
  },
  notActions: { flags: '--not-actions <name>', text: 'may be repeated', read: textsOption },
  severities: { flags: '--severities <name>', text: 'may be repeated', read: severities },
  minSeverity: { flags: '--min-severity <name>', text: 'this severity or graver', read: severity },
  origin: { flags: '--origin <name>', text: 'MODULE or BROWSER', read: oneOf(Object.values(LogOrigin)) },
  actorIds: { flags: '--actor-ids <id>', text: 'may be repeated', read: uuidsOption },
  actorEmail: { flags: '--actor-email <address>', text: 'in any case' },
  resourceType: { flags: '--resource-type <name>', text: '' },
  resourceId: { flags: '--resource-id <id>', text: '' },
  clientId: { flags: '--client-id <id>', text: '', read: uuidOption },
  requestId: { flags: '--request-id <id>', text: '', read: uuidOption },
  ipAddress: { flags: '--ip-address <address>', text: 'an address or a CIDR block' },
  search: { flags: '--search <text>', text: 'text in the data payload' },
  query: { flags: '--query <line>', text: 'the query line, for example: severity>=ERROR -module:guardian' },
};

export function filterOptions(command: Command): Command {
  for (const { flags, text, read } of Object.values(FILTER_OPTIONS)) {
    if (read) command.option(flags, text, read as (text: string, before: unknown) => unknown);
    else command.option(flags, text);
  }
  return command;
}

/** What was given of LogFilter. */
export const filterOf = (options: Record<string, unknown>): LogFilter =>
  Object.fromEntries(
    Object.keys(FILTER_OPTIONS).flatMap((name) =>
      options[name] === undefined ? [] : [[name, options[name]]],
    ),
  );
