import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { type Allowance, forbidden, ReelError, tooManyRequests, unauthenticated } from '../errors.js';
import { EXPORT, VIEW } from './actions.js';
import type { Caller } from './caller.js';
import { type ModuleCredential, namedBy, type PersonCredential } from './credential.js';
import { clientNames, type Grant, type MentorScope } from './grant.js';
import { type MentorPort, type Requester, tenantsInToken } from './mentor.js';
import type { Author, Scope } from './scope.js';
import { byName, standingIn, type TenantStanding } from './standing.js';

export interface AuthorizerSettings {
  readonly browserLogging: boolean;
  readonly browserEntriesPerMinute: number;
}

/** In which a person's entries, and their bytes, are counted. */
const WINDOW_SECONDS = 60;
const BYTES_PER_MINUTE = 1024 * 1024;
const [VIEWS_PER_MINUTE, VIEWS_PER_MINUTE_OF_TENANT] = [120, 1_200];
/** How often Mentor is asked for one person's tenants, and how often at once. */
const MAX_LOOKUPS = 100;
const LOOKUPS_AT_ONCE = 8;

/** A person's access to the tenant of the call. */
interface PersonAccess {
  readonly person: PersonCredential;
  readonly tenantId: string;
  readonly grants: readonly Grant[];
  readonly member: boolean;
}

