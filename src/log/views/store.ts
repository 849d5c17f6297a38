import { sql } from 'kysely';
import type { Execute, Row } from '../../database/execute.js';
import { instant } from '../entry/instant.js';
import type { LogOrder } from '../read/page.js';
import type { SavedView } from './saved-view.js';

interface ViewRow extends Row {
  id: string;
  owner_id: string;
  shared: boolean;
  name: string;
  query: string;
  range: string | null;
  from_at: string | null;
  to_at: string | null;
  columns: string[];
  order_by: LogOrder;
  updated_at: string;
}

const COLUMNS = sql.raw(
  'id, owner_id, shared, name, query, range, from_at::text as from_at, to_at::text as to_at, columns, order_by, updated_at::text as updated_at',
);

const toView = (row: ViewRow): SavedView => ({
  id: row.id,
  name: row.name,
  shared: row.shared,
  ownerId: row.owner_id,
  query: row.query,
  range: row.range,
  from: row.from_at === null ? null : instant(row.from_at),
  to: row.to_at === null ? null : instant(row.to_at),
  columns: row.columns,
  orderBy: row.order_by,
  updatedAt: instant(row.updated_at),
});

/** Until the transaction ends, nobody else changes the tenant's views. */
export const lockViews = (execute: Execute, tenantId: string): Promise<Row[]> =>
  execute(sql`select pg_advisory_xact_lock(hashtextextended(${`reel_views/${tenantId}`}, 0))`);

/** Those that a person sees, by name. */
export async function readViews(execute: Execute, tenantId: string, ownerId: string): Promise<SavedView[]> {
  const rows = await execute<ViewRow>(sql`
    select ${COLUMNS} from reel_views where tenant_id = ${tenantId}::uuid and (shared or owner_id = ${ownerId})
    order by name, id`);
  return rows.map(toView);
}

export async function readView(execute: Execute, tenantId: string, id: string): Promise<SavedView | null> {
  const [row] = await execute<ViewRow>(sql`
    select ${COLUMNS} from reel_views where tenant_id = ${tenantId}::uuid and id = ${id}::uuid`);
  return row ? toView(row) : null;
}

/** How many others a person has, and how many others are shared in the tenant. */
export async function countOtherViews(
  execute: Execute,
  tenantId: string,
  { id, ownerId }: Pick<SavedView, 'id' | 'ownerId'>,
): Promise<{ owned: number; shared: number }> {
  const [row] = await execute<{ owned: string; shared: string }>(sql`
    select count(*) filter (where owner_id = ${ownerId}) as owned, count(*) filter (where shared) as shared
    from reel_views where tenant_id = ${tenantId}::uuid and id <> ${id}::uuid`);
  return { owned: Number(row?.owned ?? 0), shared: Number(row?.shared ?? 0) };
}

/** Makes the view, or puts it in place of the one of its id, whose owner stays. */
export const writeView = (
  execute: Execute,
  tenantId: string,
  view: Omit<SavedView, 'updatedAt'>,
): Promise<Row[]> =>
  execute(sql`
    insert into reel_views (tenant_id, id, owner_id, shared, name, query, range, from_at, to_at, columns, order_by, updated_at)
    values (${tenantId}::uuid, ${view.id}::uuid, ${view.ownerId}, ${view.shared}, ${view.name}, ${view.query}, ${view.range},
      ${view.from}::timestamptz, ${view.to}::timestamptz, ${JSON.stringify(view.columns)}::jsonb, ${view.orderBy},
      ${new Date().toISOString()}::timestamptz)
    on conflict (tenant_id, id) do update set shared = excluded.shared, name = excluded.name, query = excluded.query,
      range = excluded.range, from_at = excluded.from_at, to_at = excluded.to_at, columns = excluded.columns,
      order_by = excluded.order_by, updated_at = excluded.updated_at`);

export const deleteView = (execute: Execute, tenantId: string, id: string): Promise<Row[]> =>
  execute(sql`delete from reel_views where tenant_id = ${tenantId}::uuid and id = ${id}::uuid`);
