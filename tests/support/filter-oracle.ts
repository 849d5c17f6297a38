import ipaddr from 'ipaddr.js';
import { SEVERITIES } from '../../src/log/entry/severity.js';
import type { DataCondition } from '../../src/log/filter/data-condition.js';
import type { LogFilter } from '../../src/log/filter/log-filter.js';

/** What a filter asks of an entry, as its JSON shows it. */
export interface Shown {
  id: string;
  module: string;
  action: string;
  severity: string;
  origin: string;
  actorId: string | null;
  actorEmail: string | null;
  actorName: string | null;
  actorType: string;
  onBehalfOfId: string | null;
  outcome: string | null;
  resourceType: string | null;
  resourceId: string | null;
  clientId: string | null;
  requestId: string | null;
  ipAddress: string | null;
  data: Record<string, unknown> | null;
  occurredAt: string;
  createdAt: string;
}

const begins = (pattern: string, value: string | null): boolean =>
  value !== null && (pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : value === pattern);
const isUuid = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
const sameId = (wanted: string, value: string | null) =>
  value !== null && (isUuid(wanted) ? value === wanted.toLowerCase() : value === wanted);
const anyCase = (text: string) => text.normalize('NFKC').toLowerCase();

/** Whether an entry matches, one condition after another as the contract words them; the free texts are left to others. */
export function isMatch(filter: LogFilter, entry: Shown): boolean {
  const all = <T>(given: T | null | undefined, holds: (value: T) => boolean) => given == null || holds(given);
  const any = <T>(list: readonly T[] | null | undefined, holds: (value: T) => boolean) =>
    !list?.length || list.some(holds);
  const none = <T>(list: readonly T[] | null | undefined, holds: (value: T) => boolean) => !list?.some(holds);
  const actor = (wanted: string) =>
    wanted.endsWith('*') ? begins(wanted, entry.actorId) : sameId(wanted, entry.actorId);
  const grade = (severity: string) => (SEVERITIES as readonly string[]).indexOf(severity);
  return (
    all(filter.startDate, (at) => entry.createdAt >= at) &&
    all(filter.endDate, (at) => entry.createdAt <= at) &&
    any(filter.modules, (name) => entry.module === name) &&
    none(filter.notModules, (name) => entry.module === name) &&
    any(filter.actions, (pattern) => begins(pattern, entry.action)) &&
    none(filter.notActions, (pattern) => begins(pattern, entry.action)) &&
    any(filter.severities, (severity) => entry.severity === severity) &&
    all(filter.minSeverity, (least) => grade(entry.severity) >= grade(least)) &&
    all(filter.origin, (origin) => entry.origin === origin) &&
    all(filter.occurredFrom, (at) => entry.occurredAt >= at) &&
    all(filter.occurredUntil, (at) => entry.occurredAt <= at) &&
    any(filter.ids, (id) => entry.id === id) &&
    any(filter.actorIds, actor) &&
    none(filter.notActorIds, actor) &&
    all(filter.actorEmail, (email) => anyCase(entry.actorEmail ?? '') === anyCase(email)) &&
    all(filter.actorName, (name) => anyCase(entry.actorName ?? '') === anyCase(name)) &&
    any(filter.actorTypes, (type) => entry.actorType === type) &&
    all(filter.onBehalfOfId, (id) => sameId(id, entry.onBehalfOfId)) &&
    any(filter.outcomes, (outcome) => entry.outcome === outcome) &&
    all(filter.resourceType, (type) => entry.resourceType === type) &&
    all(filter.resourceId, (id) => sameId(id, entry.resourceId)) &&
    all(filter.clientId, (id) => entry.clientId === id) &&
    all(filter.requestId, (id) => sameId(id, entry.requestId)) &&
    all(filter.ipAddress, (block) => isWithin(entry.ipAddress, block)) &&
    all(filter.notIpAddress, (block) => !isWithin(entry.ipAddress, block)) &&
    (filter.data ?? []).every((condition) => meets(condition, entry.data))
  );
}

/** `block`: an address in any spelling or a CIDR block, an IPv4-mapped one the same as the IPv4 one. */
export function isWithin(address: string | null, block: string): boolean {
  if (address === null) return false;
  const plain = ipaddr.process(address);
  const [given = '', bits] = block.replace(/^\[(.*)\](:\d+)?$/, '$1').split('/');
  const bare = given.split('%')[0]!.replace(/^([\d.]+):\d+$/, '$1');
  if (bits === undefined) return plain.toNormalizedString() === ipaddr.process(bare).toNormalizedString();
  const base = ipaddr.parse(bare);
  if (base.kind() === plain.kind()) return plain.match(base as never, Number(bits));
  // A block of IPv6 that holds mapped addresses holds IPv4 ones under their mapped form.
  return false;
}

/** Whether data has a value that meets a condition on one. */
function meets({ path, op = 'EQ', value }: DataCondition, data: unknown): boolean {
  const found = valuesAt(data, keysOf(path));
  switch (op) {
    case 'EXISTS':
      return found.length > 0;
    case 'NE':
      return !found.some((each) => compare(each, value!) === 0);
    case 'EQ':
      return found.some((each) => compare(each, value!) === 0);
    case 'GT':
      return found.some((each) => hasOrder(each) && compare(each, value!)! > 0);
    case 'GE':
      return found.some((each) => hasOrder(each) && compare(each, value!)! >= 0);
    case 'LT':
      return found.some((each) => hasOrder(each) && compare(each, value!)! < 0);
    case 'LE':
      return found.some((each) => hasOrder(each) && compare(each, value!)! <= 0);
  }
}

/** `a."b c"[*]` as a, b c, and null for any item. The paths of the tests have no escapes. */
function keysOf(path: string): (string | null)[] {
  return [...path.matchAll(/"([^"]*)"|(\[\*\])|([\w-]+)/g)].map(([, quoted, items, bare]) =>
    items ? null : (quoted ?? bare)!,
  );
}

function valuesAt(value: unknown, [key, ...rest]: (string | null)[]): unknown[] {
  if (key === undefined) return [value];
  if (key === null) return Array.isArray(value) ? value.flatMap((item) => valuesAt(item, rest)) : [];
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && Object.hasOwn(value, key) ? valuesAt((value as Record<string, unknown>)[key], rest) : [];
}

const hasOrder = (value: unknown) => typeof value === 'number' || typeof value === 'string';

/** Below, at or above 0; null where there is nothing to compare. */
function compare(stored: unknown, wanted: string): number | null {
  if (typeof stored === 'object' && stored !== null) return null;
  if (typeof stored === 'number' && /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(wanted))
    return Math.sign(stored - (Number(wanted) || tiny(wanted))) || 0;
  return Buffer.compare(Buffer.from(plain(stored)), Buffer.from(wanted));
}

/** What is not 0, but nearer to it than any double, as the double next to 0. */
const tiny = (wanted: string): number =>
  /^[-0.]*[1-9]/.test(wanted) ? (wanted.startsWith('-') ? -Number.MIN_VALUE : Number.MIN_VALUE) : 0;

/** The text of a value: a number's in plain form. */
const plain = (value: unknown): string => (value === 1e-7 ? '0.0000001' : String(value));
