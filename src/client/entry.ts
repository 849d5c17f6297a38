import type { Severity } from './actions.js';

/** Who acted. */
export interface Actor {
  id?: string | number | null;
  email?: string | null;
  name?: string | null;
  /** The default is USER where it has an id, an e-mail address or a name, else SYSTEM. */
  type?: 'USER' | 'SERVICE' | 'AGENT' | 'SYSTEM' | 'ANONYMOUS' | null;
  /** For whom. */
  onBehalfOf?: { id?: string | number | null; name?: string | null } | null;
}

/** What a request says of each entry made while it is answered. */
export interface RequestContext {
  /** A UUID. */
  tenantId?: string | null;
  /** A UUID. */
  clientId?: string | null;
  actor?: Actor | null;
  ipAddress?: string | null;
  userAgent?: string | null;
  requestId?: string | null;
}

/** What is recorded of an action. What it leaves out is taken from the request's context. */
export interface EntryFields extends RequestContext {
  /** The type is that of the action's definition where none is given. */
  resource?: { type?: string | null; id?: string | number | null; name?: string | null } | null;
  outcome?: 'SUCCESS' | 'FAILURE' | 'DENIED' | null;
  severity?: Severity;
  /** The default is now. */
  occurredAt?: Date | string;
  /** 1 to 200 characters; the default is a key of its own. An entry is stored once under its key. */
  idempotencyKey?: string;
}

/** An entry by the names of POST /logs/batch. */
export type WireEntry = Record<string, unknown>;

const text = (id: string | number | null | undefined) => (id == null ? id : String(id));

/** What an entry leaves out is the context's; of an entry made without any, the time is now. */
export function toWire(
  context: RequestContext,
  entry: EntryFields,
  resourceType: string | undefined,
): WireEntry {
  const { actor = context.actor, resource, occurredAt = new Date() } = entry;
  const wire: WireEntry = {
    outcome: entry.outcome,
    tenant_id: entry.tenantId ?? context.tenantId,
    client_id: entry.clientId ?? context.clientId,
    actor_id: text(actor?.id),
    actor_email: actor?.email,
    actor_name: actor?.name,
    actor_type: actor?.type,
    on_behalf_of_id: text(actor?.onBehalfOf?.id),
    on_behalf_of_name: actor?.onBehalfOf?.name,
    resource_type: resource?.type ?? (resource && resourceType),
    resource_id: text(resource?.id),
    resource_name: resource?.name,
    ip_address: entry.ipAddress ?? context.ipAddress,
    user_agent: entry.userAgent ?? context.userAgent,
    request_id: entry.requestId ?? context.requestId,
    occurred_at: occurredAt instanceof Date ? occurredAt.toISOString() : occurredAt,
  };
  if (entry.severity) wire.severity = entry.severity;
  return wire;
}
