import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { OWN_MODULE } from '../entry/module-name.js';
import { READ_ACTIONS } from '../read-audit.js';
import type { ErasedValues } from './erased-values.js';

/** Keys of a record, and fields of its conditions, whose values are names of the trade and no one's own. */
const IMPERSONAL: ReadonlySet<string> = new Set([
  ...[
    'door',
    'step',
    'command',
    'field',
    'format',
    'filename',
    'exportId',
    'kind',
    'orderBy',
    'timeZone',
    'clientId',
  ],
  ...['start', 'end', 'startDate', 'endDate', 'occurredFrom', 'occurredUntil'],
  ...['module', 'modules', 'notModules', 'action', 'actions', 'notActions', 'resourceType'],
  ...['severity', 'severities', 'minSeverity', 'origin', 'outcome', 'outcomes', 'actorType', 'actorTypes'],
]);

/** One term of a query line, without its field's name and operator. */
const TERM = /-?(?:[\w.[\]*-]+(?:>=|<=|:|>|<))?("(?:[^"\\]|\\.)*"|[^\s",]+)/g;

/** Begin the actions of records of what became of streams and views, whose names and query lines are what somebody typed. */
const [STREAM_RECORDS, VIEW_RECORDS] = ['reel.streams.', 'reel.views.'];

/** Everything that a record says of what was asked. */
export function* textsOf(said: unknown, key = ''): Generator<string> {
  if (typeof said === 'string') {
    yield said;
    if (key === 'query') for (const [, value = ''] of said.matchAll(TERM)) yield value;
  } else if (Array.isArray(said)) {
    for (const each of said) yield* textsOf(each, key);
  } else if (typeof said === 'object' && said !== null) {
    if ('field' in said && IMPERSONAL.has(String(said.field))) return;
    for (const [name, each] of Object.entries(said)) if (!IMPERSONAL.has(name)) yield* textsOf(each, name);
  }
}

/** A page of the tenant's records of reading, streams and views that are not erased, in order, and those of them that name one of the values. */
export async function readRecordsNaming(
  execute: Execute,
  tenantId: string,
  values: ErasedValues,
  { after, limit }: { after: string; limit: number },
): Promise<{ named: string[]; last: string | null }> {
  const rows = await execute<{ id: string; resource_name: string | null; data: unknown }>(sql`
    select id, resource_name, data from reel_log_entries
    where tenant_id = ${tenantId}::uuid and module = ${OWN_MODULE}
      and (action = any (${Object.values(READ_ACTIONS)}::text[]) or starts_with(action, ${STREAM_RECORDS})
        or starts_with(action, ${VIEW_RECORDS}))
      and id > ${after}::uuid and erased_at is null
    order by id limit ${limit}`);
  const named = rows.filter(({ resource_name, data }) => {
    for (const text of textsOf([resource_name, data])) if (values.isNamedIn(text)) return true;
    return false;
  });
  return {
    named: named.map(({ id }) => id),
    last: rows.length < limit ? null : rows.at(-1)!.id,
  };
}
