import { type RawBuilder, sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { foldEmail, foldName } from '../entry/email.js';
import { OWN_MODULE } from '../entry/module-name.js';
import type { ErasedValues } from './erased-values.js';

/** What to erase: all entries in which a person acted or was acted for, by their id or e-mail address, or one entry. */
export type ErasureTarget = { actorId: string } | { email: string } | { entryId: string };

/** Whether the entry is one to be erased. `entry`: its row. */
export function isTarget(
  entry: RawBuilder<unknown>,
  tenantId: string,
  target: ErasureTarget,
): RawBuilder<boolean> {
  const which =
    'entryId' in target
      ? sql`${entry}.id = ${target.entryId}::uuid`
      : sql`(${isActor(entry, target)} or ${isActedFor(entry, target)})`;
  return sql<boolean>`${entry}.tenant_id = ${tenantId}::uuid and ${which}`;
}

/** Whether the person is the actor; of one entry, whoever it is. */
export function isActor(entry: RawBuilder<unknown>, target: ErasureTarget): RawBuilder<boolean> {
  if ('entryId' in target) return sql<boolean>`true`;
  if ('actorId' in target) return sql<boolean>`coalesce(${entry}.actor_id = ${target.actorId}, false)`;
  // An address may also stand for the name.
  return sql<boolean>`coalesce(${entry}.actor_email_folded = ${foldEmail(target.email)}
    or coalesce(${entry}.actor_name_folded, lower(${entry}.actor_name)) = ${foldName(target.email)}, false)`;
}

function isActedFor(entry: RawBuilder<unknown>, target: Exclude<ErasureTarget, { entryId: string }>) {
  if ('actorId' in target) return sql<boolean>`coalesce(${entry}.on_behalf_of_id = ${target.actorId}, false)`;
  const spellings = [target.email, foldEmail(target.email)];
  return sql<boolean>`coalesce(${entry}.on_behalf_of_name = any (${spellings}::text[])
    or lower(${entry}.on_behalf_of_name) = lower(${foldEmail(target.email)}), false)`;
}

/** What the record of the erasure says of the target: the id, but no e-mail address. */
export function targetResource(target: ErasureTarget): { resourceType: string; resourceId: string | null } {
  if ('entryId' in target) return { resourceType: 'log', resourceId: target.entryId };
  if ('actorId' in target) return { resourceType: 'actor', resourceId: target.actorId };
  return { resourceType: 'email', resourceId: null };
}

interface TargetRow {
  [column: string]: unknown;
  id: string;
  module: string;
  is_actor: boolean;
  actor_email: string | null;
  actor_name: string | null;
  ip_address: string | null;
  user_agent: string | null;
  on_behalf_of_name: string | null;
  resource_name: string | null;
  data: unknown;
}

/** What an entry holds of the person; of one entry, what stood in its data, since who it names stands in others, too. */
function addValues(values: ErasedValues, row: TargetRow, target: ErasureTarget): void {
  // What Reel itself recorded is what was asked, not of the person.
  if (row.module !== OWN_MODULE) {
    values.addContent(row.resource_name);
    values.addData(row.data);
  }
  if ('entryId' in target) return;
  if (!row.is_actor) {
    values.addIdentity(row.on_behalf_of_name);
    return;
  }
  values.addIdentity(row.actor_email);
  values.addIdentity(row.actor_name);
  values.addContent(row.ip_address);
  values.addContent(row.user_agent);
}

/** Adds what a page of the target's entries holds; returns the last id, null at the end. `where`: of rows named `e`. */
export async function addValuesOf(
  execute: Execute,
  values: ErasedValues,
  { tenantId, target }: { tenantId: string; target: ErasureTarget },
  { where, after, limit }: { where: RawBuilder<boolean>; after: string; limit: number },
): Promise<string | null> {
  const e = sql`e`;
  const rows = await execute<TargetRow>(sql`
    select e.id, e.module, ${isActor(e, target)} as is_actor, e.actor_email, e.actor_name, host(e.ip_address) as ip_address,
      e.user_agent, e.on_behalf_of_name, e.resource_name, e.data
    from reel_log_entries e
    where ${isTarget(e, tenantId, target)} and e.id > ${after}::uuid and ${where}
    order by e.id limit ${limit}`);
  for (const row of rows) addValues(values, row, target);
  return rows.length < limit ? null : rows.at(-1)!.id;
}
