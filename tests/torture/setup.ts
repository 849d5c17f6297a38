/** The trail that a run begins with: what the first edition left, backdated entries, and tenants without any. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from './built.ts';
import { type Earlier, readEarlier } from './check.ts';
import { Cluster } from './cluster.ts';
import { Fleet } from './fleet.ts';
import { Host } from './host.ts';
import type { Ledger } from './ledger.ts';
import { makeTenant, type Tenant } from './tenants.ts';

const FIRST_EDITION = join(import.meta.dirname, '..', 'fixtures', 'first-edition');
/** Backdated entries are spread over so many days; clean-ups take some of them, from the oldest on. */
export const SEEDED_DAYS = 120;
/** Of these nothing may be cleaned up, in whichever order things happen. */
const HELD_DAYS = { from: 100, to: 92 };
const DAY_MS = 86_400_000;

export interface Trail {
  cluster: Cluster;
  fleet: Fleet;
  host: Host;
  tenants: readonly Tenant[];
  earlier: readonly Earlier[];
}

export async function openTrail(ledger: Ledger, random: Random, seededEntries: number): Promise<Trail> {
  const { origin, tenants: first } = JSON.parse(await readFile(join(FIRST_EDITION, 'contents.json'), 'utf8'));
  const cluster = await Cluster.create();
  await cluster.query(await readFile(join(FIRST_EDITION, 'database.sql'), 'utf8'));
  // A dump sets its session's search path, among others.
  await cluster.query('reset all');
  const fleet = new Fleet(cluster, origin);
  await fleet.newSigningKey();
  const run = async (args: readonly string[], env?: 'development') => {
    const { code, stdout, stderr } = await fleet.command(args, env);
    if (code !== 0) throw new Error(`expected reel ${args[0]} to end with 0, got ${code}: ${stderr}`);
    return stdout;
  };
  await run(['migrate']);
  const seed = ['--entries', seededEntries, '--tenants', 2, '--days', SEEDED_DAYS, '--seed', 'torture'];
  const seeded = JSON.parse(await run(['seed', ...seed.map(String), '--json'], 'development')) as {
    tenantId: string;
    clientIds: string[];
  }[];
  const host = await Host.open(cluster);
  const earlier = await readEarlier(cluster);

  const uuids = () => [random.uuid(), random.uuid(), random.uuid()];
  const tenant = (id: string, name: string, clients: readonly string[]) =>
    makeTenant(fleet, id, name, clients, actorsOf(earlier, id), random);
  const tenants = [
    await tenant(first.large.id, 'first-large', uuids()),
    await tenant(first.held.id, 'first-held', uuids()),
    await tenant(seeded[0]!.tenantId, 'seeded', seeded[0]!.clientIds),
    await tenant(seeded[1]!.tenantId, 'seeded-small', seeded[1]!.clientIds),
    await tenant(random.uuid(), 'new', uuids()),
    await tenant(random.uuid(), 'new-too', uuids()),
  ];
  for (const { id } of tenants.slice(2, 4)) {
    const [from, to] = [HELD_DAYS.from, HELD_DAYS.to].map((days) =>
      new Date(Date.now() - days * DAY_MS).toISOString(),
    );
    const args = ['--tenant', id, '--reason', 'kept to the end', '--from', from!, '--to', to!];
    const hold = (await run(['hold', 'add', ...args])).trim();
    ledger.holds.push({
      ...{ id: hold, tenantId: id, actor: null, from: from!, to: to! },
      ...{ addedAt: Date.now(), releasedAt: Infinity, isKept: true },
    });
  }
  await fleet.startAll();
  return { cluster, fleet, host, tenants, earlier };
}

/** Some of those who acted before, so that erasures meet entries of every age. */
const actorsOf = (earlier: readonly Earlier[], tenantId: string): string[] =>
  [
    ...new Set(
      earlier.flatMap(({ tenant_id, actor_id }) =>
        tenant_id === tenantId && actor_id !== null ? [actor_id] : [],
      ),
    ),
  ].slice(0, 8);