/** Decides what a caller may do. Every check may be repeated: it looks at the credential's expiry and asks Mentor again. */
export class Authorizer {
  readonly #mentor: MentorPort;
  readonly #settings: AuthorizerSettings;
  readonly #entries: RateLimiterMemory;
  readonly #bytes = new RateLimiterMemory({ points: BYTES_PER_MINUTE, duration: WINDOW_SECONDS });
  readonly #views = new RateLimiterMemory({ points: VIEWS_PER_MINUTE, duration: WINDOW_SECONDS });
  readonly #viewsOfTenant = new RateLimiterMemory({
    points: VIEWS_PER_MINUTE_OF_TENANT,
    duration: WINDOW_SECONDS,
  });
  readonly #now: () => number;

  constructor(mentor: MentorPort, settings: AuthorizerSettings, now: () => number = Date.now) {
    this.#mentor = mentor;
    this.#settings = settings;
    this.#now = now;
    this.#entries = new RateLimiterMemory({
      points: settings.browserEntriesPerMinute,
      duration: WINDOW_SECONDS,
    });
  }

  /**
   * What a person may see by an action granted in one of `scopes`. Unless CLIENT is among them, X-Client-Id is ignored.
   * Errors: UNAUTHENTICATED, FORBIDDEN (names the action), BAD_USER_INPUT (tenant not named), UNAVAILABLE (Mentor).
   */
  async require(caller: Caller, action: string, scopes: readonly MentorScope[]): Promise<Scope> {
    const person = this.#person(caller, () => missingAction(action, scopes));
    const { tenantId, grants } = await this.#access(caller, person, () => missingAction(action, scopes));
    const counting = grants.filter((grant) => grant.action === action && scopes.includes(grant.scope));
    const named = scopes.includes('CLIENT') ? caller.clientId : null;
    const names = clientNames(grants);
    const scope = { tenantId, ...(names.size > 0 && { clientNames: names }) };
    if (counting.some((grant) => grant.scope === 'ACCOUNT'))
      return { ...scope, clients: named === null ? null : [named] };
    const clients = clientsOf(counting);
    if (named === null ? clients.length === 0 : !clients.includes(named)) throw missingAction(action, scopes);
    return { ...scope, clients: named === null ? clients : [named] };
  }

  /** What the caller may view; null where that is nothing, as for a module. Errors: those of `require` except FORBIDDEN. */
  async viewScope(caller: Caller): Promise<Scope | null> {
    try {
      return await this.require(caller, VIEW, ['ACCOUNT', 'CLIENT']);
    } catch (error) {
      if (error instanceof ReelError && error.code === 'FORBIDDEN') return null;
      throw error;
    }
  }

  /**
   * The one client that an export covers: X-Client-Id, else `namedClient` (REST's filter.client_id), else the only one
   * granted. Errors: those of `require`; BAD_USER_INPUT where several are granted and none is named.
   */
  async exportScope(caller: Caller, namedClient?: string | null): Promise<Scope> {
    const clientId = caller.clientId ?? namedClient?.toLowerCase() ?? null;
    const { tenantId, clients } = await this.require({ ...caller, clientId }, EXPORT, ['CLIENT']);
    if (clients?.length !== 1) throw missingHeader('X-Client-Id', 'a client, since you may export several');
    return { tenantId, clients };
  }

  /**
   * The author of an entry by createLog; to be called once per entry, since it counts a person's entries per minute.
   * Errors: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT (tenant not named), TOO_MANY_REQUESTS, UNAVAILABLE (Mentor).
   */
  async author(caller: Caller): Promise<Author> {
    const credential = this.authenticated(caller);
    if (credential.kind === 'module') return moduleAuthor(caller, credential);
    if (!this.#settings.browserLogging) throw forbidden('Reporting entries is closed to people');
    const notMember = () => forbidden('You do not belong to this tenant');
    const { person, tenantId, grants, member } = await this.#access(caller, credential, notMember);
    const limit = this.#settings.browserEntriesPerMinute;
    const allowance = await consume(this.#entries, person.id, 1, {
      name: 'browser-entries',
      refusal: `At most ${limit} entries per minute and person`,
    });
    const { id: subject, name } = person;
    const whole = member || grants.some((grant) => grant.scope === 'ACCOUNT');
    const clients = whole ? null : clientsOf(grants);
    const { ip, agent, requestId } = caller;
    const from = { ip, agent, requestId };
    return { kind: 'person', subject, ...namedBy(person), name, tenantId, clients, ...from, allowance };
  }

  /** Counts what a person's entry takes, as it came. Errors: TOO_MANY_REQUESTS. */
  async countBytes(author: Author, bytes: number): Promise<void> {
    if (author.kind === 'person')
      await consume(this.#bytes, author.subject, bytes, {
        name: 'browser-bytes',
        refusal: `At most ${BYTES_PER_MINUTE} bytes of entries per minute and person`,
      });
  }

  /** Counts a change of a person's saved views, each of which is recorded in the trail. Errors: TOO_MANY_REQUESTS. */
  async countViewChange(caller: Caller, { tenantId }: Pick<Scope, 'tenantId'>): Promise<void> {
    const { id } = this.#person(caller, () => forbidden('Views are saved by people'));
    await consume(this.#views, id, 1, {
      name: 'view-changes',
      refusal: `At most ${VIEWS_PER_MINUTE} changes of views per minute and person`,
    });
    await consume(this.#viewsOfTenant, tenantId, 1, {
      name: 'view-changes-of-tenant',
      refusal: `At most ${VIEWS_PER_MINUTE_OF_TENANT} changes of views per minute and tenant`,
    });
  }

  /** The calling module. Errors: UNAUTHENTICATED; FORBIDDEN for a person. */
  internal(caller: Caller): Author & { kind: 'module' } {
    const credential = this.authenticated(caller);
    if (credential.kind !== 'module') throw forbidden("This needs a module's service credential");
    return moduleAuthor(caller, credential);
  }

  /** The caller's credential, of either kind. Errors: UNAUTHENTICATED where there is none or it has expired. */
  authenticated(caller: Caller): ModuleCredential | PersonCredential {
    const { credential } = caller;
    if (credential === null || credential.expiresAt <= this.#now()) throw unauthenticated();
    return credential;
  }

  /**
   * The tenants that a person belongs to, in the order of their names. Where they cannot be listed: X-Tenant-Id, or those
   * that the token names. Errors: UNAUTHENTICATED, UNAVAILABLE (Mentor); BAD_USER_INPUT where Mentor would be asked too often.
   */
  async standings(caller: Caller, person: PersonCredential): Promise<TenantStanding[]> {
    const listed = this.#mentor.tenants(person);
    const tenants = listed ?? (caller.tenantId === null ? tenantsInToken(person) : [caller.tenantId]);
    if (listed === null && tenants.length > MAX_LOOKUPS)
      throw missingHeader('X-Tenant-Id', `a tenant, since your token names more than ${MAX_LOOKUPS}`);
    const requester = requesterOf(caller, person);
    const standings: (TenantStanding | null)[] = [];
    for (let at = 0; at < tenants.length; at += LOOKUPS_AT_ONCE)
      standings.push(
        ...(await Promise.all(
          tenants
            .slice(at, at + LOOKUPS_AT_ONCE)
            .map(async (id) => standingIn(id, await this.#mentor.standing(requester, id))),
        )),
      );
    return byName(standings.filter((standing) => standing !== null));
  }

  #person(caller: Caller, refusal: () => ReelError): PersonCredential {
    const credential = this.authenticated(caller);
    if (credential.kind !== 'person') throw refusal();
    return credential;
  }

  /** A tenant that does not exist and one that the person does not belong to get the same error, `notMember`. */
  async #access(caller: Caller, person: PersonCredential, notMember: () => ReelError): Promise<PersonAccess> {
    const tenantId = caller.tenantId ?? this.#onlyTenant(person, notMember);
    const { grants, member } = await this.#mentor.standing(requesterOf(caller, person), tenantId);
    if (!member && grants.length === 0) throw notMember();
    return { person, tenantId, grants, member };
  }

  #onlyTenant(person: PersonCredential, notMember: () => ReelError): string {
    const tenants = this.#mentor.tenants(person);
    if (tenants === null) throw missingHeader('X-Tenant-Id', 'a tenant');
    const [only, ...others] = tenants;
    if (only === undefined) throw notMember();
    if (others.length > 0) throw missingHeader('X-Tenant-Id', 'a tenant, since you belong to several');
    return only;
  }
}

