import { FIELDS, type FieldName, type Operator } from './fields.js';
import { near } from './nearest.js';

/** What a name that is no field most likely means. */
export interface Meant {
  /** Null for a text. */
  readonly field: FieldName | null;
  readonly operator?: Operator;
  readonly negated?: true;
}

const field = (name: FieldName): Meant => ({ field: name });

/** Names of the APIs' filters and entries, and common ones of other query languages, without `_`, `-`, `.` and capitals. */
const MEANINGS: Readonly<Record<string, Meant | null>> = {
  event: field('action'),
  notmodules: { field: 'module', negated: true },
  notactions: { field: 'action', negated: true },
  level: field('severity'),
  minseverity: { field: 'severity', operator: '>=' },
  result: field('outcome'),
  user: field('actor'),
  username: field('actor'),
  useremail: field('actor'),
  userid: field('actor'),
  email: field('actor'),
  who: field('actor'),
  by: field('actor'),
  actorid: field('actor'),
  actorids: field('actor'),
  actoremail: field('actor'),
  actorname: field('actor'),
  notactorids: { field: 'actor', negated: true },
  actortype: field('type'),
  actortypes: field('type'),
  onbehalfof: field('behalf'),
  onbehalfofid: field('behalf'),
  onbehalfofname: null,
  resourcetype: field('resource'),
  resourceid: null,
  resourcename: null,
  clientid: field('client'),
  tenant: null,
  requestid: field('request'),
  traceid: field('request'),
  entryid: field('id'),
  ids: field('id'),
  address: field('ip'),
  ipaddress: field('ip'),
  notipaddress: { field: 'ip', negated: true },
  startdate: field('since'),
  from: field('since'),
  after: field('since'),
  enddate: field('until'),
  to: field('until'),
  before: field('until'),
  occurred: null,
  occurredfrom: field('occurred-since'),
  search: { field: null },
  text: { field: null },
  notsearch: { field: null, negated: true },
};

/** Which field a bound on a time means. */
const TIME_BOUNDS: Readonly<Record<string, { from: FieldName; to: FieldName }>> = {
  createdat: { from: 'since', to: 'until' },
  time: { from: 'since', to: 'until' },
  occurredat: { from: 'occurred-since', to: 'occurred-until' },
};

/** Without `data`, which names nothing by itself. */
const PLAIN_FIELDS = FIELDS.filter((name) => name !== 'data');

/** Null where several things can be meant; undefined for a name that says nothing. */
export function meaningOf(name: string, operator: string): Meant | null | undefined {
  const plain = name.toLowerCase().replace(/[_.-]/g, '');
  const bounds = Object.hasOwn(TIME_BOUNDS, plain) ? TIME_BOUNDS[plain] : undefined;
  if (bounds) {
    if (/^(?:>=?|=>)$/.test(operator)) return { field: bounds.from, operator: ':' };
    return /^(?:<=?|=<)$/.test(operator) ? { field: bounds.to, operator: ':' } : null;
  }
  if (Object.hasOwn(MEANINGS, plain)) return MEANINGS[plain] ?? null;
  const close = near(
    plain,
    PLAIN_FIELDS.map((each) => each.replace('-', '')),
  );
  const found = PLAIN_FIELDS.filter((each) => close.includes(each.replace('-', '')));
  return found[0] && (found.length === 1 ? field(found[0]) : null);
}
