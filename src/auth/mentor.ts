import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { ReelError, unauthenticated, unavailable } from '../errors.js';
import type { PersonCredential } from './credential.js';
import { type DisplayName, displayName } from './display-name.js';
import { type Grant, grantSchema, isEffective } from './grant.js';
import { readBody } from './response-body.js';

/** A person's grants in one tenant, and whether the person is a plain member of it. */
export interface TenantAccess {
  readonly grants: readonly Grant[];
  readonly member: boolean;
  readonly tenantName?: DisplayName;
}

/** The person whose grants are asked for, with the Authorization header of the request. */
export interface Requester {
  readonly person: PersonCredential;
  readonly authorization: string;
}

/** The part of Mentor that Reel needs. */
export interface MentorPort {
  /** The tenants that a person belongs to; null where they cannot be listed and each call must name its tenant. */
  tenants(person: PersonCredential): readonly string[] | null;
  /** Only the grants of `tenantId` that have an effect. Errors: UNAUTHENTICATED, UNAVAILABLE; it never fails open. */
  standing(requester: Requester, tenantId: string): Promise<TenantAccess>;
}

const inTenant = (grants: readonly Grant[], tenantId: string): Grant[] =>
  grants.filter((grant) => grant.tenantId === tenantId && isEffective(grant));

/** `tenantName` is the membership's; else the first grant that has one names the tenant. */
function accessOf(grants: readonly Grant[], member: boolean, name: DisplayName): TenantAccess {
  const tenantName = name ?? grants.find((grant) => grant.tenantName !== undefined)?.tenantName;
  return { grants, member, ...(tenantName !== undefined && { tenantName }) };
}

/** The tenants that a person's token names, with what has an effect. */
export const tenantsInToken = ({ grants, tenants }: PersonCredential): string[] => [
  ...new Set([...grants.filter(isEffective).map(({ tenantId }) => tenantId), ...tenants.map(({ id }) => id)]),
];

/** Takes grants and memberships from the claims of the person's token. */
export const claimsMentor: MentorPort = {
  tenants: tenantsInToken,
  standing: async ({ person }, tenantId) => {
    const grants = inTenant(person.grants, tenantId);
    const memberships = person.tenants.filter(({ id }) => id === tenantId);
    return accessOf(grants, memberships.length > 0, memberships.find(({ name }) => name !== undefined)?.name);
  },
};

const TIMEOUT_MS = 2_000;
const CACHE_MS = 30_000;
const MAX_BYTES = 1024 * 1024;
const CACHED_LOOKUPS = 10_000;
const CACHED_GRANTS = 200_000;
const NO_ACCESS: TenantAccess = { grants: [], member: false };

const responseShape = z.object({
  grants: z.array(grantSchema),
  member: z.boolean().optional(),
  tenant_name: displayName,
});

export interface HttpMentorOptions {
  /** Milliseconds for one request, its response's body included. */
  readonly timeoutMs?: number;
  /** A monotonic clock in milliseconds. */
  readonly now?: () => number;
  /** Told why Mentor counted as unavailable. */
  readonly onFault?: (error: unknown) => void;
}

/**
 * Asks `GET url?tenant_id=…` with the person's own Authorization. Responses are cached for 30 s by token and tenant;
 * failures are not. Concurrent calls with the same token and tenant share one request.
 */
export function httpMentor(url: string, options: HttpMentorOptions = {}): MentorPort {
  const { timeoutMs = TIMEOUT_MS, now = () => performance.now(), onFault = () => {} } = options;
  const pending = new Map<string, Promise<TenantAccess>>();
  const cache = new LRUCache<string, TenantAccess>({
    max: CACHED_LOOKUPS,
    maxSize: CACHED_GRANTS,
    sizeCalculation: ({ grants }) => 1 + grants.length,
    ttl: CACHE_MS,
    ttlResolution: 0,
    perf: { now },
  });

  return {
    tenants: () => null,
    async standing({ person, authorization }, tenantId) {
      const key = `${tenantId} ${createHash('sha256').update(person.token).digest('base64')}`;
      const cached = cache.get(key);
      if (cached) return cached;
      let request = pending.get(key);
      if (!request) {
        request = fetchAccess(url, authorization, tenantId, timeoutMs, onFault)
          .then((access) => {
            cache.set(key, access);
            return access;
          })
          .finally(() => pending.delete(key));
        pending.set(key, request);
      }
      return request;
    },
  };
}

async function fetchAccess(
  url: string,
  authorization: string,
  tenantId: string,
  timeoutMs: number,
  onFault: (error: unknown) => void,
): Promise<TenantAccess> {
  const address = new URL(url);
  address.searchParams.set('tenant_id', tenantId);
  try {
    const response = await fetch(address, {
      headers: { authorization, accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.status === 200) return parseAccess(await readBody(response, MAX_BYTES), tenantId);
    await response.body?.cancel();
    if (response.status === 401) throw unauthenticated();
    if (response.status === 403 || response.status === 404) return NO_ACCESS;
    throw new Error(`expected status 200, 401, 403 or 404, got ${response.status}`);
  } catch (error) {
    if (error instanceof ReelError) throw error;
    onFault(error);
    throw unavailable('Mentor is unavailable; try again shortly');
  }
}

function parseAccess(body: string, tenantId: string): TenantAccess {
  const { grants, member = false, tenant_name } = responseShape.parse(JSON.parse(body));
  return accessOf(inTenant(grants, tenantId), member, tenant_name);
}

/** The implementation that the settings select. */
export function mentorPort(
  config: { mentor: 'claims' | 'http'; mentorUrl: string | null },
  onFault: (error: unknown) => void = () => {},
): MentorPort {
  return config.mentor === 'http' && config.mentorUrl !== null
    ? httpMentor(config.mentorUrl, { onFault })
    : claimsMentor;
}