/** Errors: TOO_MANY_REQUESTS with `refusal`. */
async function consume(
  limiter: RateLimiterMemory,
  who: string,
  points: number,
  { name, refusal }: { name: string; refusal: string },
): Promise<Allowance> {
  const allowance = ({ remainingPoints, msBeforeNext }: RateLimiterRes): Allowance => ({
    name,
    limit: limiter.points,
    windowSeconds: WINDOW_SECONDS,
    remaining: remainingPoints,
    resetSeconds: Math.max(1, Math.ceil(msBeforeNext / 1000)),
  });
  try {
    return allowance(await limiter.consume(who, points));
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused;
    const left = allowance(refused);
    throw tooManyRequests(refusal, left.resetSeconds, left);
  }
}

const requesterOf = ({ authorization }: Caller, person: PersonCredential): Requester => ({
  person,
  authorization: authorization ?? `Bearer ${person.token}`,
});

const clientsOf = (grants: readonly Grant[]): string[] =>
  [
    ...new Set(grants.flatMap(({ scope, clientId }) => (scope === 'CLIENT' && clientId ? [clientId] : []))),
  ].sort();

const moduleAuthor = ({ ip, agent }: Caller, { module }: ModuleCredential): Author & { kind: 'module' } => ({
  kind: 'module',
  module,
  ip,
  agent,
});

const missingAction = (action: string, scopes: readonly MentorScope[]): ReelError =>
  new ReelError('FORBIDDEN', `Missing action ${action} (${scopes.join(' or ')})`, { extensions: { action } });

function missingHeader(header: string, expected: string): ReelError {
  const msg = `${header}: expected ${expected}, got nothing`;
  return new ReelError('BAD_USER_INPUT', msg, {
    faults: [{ type: 'missing', loc: ['header', header], msg, input: null }],
  });
}
