import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { ReelError, unauthenticated, unavailable } from '../errors.js';
import { readAnswer } from './answer.js';
import type { PersonCredential } from './credential.js';
import { type Grant, grantShape, opens } from './grant.js';

/** How a person stands in one tenant: the grants held there, and whether by plain membership as well. */
export interface Standing {
  readonly grants: readonly Grant[];
  readonly member: boolean;
}

/** Who asks: the person, and the Authorization header as it came. */
export interface Asker {
  readonly person: PersonCredential;
  readonly authorization: string;
}

/** Mentor, as far as Reel needs it. */
export interface MentorPort {
  /** The tenants a person belongs to; null where that cannot be listed, so that each call must name its tenant. */
  tenants(person: PersonCredential): readonly string[] | null;
  /** Only grants of `tenantId` that open something. Errors: UNAUTHENTICATED, UNAVAILABLE; it never fails open. */
  standing(asker: Asker, tenantId: string): Promise<Standing>;
}

const inTenant = (grants: readonly Grant[], tenantId: string): Grant[] =>
  grants.filter((grant) => grant.tenantId === tenantId && opens(grant));

/** Grants and memberships are claims of the person's token. */
export const claimsMentor: MentorPort = {
  tenants: (person) => [
    ...new Set([...person.grants.filter(opens).map((grant) => grant.tenantId), ...person.tenants]),
  ],
  standing: async ({ person }, tenantId) => ({
    grants: inTenant(person.grants, tenantId),
    member: person.tenants.includes(tenantId),
  }),
};

const TIMEOUT_MS = 2_000;
const CACHE_MS = 30_000;
const MAX_BYTES = 1024 * 1024;
const CACHED_ANSWERS = 10_000;
const CACHED_GRANTS = 200_000;
const NOBODY: Standing = { grants: [], member: false };

const answerShape = z.object({ grants: z.array(grantShape), member: z.boolean().optional() });

export interface HttpMentorOptions {
  /** Time-out of one question in milliseconds, its body included. */
  readonly timeoutMs?: number;
  /** A steady clock in milliseconds. */
  readonly now?: () => number;
}

/**
 * Asks `GET url?tenant_id=…` with the person's own Authorization. Answers are kept 30 s for each token and tenant;
 * failures are not. Calls for the same key that come together share one question.
 */
export function httpMentor(url: string, options: HttpMentorOptions = {}): MentorPort {
  const { timeoutMs = TIMEOUT_MS, now = () => performance.now() } = options;
  const asked = new Map<string, Promise<Standing>>();
  const known = new LRUCache<string, Standing>({
    max: CACHED_ANSWERS,
    maxSize: CACHED_GRANTS,
    sizeCalculation: (standing) => 1 + standing.grants.length,
    ttl: CACHE_MS,
    ttlResolution: 0,
    perf: { now },
  });

  return {
    tenants: () => null,
    async standing({ person, authorization }, tenantId) {
      const key = `${tenantId} ${createHash('sha256').update(person.token).digest('base64')}`;
      const kept = known.get(key);
      if (kept) return kept;
      let question = asked.get(key);
      if (!question) {
        question = ask(url, authorization, tenantId, timeoutMs)
          .then((standing) => {
            known.set(key, standing);
            return standing;
          })
          .finally(() => asked.delete(key));
        asked.set(key, question);
      }
      return question;
    },
  };
}

async function ask(
  url: string,
  authorization: string,
  tenantId: string,
  timeoutMs: number,
): Promise<Standing> {
  const address = new URL(url);
  address.searchParams.set('tenant_id', tenantId);
  try {
    const answer = await fetch(address, {
      headers: { authorization, accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (answer.status === 200) return standingOf(await readAnswer(answer, MAX_BYTES), tenantId);
    await answer.body?.cancel();
    if (answer.status === 401) throw unauthenticated();
    if (answer.status === 403 || answer.status === 404) return NOBODY;
    throw new Error(`status ${answer.status}`);
  } catch (error) {
    if (error instanceof ReelError) throw error;
    throw unavailable('Mentor cannot be asked for permissions; try again shortly');
  }
}

function standingOf(body: string, tenantId: string): Standing {
  const { grants, member = false } = answerShape.parse(JSON.parse(body));
  return { grants: inTenant(grants, tenantId), member };
}

/** The adapter that the settings choose. */
export function mentorPort(config: { mentor: 'claims' | 'http'; mentorUrl: string | null }): MentorPort {
  return config.mentor === 'http' && config.mentorUrl !== null ? httpMentor(config.mentorUrl) : claimsMentor;
}
