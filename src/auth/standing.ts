import { EXPORT, MANAGE_STREAMS, VIEW } from './actions.js';
import { clientNames } from './grant.js';
import type { TenantAccess } from './mentor.js';

/** What a person may do in a tenant that they belong to. */
export interface TenantStanding {
  readonly id: string;
  readonly name: string | null;
  /** Whether `reel.logs.view` is granted there, at either scope. */
  readonly mayView: boolean;
  readonly mayManageStreams: boolean;
  /** Clients that any grant applies to. */
  readonly clients: readonly ClientStanding[];
}

export interface ClientStanding {
  readonly id: string;
  readonly name: string | null;
  readonly mayView: boolean;
  readonly mayExport: boolean;
}

/** null where the person does not belong to the tenant. */
export function standingIn(
  tenantId: string,
  { grants, member, tenantName }: TenantAccess,
): TenantStanding | null {
  if (!member && grants.length === 0) return null;
  const names = clientNames(grants);
  const wholly = new Set(grants.flatMap(({ action, scope }) => (scope === 'ACCOUNT' ? action : [])));
  const clients = new Map<string, Set<string>>();
  for (const { action, scope, clientId } of grants)
    if (scope === 'CLIENT' && clientId !== null)
      clients.set(clientId, (clients.get(clientId) ?? new Set()).add(action));
  return {
    id: tenantId,
    name: tenantName ?? null,
    mayView: grants.some(({ action }) => action === VIEW),
    mayManageStreams: wholly.has(MANAGE_STREAMS),
    clients: byName(
      [...clients].map(([id, actions]) => ({
        id,
        name: names.get(id) ?? null,
        mayView: wholly.has(VIEW) || actions.has(VIEW),
        mayExport: actions.has(EXPORT),
      })),
    ),
  };
}

const { compare } = new Intl.Collator('und');

/** In the order of names; what has none is ordered by its id. */
export const byName = <T extends { readonly id: string; readonly name: string | null }>(
  items: readonly T[],
): T[] => items.toSorted((a, b) => compare(a.name ?? a.id, b.name ?? b.id) || (a.id < b.id ? -1 : 1));
