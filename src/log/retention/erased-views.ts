import { sql } from 'kysely';
import type { Execute, Row } from '../../database/execute.js';
import { foldEmail } from '../entry/email.js';
import { lockViews } from '../views/store.js';
import { withoutErased } from './erased-streams.js';
import type { ErasedValues } from './erased-values.js';
import type { ErasureTarget } from './erasure-target.js';

const ERASED_NAME = '(erased)';

interface NamedView extends Row {
  id: string;
  name: string;
  query: string;
  columns: string[];
}

/** Takes the values out of names, query lines and columns of the tenant's saved views, as out of streams. */
export async function eraseFromViews(
  execute: Execute,
  tenantId: string,
  values: ErasedValues,
): Promise<void> {
  await lockViews(execute, tenantId);
  const views = await execute<NamedView>(
    sql`select id, name, query, columns from reel_views where tenant_id = ${tenantId}::uuid`,
  );
  for (const { id, name, query, columns } of views) {
    const cleanName = values.isNamedIn(name) ? ERASED_NAME : name;
    const cleanQuery = withoutErased(query, values);
    const cleanColumns = columns.filter((column) => !values.isNamedIn(column));
    if (cleanName !== name || cleanQuery !== query || cleanColumns.length < columns.length)
      await execute(sql`
        update reel_views set name = ${cleanName}, query = ${cleanQuery}, columns = ${JSON.stringify(cleanColumns)}::jsonb
        where tenant_id = ${tenantId}::uuid and id = ${id}::uuid`);
  }
}

/** Removes the views that a person keeps for themselves, and takes them from those that they share. */
export async function eraseViewsOf(execute: Execute, tenantId: string, target: ErasureTarget): Promise<void> {
  if ('entryId' in target) return;
  const owner = 'actorId' in target ? target.actorId : foldEmail(target.email);
  await lockViews(execute, tenantId);
  await execute(sql`
    delete from reel_views where tenant_id = ${tenantId}::uuid and owner_id = ${owner} and not shared`);
  await execute(sql`
    update reel_views set owner_id = '' where tenant_id = ${tenantId}::uuid and owner_id = ${owner}`);
}
