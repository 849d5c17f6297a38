import { type Credential, namedBy } from './credential.js';
import type { Reader } from './scope.js';

/** Where a call comes from. */
export type Connection = Pick<Caller, 'ip' | 'agent' | 'requestId'>;

/** Who calls, from where, for which tenant. `src/request.ts` makes it of an HTTP request. */
export interface Caller {
  readonly credential: Credential | null;
  /** X-Tenant-Id; null where it is absent or the caller is no person. */
  readonly tenantId: string | null;
  /** X-Client-Id; null where it is absent or the caller is no person. */
  readonly clientId: string | null;
  /** null where the connection has none, as over a socket file or once it is closed. */
  readonly ip: string | null;
  /** At most 1,000 characters. */
  readonly agent: string | null;
  readonly requestId: string;
  /** The Authorization header as it came. */
  readonly authorization: string | null;
}

/** The caller as one who looks. */
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
