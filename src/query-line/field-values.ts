import { readAddress } from './address.js';
import { shown } from './fault.js';
import { type FieldName, isTimeField, type Operator } from './fields.js';
import { type Item, readItem, type TermContext } from './items.js';
import { mendAddress, mendTime, mendWord } from './mend-value.js';
import { QUOTED } from './quote.js';
import {
  isLonger,
  MAX_RESOURCE_ID,
  MAX_VALUE,
  type QueryPrefix,
  type QueryText,
  type QueryValue,
} from './terms.js';
import { EXPECTED_TIME, readTime, type TimeContext } from './time.js';
import { ACTOR_TYPES, isStorable, ORIGINS, OUTCOMES, parseUuid, SEVERITIES } from './values.js';

/** The fields whose values are names of an enumeration. */
export const ENUMERATIONS = {
  severity: { words: SEVERITIES, fault: 'BAD_SEVERITY' },
  outcome: { words: OUTCOMES, fault: 'BAD_OUTCOME' },
  origin: { words: ORIGINS, fault: 'BAD_ORIGIN' },
  type: { words: ACTOR_TYPES, fault: 'BAD_ACTOR_TYPE' },
} as const;

const isEnumeration = (field: FieldName): field is keyof typeof ENUMERATIONS => field in ENUMERATIONS;

/** Fields whose unquoted values may end in `*`. */
const TAKES_PREFIX: ReadonlySet<FieldName> = new Set(['action', 'actor']);
const TAKES_NONE: ReadonlySet<FieldName> = new Set(['actor', 'client']);
const UUID_FIELDS: ReadonlySet<FieldName> = new Set(['client', 'id']);

interface ValueContext {
  readonly term: TermContext;
  readonly field: FieldName;
  readonly op: Operator;
  readonly times: TimeContext;
}

/** Reads one item of a field's value. Throws QueryLineError. */
export function readValue(item: Item, context: ValueContext): QueryValue {
  const { term, field } = context;
  if (field === 'resource') return readResource(item, term);
  const { text, isBare } = readItem(item.written, term);
  checkText(text, MAX_VALUE, term);
  if (isBare && text.toLowerCase() === 'none' && TAKES_NONE.has(field)) return { none: true };
  if (isEnumeration(field)) return readWord(item, text, field, context);
  if (isTimeField(field)) {
    const time = readTime(field, text, context.times);
    if (time) return time;
    const mend = mendTime(text);
    throw term.mended('BAD_TIME', `expected ${EXPECTED_TIME}, got ${shown(text)}`, item, mend);
  }
  if (field === 'ip') {
    const address = readAddress(text);
    if (address !== null) return { is: address };
    const message = `expected an IP address or a CIDR block, such as 10.0.0.0/8, got ${shown(text)}`;
    throw term.mended('BAD_ADDRESS', message, item, mendAddress(text));
  }
  if (UUID_FIELDS.has(field)) {
    const id = parseUuid(text);
    const expected = field === 'client' ? 'a client id (UUID) or none' : 'ids of entries (UUIDs)';
    if (id === null) throw term.error('BAD_UUID', `expected ${expected}, got ${shown(text)}`);
    return { is: id };
  }
  if (field === 'data') return readDataValue(item, text, isBare, context);
  const prefix = isBare ? readWildcard(text, term, TAKES_PREFIX.has(field)) : null;
  return prefix ?? { is: field === 'module' || field === 'action' ? text : (parseUuid(text) ?? text) };
}

function readWord(item: Item, text: string, field: keyof typeof ENUMERATIONS, { term }: ValueContext) {
  const { words, fault } = ENUMERATIONS[field];
  const word = words.find((each) => each === text.toUpperCase());
  if (word !== undefined) return { is: word };
  const message = `expected one of ${words.join(', ')}, got ${shown(text)}`;
  throw term.error(fault, message, mendWord(text, field, words, item, term));
}

function readDataValue(item: Item, text: string, isBare: boolean, { term, op }: ValueContext): QueryValue {
  if (!isBare) return { is: text };
  if (text === '*' && op === ':') return { exists: true };
  const operator = /^(?:>=|<=|>|<|=)/.exec(text)?.[0];
  if (operator !== undefined) {
    const message = `expected the value after the operator, as in \`data.amount>1000\`, got ${shown(text)}; put a value that begins so in quotes`;
    const head = { position: item.position - op.length, length: op.length + operator.length };
    const isPlain = op === ':' && item.position === term.valueStart;
    throw term.mended('BAD_OPERATOR', message, head, isPlain ? operator.replace(/^=$/, ':') : null);
  }
  readWildcard(text, term, false);
  return { is: text };
}

const RESOURCE_PART = new RegExp(`^(${QUOTED}|[^"/]*)(?:/(.*))?$`, 's');

/** A type, then behind the first `/` outside quotes an id. */
function readResource(item: Item, term: TermContext): QueryValue {
  const [, writtenType, writtenId] = RESOURCE_PART.exec(item.written) ?? [];
  // Neither a quoted text nor free of quotes: readItem says so.
  const type = readItem(writtenType ?? item.written, term);
  const id = writtenId === undefined ? null : readItem(writtenId, term);
  if (type.text === '' || id?.text === '')
    throw term.error(
      'BAD_RESOURCE',
      `expected a resource type, or type/id, got ${shown(item.written)}`,
      null,
    );
  checkText(type.text, MAX_VALUE, term);
  if (type.isBare) readWildcard(type.text, term, false);
  if (id === null) return { type: type.text };
  checkText(id.text, MAX_RESOURCE_ID, term);
  const prefix: QueryPrefix | null = id.isBare ? readWildcard(id.text, term, true) : null;
  return { type: type.text, id: prefix ?? ({ is: parseUuid(id.text) ?? id.text } satisfies QueryText) };
}

/** An unquoted value that ends in `*`; null for one without. */
function readWildcard(text: string, term: TermContext, isTaken: boolean): QueryPrefix | null {
  const at = text.indexOf('*');
  if (at < 0) return null;
  if (isTaken && at === text.length - 1) return { prefix: text.slice(0, -1) };
  const taken = 'only at the end of an action (users.*), an actor, or a resource id';
  throw term.error(
    'MISPLACED_WILDCARD',
    `expected * ${taken}, or alone after data.path:, got ${shown(text)}; in quotes it means itself`,
  );
}

export function checkText(text: string, max: number, term: TermContext): void {
  if (isLonger(text, max))
    throw term.error('VALUE_TOO_LONG', `expected at most ${max} characters in ${shown(text)}`);
  if (!isStorable(text)) throw term.error('BAD_CHARACTER', 'expected text without NUL or lone surrogates');
}
