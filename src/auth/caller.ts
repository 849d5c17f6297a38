import { type Credential, namedBy } from './credential.js';
import type { Reader } from './scope.js';

/** Where a call comes from. */
export type Connection = Pick<Caller, 'ip' | 'agent' | 'requestId'>;

/** Who calls, from where and for which tenant; made from an HTTP request by `src/request.ts`. */
export interface Caller {
  readonly credential: Credential | null;
  /** X-Tenant-Id; null where it is absent or the caller is not a person. */
  readonly tenantId: string | null;
  /** X-Client-Id; null where it is absent or the caller is not a person. */
  readonly clientId: string | null;
  /** null where the connection has none: a Unix socket, or one that is closed. */
  readonly ip: string | null;
  /** At most 1,000 characters. */
  readonly agent: string | null;
  readonly requestId: string;
  /** The Authorization header, unchanged. */
  readonly authorization: string | null;
}

/** The caller as the reader of entries. */
export const readerOf = ({ credential, ip, agent, requestId }: Caller): Reader => {
  const person = credential?.kind === 'person' ? credential : null;
  return {
    ...(person ? namedBy(person) : { id: null, email: null }),
    name: person?.name ?? null,
    ip,
    agent,
    requestId,
    ...(person ? { expiresAt: person.expiresAt } : {}),
  };
};

/** A caller for Reel's own log: `module:NAME`, `person:ID`, or `person` whose id would be an e-mail address; null for nobody. */
export function callerName({ credential }: Caller): string | null {
  if (credential === null) return null;
  if (credential.kind === 'module') return `module:${credential.module}`;
  const { id } = namedBy(credential);
  return id === null ? 'person' : `person:${id}`;
}

/**
 * On whose account a caller's work is done (time-slice.ts): the tenant's that it asks for, among those granted to
 * it, or alone may see; else its own.
 */
export function accountOf({ credential, tenantId }: Caller): string {
  if (credential === null) return '';
  if (credential.kind === 'module') return `module:${credential.module}`;
  const granted = new Set(credential.grants.map((grant) => grant.tenantId));
  if (tenantId !== null && granted.has(tenantId)) return tenantId;
  const [only] = granted;
  return granted.size === 1 && only ? only : `person:${credential.id}`;
}
