import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Execute, Row } from '../../database/execute.js';
import { printDataPath } from '../../query-line/data-path.js';
import type { FieldName } from '../../query-line/fields.js';
import { parseQueryLine } from '../../query-line/parse.js';
import { printQueryLine } from '../../query-line/print.js';
import type { QueryTerm, QueryValue } from '../../query-line/terms.js';
import { lockStreams } from '../stream-lock.js';
import type { ErasedValues } from './erased-values.js';

/** Fields whose values are those of people, or may be; the others are names of the trade, and ids, which stay. */
const PERSONAL: ReadonlySet<FieldName | null> = new Set([null, 'actor', 'resource', 'ip', 'data']);
const ERASED_NAME = '(erased)';
/** Settings whose values are words of those who make the receiver. */
const IMPERSONAL_SETTINGS: ReadonlySet<string> = new Set([
  'region',
  'site',
  'sourcetype',
  'encoding',
  'compression',
  'signing',
]);

interface NamedStream extends Row {
  id: string;
  name: string;
  query: string;
  settings: Record<string, unknown>;
}

/**
 * Takes the values out of names and query lines of the tenant's streams. What a stream delivers does not become more by it: a
 * condition on nothing but erased values matches nothing afterwards, as it does once they are erased. Such a stream begins a
 * new run, since a batch must not have another content under the same id. Answers the ids of streams whose settings name one of
 * the values: those say where entries go, and are for people to change.
 */
export async function eraseFromStreams(
  execute: Execute,
  tenantId: string,
  values: ErasedValues,
): Promise<string[]> {
  await lockStreams(execute, tenantId);
  const streams = await execute<NamedStream>(
    sql`select id, name, query, settings from reel_streams where tenant_id = ${tenantId}::uuid`,
  );
  for (const { id, name, query } of streams) {
    const cleanName = values.isNamedIn(name) ? ERASED_NAME : name;
    const cleanQuery = withoutErased(query, values);
    if (cleanName !== name)
      await execute(sql`
        update reel_streams set name = ${cleanName} where tenant_id = ${tenantId}::uuid and id = ${id}::uuid`);
    if (cleanQuery !== query)
      await execute(sql`
        update reel_streams set query = ${cleanQuery}, run = run + 1, previous = position, pending_last = null, pending_size = null
        where tenant_id = ${tenantId}::uuid and id = ${id}::uuid`);
  }
  return streams.filter(({ settings }) => isNamedInSettings(settings, values)).map(({ id }) => id);
}

/** Header names, too; header values are secrets, which nobody reads here. */
function isNamedInSettings(settings: Readonly<Record<string, unknown>>, values: ErasedValues): boolean {
  return Object.entries(settings)
    .filter(([name]) => !IMPERSONAL_SETTINGS.has(name))
    .flatMap(([, value]) => textsIn(value))
    .some((text) => values.isNamedInAddress(decoded(text)));
}

const textsIn = (value: unknown): string[] => {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
};

/** As an address says it that is part of a URL. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Takes away what receivers of the tenant's streams said of entries, but for statuses and the errors' names: it may name whom they name. */
export async function eraseAnswers(execute: Execute, tenantId: string): Promise<void> {
  await execute(sql`
    update reel_streams set attempts = '[]', last_error = substring(last_error from '^[0-9A-Z_]+')
    where tenant_id = ${tenantId}::uuid`);
  await execute(sql`
    update reel_stream_parked set reason = coalesce(substring(reason from '^[0-9A-Z_]+'), '')
    where tenant_id = ${tenantId}::uuid`);
}

/** A word that no entry has. */
const unmatched = (): QueryTerm => ({
  position: 0,
  length: 0,
  field: null,
  negated: false,
  op: ':',
  values: [{ is: `erased-${randomBytes(8).toString('hex')}` }],
});

/** The query line without the values; the same where it names none of them. */
export function withoutErased(query: string, values: ErasedValues): string {
  let terms: readonly QueryTerm[];
  try {
    ({ terms } = parseQueryLine(query, { now: new Date() }));
  } catch {
    // Kept by an earlier release, whose lines were read otherwise.
    return values.isNamedIn(query) ? printQueryLine([unmatched()]) : query;
  }
  const kept = terms.flatMap((term) => withoutErasedValues(term, values));
  const line =
    kept.every((term, index) => term === terms[index]) && kept.length === terms.length
      ? query
      : printQueryLine(kept);
  // Several texts may name a person together.
  const texts = kept.filter(({ field }) => field === null);
  const together = texts.flatMap((term) => term.values.map(textOf)).join(' ');
  return texts.length > 1 && values.isNamedIn(together)
    ? printQueryLine([...kept.filter(({ field }) => field !== null), unmatched()])
    : line;
}

function withoutErasedValues(term: QueryTerm, values: ErasedValues): QueryTerm[] {
  if (!PERSONAL.has(term.field)) return [term];
  const isPathNamed = term.path !== undefined && values.isNamedIn(printDataPath(term.path));
  const left = isPathNamed ? [] : term.values.filter((value) => !values.isNamedIn(textOf(value)));
  if (left.length === term.values.length) return [term];
  if (left.length > 0) return [{ ...term, values: left }];
  // Not being what nothing is any more is true of everything.
  return term.negated ? [] : [unmatched()];
}

function textOf(value: QueryValue): string {
  if ('is' in value) return value.is;
  if ('prefix' in value) return value.prefix;
  if ('type' in value) {
    const { id } = value;
    return id === null || id === undefined ? '' : 'prefix' in id ? id.prefix : id.is;
  }
  return '';
}
