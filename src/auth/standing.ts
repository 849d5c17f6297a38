import { EXPORT, MANAGE_STREAMS, VIEW } from './actions.js';
import { clientNames, type Grant } from './grant.js';
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
  const holds = (action: string, clientId: string | null) =>
    grants.some((grant) => grant.action === action && isFor(grant, clientId));
  const names = clientNames(grants);
  const clients = new Set(grants.flatMap(({ scope, clientId }) => (scope === 'CLIENT' && clientId) || []));
  const viewsAll = holds(VIEW, null);
  return {
    id: tenantId,
    name: tenantName ?? null,
    mayView: grants.some(({ action }) => action === VIEW),
    mayManageStreams: holds(MANAGE_STREAMS, null),
    clients: byName(
      [...clients].map((id) => ({
        id,
        name: names.get(id) ?? null,
        mayView: viewsAll || holds(VIEW, id),
        mayExport: holds(EXPORT, id),
      })),
    ),
  };
}

/** Whether a grant is for this client, or for the whole tenant (null). */
const isFor = ({ scope, clientId }: Grant, client: string | null): boolean =>
  client === null ? scope === 'ACCOUNT' : scope === 'CLIENT' && clientId === client;

const { compare } = new Intl.Collator('und');

/** In the order of names; what has none is ordered by its id. */
export const byName = <T extends { readonly id: string; readonly name: string | null }>(
  items: readonly T[],
): T[] => items.toSorted((a, b) => compare(a.name ?? a.id, b.name ?? b.id) || (a.id < b.id ? -1 : 1));
