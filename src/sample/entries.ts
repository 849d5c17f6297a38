import { v7 } from 'uuid';
import type { Author } from '../auth/scope.js';
import type { Identity } from '../log/entry/identifier.js';
import type { LogInput } from '../log/service.js';
import { pickAction, type SampleAction } from './actions.js';
import { type SamplePerson, samplePeople } from './people.js';
import { SeededRandom } from './seeded-random.js';

/** What to generate. The same plan gives the same entries, ids included. */
export interface SamplePlan {
  seed: string;
  tenants: number;
  /** In all tenants together; at least one each. */
  entries: number;
  /** When they were created, from inclusive to exclusive: Unix milliseconds, of whole hours. */
  from: number;
  until: number;
}

export interface SampleTenant {
  id: string;
  name: string;
  clientIds: readonly string[];
  entries: number;
}

/** One entry before it is checked: its author, input, id and time. */
export interface SampleEntry {
  identity: Identity;
  author: Author;
  input: LogInput;
}

const HOUR_MS = 3_600_000;

const TENANT_NAMES = ['Aurora Foods', 'Horizonte Energia', 'Nordic Freight', 'Atlas Hotels'];
const CLIENT_NAMES = [
  'Padaria Aurora',
  'Loja Centro',
  'Harbour Café',
  'Mercado Norte',
  'Oficina Sul',
  'Bakery Lisboa',
];

/** What a person calls a tenant's client. */
export const clientName = (tenant: SampleTenant, clientId: string): string =>
  CLIENT_NAMES[tenant.clientIds.indexOf(clientId) % CLIENT_NAMES.length]!;

/** The tenants of a plan: known by seed and number alone, the first one the largest. */
export function sampleTenants({ seed, tenants, entries }: SamplePlan): SampleTenant[] {
  const shares = Array.from({ length: tenants }, (_, index) => 1 / (index + 1));
  const counts = apportion(entries - tenants, shares).map((count) => count + 1);
  return counts.map((count, index) => {
    const random = new SeededRandom(`${seed} tenant ${index}`);
    const id = random.uuid();
    return {
      id,
      name: TENANT_NAMES[index % TENANT_NAMES.length]!,
      entries: count,
      clientIds: Array.from({ length: random.integer(3, 6) }, () => random.uuid()),
    };
  });
}

/** A tenant's entries, oldest first. */
export function* sampleEntries(plan: SamplePlan, tenant: SampleTenant): Generator<SampleEntry> {
  const random = new SeededRandom(`${plan.seed} entries of ${tenant.id}`);
  // The same people for every plan, so that another plan can continue the tenant's trail.
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
    hours.map((hour) => activity(hour) * (0.6 + 0.8 * random.fraction())),
  );
  let context = newContext(random, people, tenant);
  for (const [index, hour] of hours.entries()) {
    const count = counts[index]!;
    for (let number = 0; number < count; number += 1) {
      const micros = Math.floor(((number + random.fraction()) / count) * HOUR_MS * 1000);
      // Entries of one request follow each other.
      if (!random.chance(0.3)) context = newContext(random, people, tenant);
      yield { identity: identify(random, hour, micros), ...makeEntry(random, context, pickAction(random)) };
    }
  }
}

/** Relative activity in an hour: work days and hours, a quieter lunch, little at night and at weekends. */
function activity(hour: number): number {
  const at = new Date(hour);
  const [day, clock] = [at.getUTCDay(), at.getUTCHours()];
  const working = clock >= 8 && clock < 18 ? (clock === 12 ? 7 : 10) : clock >= 6 && clock < 22 ? 3 : 1;
  return day === 0 || day === 6 ? Math.max(1, working / 4) : working;
}

interface RequestContext {
  tenantId: string;
  clientId: string | null;
  actor: SamplePerson;
  /** The person whom the actor, of support, impersonates. */
  onBehalfOfId: string | null;
  requestId: string;
}

function newContext(
  random: SeededRandom,
  people: readonly SamplePerson[],
  tenant: SampleTenant,
): RequestContext {
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

function makeEntry(
  random: SeededRandom,
  context: RequestContext,
  sample: SampleAction,
): Omit<SampleEntry, 'identity'> {
  const { tenantId, clientId, actor, onBehalfOfId, requestId } = context;
  const input: LogInput = {
    module: sample.module,
    action: sample.action,
    severity: sample.severity,
    tenantId,
    clientId: sample.system ? null : clientId,
    requestId,
    ...(sample.resourceType
      ? { resourceType: sample.resourceType, resourceId: resourceId(random, sample.resourceType) }
      : {}),
    ...(sample.data ? { data: sample.data(random) } : {}),
  };
  if (sample.browser && onBehalfOfId === null && random.chance(0.5))
    return {
      input,
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
    input: sample.system ? input : { ...input, ...by },
    author: { kind: 'module', module: sample.module, ip: null, agent: null },
  };
}

/** Few enough of each type that many entries are about the same one. */
const resourceId = (random: SeededRandom, type: string): string =>
  type === 'session' ? random.hex(16) : `${type}-${1 + Math.floor(random.fraction() ** 2 * 2_000)}`;

/** As Identifier generates them: the microsecond in the ten bits after the milliseconds. */
function identify(random: SeededRandom, hour: number, micros: number): Identity {
  const [msecs, microsecond] = [hour + Math.floor(micros / 1000), micros % 1000];
  const bytes = random.bytes(16);
  const seq = ((microsecond << 22) | (bytes.readUInt32BE(0) & 0x3fffff)) >>> 0;
  return {
    id: v7({ msecs, seq, random: bytes }),
    createdAt: `${new Date(msecs).toISOString().slice(0, 23)}${String(microsecond).padStart(3, '0')}Z`,
  };
}

/** Whole numbers in proportion to the shares that add up to the total. */
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
