import { v7 } from 'uuid';
import type { Author } from '../auth/scope.js';
import type { Identity } from '../log/entry/identifier.js';
import type { LogInput } from '../log/service.js';
import { pickAct, type SampleAct } from './actions.js';
import { type SamplePerson, samplePeople } from './people.js';
import { SeededRandom } from './seeded-random.js';

/** What is to be made up. The same plan gives the same entries, ids included. */
export interface SamplePlan {
  seed: string;
  tenants: number;
  /** In all tenants together; at least one each. */
  entries: number;
  /** The stretch of time they lie in, from inclusive to exclusive: Unix milliseconds, of whole hours. */
  from: number;
  until: number;
}

export interface SampleTenant {
  id: string;
  clientIds: readonly string[];
  entries: number;
}

/** One entry before the checks at the door: who says what, and when. */
export interface SampleEntry {
  identity: Identity;
  author: Author;
  input: LogInput;
}

const HOUR_MS = 3_600_000;

/** The tenants of a plan: known by seed and place alone, the first one the largest. */
export function sampleTenants({ seed, tenants, entries }: SamplePlan): SampleTenant[] {
  const shares = Array.from({ length: tenants }, (_, index) => 1 / (index + 1));
  const counts = apportion(entries - tenants, shares).map((count) => count + 1);
  return counts.map((count, index) => {
    const random = new SeededRandom(`${seed} tenant ${index}`);
    const id = random.uuid();
    return {
      id,
      entries: count,
      clientIds: Array.from({ length: random.integer(3, 6) }, () => random.uuid()),
    };
  });
}

/** A tenant's entries, oldest first. */
export function* sampleEntries(plan: SamplePlan, tenant: SampleTenant): Generator<SampleEntry> {
  const random = new SeededRandom(`${plan.seed} entries of ${tenant.id}`);
  // The same people whatever the plan, so that another one goes on in the same tenant.
  const people = samplePeople(
    new SeededRandom(`people of ${tenant.id}`),
    Math.min(60, 8 + Math.floor(tenant.entries / 200)),
    'example.com',
    tenant.clientIds,
  );
  const hours = Array.from(
    { length: Math.round((plan.until - plan.from) / HOUR_MS) },
    (_, index) => plan.from + index * HOUR_MS,
  );
  const counts = apportion(
    tenant.entries,
    hours.map((hour) => bustle(hour) * (0.6 + 0.8 * random.fraction())),
  );
  let scene = newScene(random, people, tenant);
  for (const [index, hour] of hours.entries()) {
    const count = counts[index]!;
    for (let place = 0; place < count; place += 1) {
      const micros = Math.floor(((place + random.fraction()) / count) * HOUR_MS * 1000);
      // What one person does in one request stands together.
      if (!random.chance(0.3)) scene = newScene(random, people, tenant);
      yield { identity: identify(random, hour, micros), ...perform(random, scene, pickAct(random)) };
    }
  }
}

/** How much goes on in an hour: work days and hours, a quieter lunch, little at night and at weekends. */
function bustle(hour: number): number {
  const at = new Date(hour);
  const [day, clock] = [at.getUTCDay(), at.getUTCHours()];
  const working = clock >= 8 && clock < 18 ? (clock === 12 ? 7 : 10) : clock >= 6 && clock < 22 ? 3 : 1;
  return day === 0 || day === 6 ? Math.max(1, working / 4) : working;
}

interface Scene {
  tenantId: string;
  clientId: string | null;
  actor: SamplePerson;
  /** Whom the actor, of support, acts as. */
  onBehalfOfId: string | null;
  requestId: string;
}

function newScene(random: SeededRandom, people: readonly SamplePerson[], tenant: SampleTenant): Scene {
  const person = random.pickEarly(people);
  const support = random.chance(0.01) ? people[0]! : null;
  return {
    tenantId: tenant.id,
    clientId: person.clientId ?? (random.chance(0.7) ? random.pickEarly(tenant.clientIds) : null),
    actor: support ?? person,
    onBehalfOfId: support && support !== person ? person.id : null,
    requestId: random.uuid(),
  };
}

function perform(random: SeededRandom, scene: Scene, act: SampleAct): Omit<SampleEntry, 'identity'> {
  const { tenantId, clientId, actor, onBehalfOfId, requestId } = scene;
  const said: LogInput = {
    module: act.module,
    action: act.action,
    severity: act.severity,
    tenantId,
    clientId: act.system ? null : clientId,
    requestId,
    ...(act.resourceType
      ? { resourceType: act.resourceType, resourceId: resourceId(random, act.resourceType) }
      : {}),
    ...(act.data ? { data: act.data(random) } : {}),
  };
  if (act.browser && onBehalfOfId === null && random.chance(0.5))
    return {
      input: said,
      author: {
        kind: 'person',
        subject: actor.id,
        id: actor.id,
        email: actor.email,
        name: actor.name,
        tenantId,
        clients: null,
        ip: actor.ipAddress,
        agent: actor.userAgent,
        requestId,
      },
    };
  const by = {
    actorId: actor.id,
    actorEmail: actor.email,
    actorName: actor.name,
    onBehalfOfId,
    ipAddress: actor.ipAddress,
    userAgent: actor.userAgent,
  };
  return {
    input: act.system ? said : { ...said, ...by },
    author: { kind: 'module', module: act.module, ip: null, agent: null },
  };
}

/** Few enough of each type that many entries speak of the same one. */
const resourceId = (random: SeededRandom, type: string): string =>
  type === 'session' ? random.hex(16) : `${type}-${1 + Math.floor(random.fraction() ** 2 * 2_000)}`;

/** As Identifier gives them out: the microsecond in the ten bits after the milliseconds. */
function identify(random: SeededRandom, hour: number, micros: number): Identity {
  const [msecs, microsecond] = [hour + Math.floor(micros / 1000), micros % 1000];
  const bytes = random.bytes(16);
  const seq = ((microsecond << 22) | (bytes.readUInt32BE(0) & 0x3fffff)) >>> 0;
  return {
    id: v7({ msecs, seq, random: bytes }),
    createdAt: `${new Date(msecs).toISOString().slice(0, 23)}${String(microsecond).padStart(3, '0')}Z`,
  };
}

/** Whole numbers in proportion to the shares, which together make the total. */
function apportion(total: number, shares: readonly number[]): number[] {
  const sum = shares.reduce((all, share) => all + share, 0);
  let [seen, given] = [0, 0];
  return shares.map((share) => {
    seen += share;
    const upTo = Math.min(total, Math.round((seen / sum) * total));
    const own = upTo - given;
    given = upTo;
    return own;
  });
}
