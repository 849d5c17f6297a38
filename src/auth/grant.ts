import { z } from 'zod';
import { type DisplayName, displayName } from './display-name.js';

/** What a Mentor grant covers: a whole account (tenant), or one of its clients. */
export const MENTOR_SCOPES = ['ACCOUNT', 'CLIENT'] as const;
export type MentorScope = (typeof MENTOR_SCOPES)[number];

export interface Grant {
  readonly action: string;
  readonly scope: MentorScope;
  readonly tenantId: string;
  /** Ignored for ACCOUNT; a CLIENT grant without one has no effect. */
  readonly clientId: string | null;
  readonly tenantName?: DisplayName;
  readonly clientName?: DisplayName;
}

/** Any RFC 9562 UUID, in upper or lower case; parsed to lower case. */
export const uuid = z.string().toLowerCase().pipe(z.guid());

/** A grant as in Mentor's responses and Guardian's tokens: `{action, scope, tenant_id, client_id, tenant_name, client_name}`. */
export const grantSchema = z
  .object({
    action: z.string().min(1),
    scope: z.enum(MENTOR_SCOPES),
    tenant_id: uuid,
    client_id: uuid.nullish(),
    tenant_name: displayName,
    client_name: displayName,
  })
  .transform(
    ({ action, scope, tenant_id, client_id, tenant_name, client_name }): Grant => ({
      action,
      scope,
      tenantId: tenant_id,
      clientId: client_id ?? null,
      ...(tenant_name !== undefined && { tenantName: tenant_name }),
      ...(client_name !== undefined && { clientName: client_name }),
    }),
  );

/** The inverse of grantSchema. */
export const grantToWire = ({ action, scope, tenantId, clientId, tenantName, clientName }: Grant) => ({
  action,
  scope,
  tenant_id: tenantId,
  client_id: clientId,
  tenant_name: tenantName,
  client_name: clientName,
});

/** Whether a grant has any effect, if only that its holder belongs to the tenant. */
export const isEffective = (grant: Grant): boolean => grant.scope === 'ACCOUNT' || grant.clientId !== null;

/** Names of the clients that the grants apply to, where a grant has one: the first does. */
export function clientNames(grants: readonly Grant[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const { clientId, clientName } of grants)
    if (clientId !== null && clientName !== undefined && !names.has(clientId))
      names.set(clientId, clientName);
  return names;
}
