import { type Command, InvalidArgumentError } from 'commander';
import { ACTOR_TYPES } from '../log/entry/actor-type.js';
import { LogOrigin } from '../log/entry/origin.js';
import { OUTCOMES } from '../log/entry/outcome.js';
import { LogSeverity } from '../log/entry/severity.js';
import { type DataCondition, DataOperator } from '../log/filter/data-condition.js';
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
const several =
  <T>(read: (text: string) => T) =>
  (text: string, before: T[] = []) => [...before, read(text)];

/** A path with an operator and a value, `invoice.amount>=1000`, or alone. */
const DATA_CONDITION = /^((?:[^"=!<>\s]|"(?:[^"\\]|\\.)*")+)(?:(!=|>=|<=|=|>|<)(.*))?$/s;
const OPERATORS: Readonly<Record<string, DataOperator>> = {
  '=': DataOperator.EQ,
  '!=': DataOperator.NE,
  '>': DataOperator.GT,
  '>=': DataOperator.GE,
  '<': DataOperator.LT,
  '<=': DataOperator.LE,
};

function dataCondition(text: string): DataCondition {
  const [, path, operator, value] = DATA_CONDITION.exec(text) ?? [];
  if (path === undefined)
    throw new InvalidArgumentError(
      'Expected a path, such as error, or one with =, !=, >, >=, < or <= and a value.',
    );
  const op = operator === undefined ? DataOperator.EXISTS : OPERATORS[operator];
  return { path, op, value };
}

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
    text: 'with this action, users.* meaning every action below users., users* every one that begins so; may be repeated',
    read: textsOption,
  },
  notActions: {
    flags: '--not-actions <name>',
    text: 'without this action; may be repeated',
    read: textsOption,
  },
  severities: {
    flags: '--severities <name>',
    text: 'of this severity; may be repeated',
    read: several(severity),
  },
  minSeverity: { flags: '--min-severity <name>', text: 'of this severity or above', read: severity },
  origin: {
    flags: '--origin <name>',
    text: 'stored by a module (MODULE) or reported by a browser (BROWSER)',
    read: oneOf(Object.values(LogOrigin)),
  },
  occurredFrom: {
    flags: '--occurred-from <time>',
    text: 'of what happened at or after this time',
    read: time('since'),
  },
  occurredUntil: {
    flags: '--occurred-until <time>',
    text: 'of what happened at or before this time; a bare date includes the whole day',
    read: time('until'),
  },
  ids: { flags: '--ids <id>', text: 'with this id; may be repeated', read: uuidsOption },
  actorIds: {
    flags: '--actor-ids <id>',
    text: 'by the actor with this id, a trailing * meaning every id that begins so; may be repeated',
    read: textsOption,
  },
  notActorIds: {
    flags: '--not-actor-ids <id>',
    text: 'not by the actor with this id; may be repeated',
    read: textsOption,
  },
  actorEmail: {
    flags: '--actor-email <address>',
    text: 'by the person with this e-mail address, in any case',
  },
  actorName: { flags: '--actor-name <name>', text: 'by the person with this whole name, in any case' },
  actorTypes: {
    flags: '--actor-types <type>',
    text: 'by this kind of actor, for example AGENT; may be repeated',
    read: several(oneOf(ACTOR_TYPES)),
  },
  onBehalfOfId: { flags: '--on-behalf-of-id <id>', text: 'on behalf of the person with this id' },
  outcomes: {
    flags: '--outcomes <outcome>',
    text: 'of what ended so: SUCCESS, FAILURE or DENIED; may be repeated',
    read: several(oneOf(OUTCOMES)),
  },
  resourceType: { flags: '--resource-type <name>', text: 'about a resource of this type' },
  resourceId: { flags: '--resource-id <id>', text: 'about the resource with this id' },
  clientId: { flags: '--client-id <id>', text: 'of this client', read: uuidOption },
  requestId: { flags: '--request-id <id>', text: 'of this request' },
  ipAddress: { flags: '--ip-address <address>', text: 'from this address or CIDR block' },
  notIpAddress: { flags: '--not-ip-address <address>', text: 'not from this address or CIDR block' },
  search: { flags: '--search <text>', text: 'with this text' },
  notSearch: {
    flags: '--not-search <text>',
    text: 'without this text; may be repeated',
    read: textsOption,
  },
  data: {
    flags: '--data <condition>',
    text: 'with this value in data, for example invoice.amount>=1000, after.state=paid or error; may be repeated',
    read: several(dataCondition),
  },
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
  command.option('--time-zone <zone>', 'time zone of times without an offset in --query (default: UTC)');
  return command;
}

/** The fields of LogFilter that were given. */
export const filterOf = (options: Record<string, unknown>): LogFilter =>
  Object.fromEntries(
    Object.keys(FILTER_OPTIONS).flatMap((name) =>
      options[name] === undefined ? [] : [[name, options[name]]],
    ),
  );
