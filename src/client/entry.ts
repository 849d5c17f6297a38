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

/** Adds to an entry what is said of it, and else what its context says. */
export function addFields(
  wire: WireEntry,
  { actor: contextActor, ...context }: RequestContext,
  { actor = contextActor, resource, data: _, ...fields }: EntryFields & { data?: unknown },
): void {
  const { onBehalfOf, ...who } = actor ?? {};
  const add = (prefix: string, values: object | null | undefined) => {
    for (const [name, value] of Object.entries(values ?? {}))
      if (value !== undefined) wire[prefix + snake(name)] = typeof value === 'number' ? String(value) : value;
  };
  add('', context);
  add('', fields);
  add('actor_', who);
  add('on_behalf_of_', onBehalfOf);
  add('resource_', resource);
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
