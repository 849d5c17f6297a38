import { z } from 'zod';

/** Where a Mentor grant holds: the whole account (tenant), or one client of it. */
export const MENTOR_SCOPES = ['ACCOUNT', 'CLIENT'] as const;
export type MentorScope = (typeof MENTOR_SCOPES)[number];

export interface Grant {
  readonly action: string;
  readonly scope: MentorScope;
  readonly tenantId: string;
  /** Means nothing at ACCOUNT; a CLIENT grant without one opens nothing. */
  readonly clientId: string | null;
}

/** Any RFC 9562 UUID, in any case; read in lower case. */
export const uuid = z.string().toLowerCase().pipe(z.guid());

/** A grant as Mentor and Guardian's tokens write it: `{action, scope, tenant_id, client_id}`. */
export const grantShape = z
  .object({
    action: z.string().min(1),
    scope: z.enum(MENTOR_SCOPES),
    tenant_id: uuid,
    client_id: uuid.nullish(),
  })
  .transform(
    ({ action, scope, tenant_id, client_id }): Grant => ({
      action,
      scope,
      tenantId: tenant_id,
      clientId: client_id ?? null,
    }),
  );

/** The reverse of grantShape. */
export const grantOnWire = ({ action, scope, tenantId, clientId }: Grant) => ({
  action,
  scope,
  tenant_id: tenantId,
  client_id: clientId,
});

/** Whether a grant opens anything at all, be it membership. */
export const opens = (grant: Grant): boolean => grant.scope === 'ACCOUNT' || grant.clientId !== null;
