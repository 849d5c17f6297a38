import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { z } from 'zod';
import { ReelError, tooManyRequests, unauthenticated, unavailable } from '../errors.js';
import { traceHeaders } from '../tracing.js';
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
const CACHED_GRANTS = 200_000;
/** Few that open nothing, which anybody may ask for by making up tenants. */
const KEPT = { answers: 10_000, refusals: 1_000 };
/** Questions per minute for one person; answers from the cache do not count. */
const QUESTIONS_PER_MINUTE = 100;
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
  /** Questions per minute for one person; past it TOO_MANY_REQUESTS. */
  readonly questionsPerMinute?: number;
  /** How many answers are kept that open something, and that do not. */
  readonly kept?: { readonly answers: number; readonly refusals: number };
  /** Told why Mentor counted as unavailable. */
  readonly onFault?: (error: unknown) => void;
}

/**
 * Asks `GET url?tenant_id=…` with the person's own Authorization. Responses are cached for 30 s by token and tenant,
 * those that open nothing apart from the others; failures are not. Concurrent calls with the same token and tenant share one request.
 */
export function httpMentor(url: string, options: HttpMentorOptions = {}): MentorPort {
  const { timeoutMs = TIMEOUT_MS, now = () => performance.now(), onFault = () => {} } = options;
  const { questionsPerMinute = QUESTIONS_PER_MINUTE, kept = KEPT } = options;
  const pending = new Map<string, Promise<TenantAccess>>();
  const lasting = { ttl: CACHE_MS, ttlResolution: 0, perf: { now } };
  const cache = new LRUCache<string, TenantAccess>({
    max: kept.answers,
    maxSize: CACHED_GRANTS,
    sizeCalculation: ({ grants }) => 1 + grants.length,
    ...lasting,
  });
  const refusals = new LRUCache<string, TenantAccess>({ max: kept.refusals, ...lasting });
  const questions = new RateLimiterMemory({ points: questionsPerMinute, duration: 60 });
  const ask = async ({ person, authorization }: Requester, tenantId: string): Promise<TenantAccess> => {
    await countQuestion(questions, person);
    return fetchAccess(url, authorization, tenantId, timeoutMs, onFault);
  };

  return {
    tenants: () => null,
    async standing(requester, tenantId) {
      const key = `${tenantId} ${createHash('sha256').update(requester.person.token).digest('base64')}`;
      const cached = cache.get(key) ?? refusals.get(key);
      if (cached) return cached;
      let request = pending.get(key);
      if (!request) {
        request = ask(requester, tenantId)
          .then((access) => {
            (isNothing(access) ? refusals : cache).set(key, access);
            return access;
          })
          .finally(() => pending.delete(key));
        pending.set(key, request);
      }
      return request;
    },
  };
}

const isNothing = ({ grants, member }: TenantAccess): boolean => grants.length === 0 && !member;

async function countQuestion(questions: RateLimiterMemory, person: PersonCredential): Promise<void> {
  try {
    await questions.consume(person.id);
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused;
    throw tooManyRequests(
      `Mentor is asked at most ${questions.points} questions per minute and person`,
      Math.max(1, Math.ceil(refused.msBeforeNext / 1000)),
    );
  }
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
      headers: { authorization, accept: 'application/json', ...traceHeaders() },
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
