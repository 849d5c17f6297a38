import { z } from 'zod';

/** What a Mentor grant covers: a whole account (tenant), or one of its clients. */
export const MENTOR_SCOPES = ['ACCOUNT', 'CLIENT'] as const;
export type MentorScope = (typeof MENTOR_SCOPES)[number];

export interface Grant {
  readonly action: string;
  readonly scope: MentorScope;
  readonly tenantId: string;
  /** Ignored for ACCOUNT; a CLIENT grant without one has no effect. */
  readonly clientId: string | null;
}

/** Any RFC 9562 UUID, in upper or lower case; parsed to lower case. */
export const uuid = z.string().toLowerCase().pipe(z.guid());

/** A grant as in Mentor's responses and Guardian's tokens: `{action, scope, tenant_id, client_id}`. */
export const grantSchema = z
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

/** The inverse of grantSchema. */
export const grantToWire = ({ action, scope, tenantId, clientId }: Grant) => ({
  action,
  scope,
  tenant_id: tenantId,
  client_id: clientId,
});

/** Whether a grant has any effect, if only that its holder belongs to the tenant. */
export const isEffective = (grant: Grant): boolean => grant.scope === 'ACCOUNT' || grant.clientId !== null;
