import { sql } from 'kysely';
import type { Scope } from '../../auth/scope.js';
import type { Execute } from '../../database/execute.js';
import { ACTOR_KEYS, type ActorKey } from '../counts/stored-counts.js';
import { whereInScope } from '../filter/where.js';

/** Of one actor so many of the newest entries are looked at for a name. */
const NEWEST = 500;

/**
 * The newest name of each actor, else the newest e-mail address, among entries in scope; none where nothing is known.
 * `keys` says what each key is. Erased entries name nobody.
 */
export async function actorLabels(
  execute: Execute,
  scope: Scope,
  keys: ReadonlyMap<string, ActorKey>,
): Promise<Map<string, string>> {
  const labels = new Map<string, string>();
  const ofKind = (kind: ActorKey) => [...keys].flatMap(([key, each]) => (each === kind ? [key] : []));
  for (const name of ofKind(ACTOR_KEYS.name)) labels.set(name, name);
  const lookUps = [
    newestNames(scope, ofKind(ACTOR_KEYS.id), 'actor_id'),
    newestNames(scope, ofKind(ACTOR_KEYS.email), 'actor_email_folded'),
  ];
  for (const lookUp of lookUps)
    for (const { key, label } of await execute<{ key: string; label: string }>(lookUp))
      labels.set(key, label);
  return labels;
}

/**
 * One walk for each key along the column's index, which a range of one value and the order make the only one that fits,
 * whatever the planner knows of the table.
 */
const newestNames = (scope: Scope, keys: readonly string[], name: string) => {
  const [column, label] = [sql.ref(name), sql`coalesce(actor_name, actor_email)`];
  return sql`
    select key, found.label from unnest(${keys}::text[]) key
    cross join lateral (
      select ${label} as label from (
        select tenant_id, client_id, id, ${column}, actor_name, actor_email from reel_log_entries
        where ${whereInScope({ ...scope, clients: null })} and ${column} >= key and ${column} <= key
        order by ${column} desc, id desc limit ${NEWEST}
      ) newest where ${whereInScope(scope)} and ${label} is not null order by ${column} desc, id desc limit 1
    ) found`;
};
