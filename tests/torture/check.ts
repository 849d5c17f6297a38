/** What must hold once all is quiet: after every round cheaply, and at the end of everything that was ever told. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { wrongCounts } from '../support/cli.ts';
import type { Random } from './built.ts';
import { graphql, TryAgain } from './calls.ts';
import type { Cluster, Row } from './cluster.ts';
import type { Fleet } from './fleet.ts';
import type { Acknowledged, Ledger } from './ledger.ts';
import type { ReceivedStream } from './streams.ts';
import type { Follower } from './tails.ts';
import type { Tenant } from './tenants.ts';

/** Budgets.md has a second or two; the machine may be busy. */
const QUIET_MS = 60_000;
const SEVERITIES = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'];

export interface World {
  cluster: Cluster;
  fleet: Fleet;
  ledger: Ledger;
  tenants: readonly Tenant[];
  followers: readonly Follower[];
  streams: readonly ReceivedStream[];
  directory: string;
}

async function until(what: string, ledger: Ledger, holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + QUIET_MS; !(await holds()); await setTimeout(30))
    if (Date.now() > deadline) return ledger.fault(`${what}: expected within ${QUIET_MS} ms`);
}

/** After a round, all servers being up again: `since` is when it began. */
export async function checkRound(world: World, since: number, random: Random): Promise<void> {
  const { ledger, tenants } = world;
  await sealed(world);
  const fresh = tenants.flatMap(({ id }) => {
    const known = ledger.of(id);
    return known.slice(known.findLastIndex(({ at }) => at < since) + 1);
  });
  await stored(world, fresh);
  await positions(world, fresh);
  await tails(world);
  await received(world);
  for (const tenant of new Set([random.pick(tenants), random.pick(tenants)])) await statistics(world, tenant);
  if (random.chance(0.25)) await verify(world, random.pick(tenants), random);
}

async function sealed({ cluster, ledger }: World): Promise<void> {
  await until('every entry sealed', ledger, async () => {
    const [row] = await cluster.query('select count(*)::int as n from reel_log_inbox');
    return row!.n === 0;
  });
}

/** Each of these is there once, under the id that was answered. */
async function stored({ cluster, ledger }: World, known: readonly Acknowledged[]): Promise<void> {
  const byTenant = Map.groupBy(known, ({ tenantId }) => tenantId);
  for (const [tenantId, entries] of byTenant) {
    const rows = await cluster.query(
      'select resource_id as key, array_agg(id::text) as ids from reel_log_entries where tenant_id = $1 and resource_id = any ($2) group by 1',
      [tenantId, entries.map(({ key }) => key)],
    );
    const found = new Map(rows.map(({ key, ids }) => [key as string, ids as string[]]));
    for (const { key, id } of entries) expectOnce(ledger, key, id, found.get(key) ?? []);
  }
}

function expectOnce(ledger: Ledger, key: string, id: string, found: readonly string[]): void {
  if (found.length > 1) {
    ledger.twice += 1;
    ledger.fault(`${key} is stored ${found.length} times`);
  }
  if (!found.includes(id)) {
    ledger.lost += 1;
    ledger.fault(`${key} was acknowledged as ${id}, found ${found.join() || 'nothing'}`);
  }
}

/** Each has one position, the one at which it was read; a tenant's positions have no gap. */
async function positions({ cluster, ledger, tenants }: World, known: readonly Acknowledged[]): Promise<void> {
  for (const { id: tenantId, name } of tenants) {
    const ids = known.filter((entry) => entry.tenantId === tenantId).map(({ id }) => id);
    const rows = await cluster.query(
      'select entry_id::text as id, seq::int as sequence from reel_log_sequence where tenant_id = $1 and entry_id = any ($2::uuid[])',
      [tenantId, ids],
    );
    if (rows.length !== ids.length)
      ledger.fault(`${name}: ${ids.length} entries of this round have ${rows.length} positions`);
    for (const { id, sequence } of rows) ledger.place(tenantId, id as string, sequence as number);
    const [order] = await cluster.query(
      'select count(*)::int as positions, coalesce(max(seq), 0)::int as last from reel_log_sequence where tenant_id = $1',
      [tenantId],
    );
    if (order!.positions !== order!.last)
      ledger.fault(`${name}: ${order!.positions} positions up to ${order!.last}`);
  }
}

/** Each tail has brought, since it was last asked, every entry after the one that it had, but what was removed meanwhile. */
async function tails({ cluster, ledger, followers }: World): Promise<void> {
  for (const follower of followers) {
    const { tenant, module, name } = follower;
    const expected = async () => {
      const rows = await cluster.query(
        `select s.seq::int as sequence from reel_log_sequence s
         join reel_log_entries e on e.tenant_id = s.tenant_id and e.id = s.entry_id
         where s.tenant_id = $1 and s.seq > $2 and ($3::text is null or e.module = $3) order by s.seq`,
        [tenant.id, follower.checked, module],
      );
      return rows.map(({ sequence }) => sequence as number);
    };
    let wanted = await expected();
    await until(`${name} at ${wanted.at(-1)}`, ledger, async () => {
      wanted = await expected();
      return follower.position >= (wanted.at(-1) ?? 0);
    });
    const received = new Set(follower.take());
    const missing = wanted.filter((sequence) => sequence <= follower.position && !received.has(sequence));
    if (missing.length > 0)
      ledger.fault(`${name} missed ${missing.length} entries, ${missing.slice(0, 3)} among them`);
  }
}

/** Each stream has delivered everything that is sealed. */
async function received({ cluster, ledger, streams }: World): Promise<void> {
  for (const stream of streams) {
    let last = 0;
    await until(`${stream.name}, now at ${stream.position}`, ledger, async () => {
      const [row] = await cluster.query(
        'select coalesce(max(seq), 0)::int as last from reel_log_sequence where tenant_id = $1',
        [stream.tenant.id],
      );
      last = row!.last as number;
      return stream.position >= last;
    });
  }
}

/** `reel verify --stream` of what each receiver kept. */
async function provenStreams({ fleet, ledger, streams, directory }: World): Promise<number> {
  let proven = 0;
  const keys = join(directory, 'keys.txt');
  await writeFile(keys, await (await fetch(`${fleet.servers[0]!.url}/.well-known/reel-keys`)).text());
  for (const { name, file } of streams) {
    const { code, stdout, stderr } = await fleet.command(['verify', '--stream', file, '--key', keys]);
    if (code === 0) proven += 1;
    else ledger.fault(`verify of ${name}: ${code} ${stdout.slice(0, 1_000)} ${stderr.slice(0, 300)}`);
  }
  return proven;
}

/** Both servers count what is stored, exactly. */
async function statistics({ cluster, fleet, ledger }: World, tenant: Tenant): Promise<void> {
  for (const { url } of fleet.servers) {
    const count = async () =>
      (
        await cluster.query('select count(*)::int as n from reel_log_entries where tenant_id = $1', [
          tenant.id,
        ])
      )[0]!.n as number;
    const query = '{ logStats { totalEntries precision entriesBySeverity { count } } }';
    let [before, found] = [-1, { totalEntries: 0, precision: '', entriesBySeverity: [{ count: 0 }] }];
    // Reel's own records may still be on their way.
    const deadline = Date.now() + QUIET_MS;
    for (let attempt = 0; attempt < 20 && before !== found.totalEntries; attempt += 1) {
      before = await count();
      try {
        found = (await graphql(url!, tenant.person, query)).logStats;
      } catch (error) {
        if (!(error instanceof TryAgain) || Date.now() > deadline) throw error;
        attempt -= 1;
        await setTimeout(200);
      }
    }
    const sum = found.entriesBySeverity.reduce((total, each) => total + each.count, 0);
    if (found.totalEntries !== before || sum !== before || found.precision !== 'EXACT')
      ledger.fault(`${tenant.name}: ${before} stored, counted ${JSON.stringify(found)}`);
  }
}

/** `reel verify`, with a checkpoint of the tenant that was kept, if there is one. */
async function verify({ fleet, ledger, directory }: World, tenant: Tenant, random: Random): Promise<boolean> {
  const notes = ledger.notes.filter(({ tenantId }) => tenantId === tenant.id);
  const args = ['verify', '--tenant', tenant.id];
  if (notes.length > 0) {
    const file = join(directory, `${tenant.name}.note`);
    await writeFile(file, random.pick(notes).note);
    args.push('--checkpoint', file);
  }
  const { code, stdout, stderr } = await fleet.command(args);
  if (code !== 0)
    ledger.fault(`verify of ${tenant.name}: ${code} ${stdout.slice(0, 1_000)} ${stderr.slice(0, 300)}`);
  return code === 0;
}

/** What was there before the first round: sealed by the first edition, or backdated. */
export interface Earlier extends Row {
  id: string;
  tenant_id: string;
  created_at: Date;
  actor_id: string | null;
  on_behalf_of_id: string | null;
  is_erased: boolean;
  is_own: boolean;
}

export const readEarlier = (cluster: Cluster): Promise<Earlier[]> =>
  cluster.query(
    `select id::text, tenant_id::text, created_at, actor_id, on_behalf_of_id, erased_at is not null as is_erased,
       module = 'reel' as is_own from reel_log_entries`,
  ) as Promise<Earlier[]>;

/** Everything that was told in the whole run. Returns how many tenants verify, and of which leaf versions entries are left. */
export async function checkAll(world: World, earlier: readonly Earlier[], random: Random) {
  const { cluster, ledger, tenants } = world;
  await sealed(world);
  await everythingStored(world);
  await positions(world, [...ledger.acknowledged.values()]);
  await tails(world);
  await removedLawfully(world, earlier);
  await erasedLawfully(world, earlier);
  await hostRows(world);
  for (const tenant of tenants) await statistics(world, tenant);
  const wrong = await wrongCounts(cluster);
  if (wrong.length > 0) ledger.fault(`counts differ: ${JSON.stringify(wrong.slice(0, 3))}`);
  const verified = await Promise.all(tenants.map((tenant) => verify(world, tenant, random)));
  await received(world);
  const proven = await provenStreams(world);
  const versions = await cluster.query(
    'select leaf_version as version, count(*)::int as entries from reel_log_entries group by 1 order by 1',
  );
  return {
    verified: verified.filter(Boolean).length,
    proven,
    versions: versions as { version: number; entries: number }[],
  };
}

/** Each acknowledged entry is stored once, as it was sent, or erased. */
async function everythingStored({ cluster, ledger, tenants }: World): Promise<void> {
  for (const { id: tenantId, name } of tenants) {
    const rows = await cluster.query(
      `select e.id::text, resource_id as key, module, action, severity, resource_type, client_id::text, data, actor_email,
         actor_name, erased_at is not null as is_erased, k.idempotency_key as taken
       from reel_log_entries e left join reel_log_keys k on k.tenant_id = e.tenant_id and k.entry_id = e.id
       where e.tenant_id = $1 and resource_type = 'thing'`,
      [tenantId],
    );
    const found = Map.groupBy(rows, ({ key }) => key as string);
    for (const [key, copies] of found)
      if (copies.length > 1 && !ledger.acknowledged.has(key))
        ledger.fault(`${key}, never acknowledged, is stored ${copies.length} times`);
    for (const entry of ledger.of(tenantId)) {
      const copies = found.get(entry.key) ?? [];
      expectOnce(
        ledger,
        entry.key,
        entry.id,
        copies.map(({ id }) => id as string),
      );
      const [row] = copies;
      if (row !== undefined && !isAsSent(entry, row))
        ledger.fault(
          `${name}: ${entry.key} was sent as ${JSON.stringify(entry.fields)}, is ${JSON.stringify(row)}`,
        );
      // Of an erased entry the key is kept as a digest as well.
      if (row !== undefined && row.taken !== entry.key)
        ledger.fault(`${name}: the key of ${entry.key} is ${row.taken}`);
    }
  }
}

function isAsSent({ fields, id }: Acknowledged, row: Row): boolean {
  const { is_erased: isErased } = row;
  const personal = isErased
    ? { data: null, actor_email: null, actor_name: null }
    : { data: fields.data ?? null, actor_email: fields.actor_email, actor_name: fields.actor_name };
  const wanted = {
    id,
    module: fields.module,
    action: fields.action,
    severity: SEVERITIES.indexOf(fields.severity as string),
    resource_type: 'thing',
    client_id: fields.client_id ?? null,
    ...personal,
  };
  return Object.entries(wanted).every(
    ([name, value]) =>
      // A person's are the credential's.
      value === undefined || isDeepStrictEqual(row[name], value),
  );
}

/** What is gone of what was there before was old enough for a clean-up that ran while no hold covered it. */
async function removedLawfully({ cluster, ledger }: World, earlier: readonly Earlier[]): Promise<void> {
  const rows = await cluster.query('select id::text from reel_log_entries');
  const left = new Set(rows.map(({ id }) => id as string));
  const gone = earlier.filter(({ id }) => !left.has(id));
  for (const entry of gone) {
    const at = entry.created_at.getTime();
    const covers = ledger.holds.filter(
      (hold) =>
        hold.tenantId === entry.tenant_id &&
        (hold.actor === null || hold.actor === entry.actor_id || hold.actor === entry.on_behalf_of_id) &&
        (hold.from === null || at >= Date.parse(hold.from)) &&
        (hold.to === null || at <= Date.parse(hold.to)),
    );
    const mayRemove = ledger.cleanups.some(
      (cleanup) =>
        at < cleanup.before &&
        (cleanup.tenantId === null || cleanup.tenantId === entry.tenant_id) &&
        !covers.some((hold) => hold.addedAt < cleanup.startedAt && hold.releasedAt > cleanup.endedAt),
    );
    if (!mayRemove) {
      ledger.lost += 1;
      ledger.fault(
        `entry ${entry.id} of ${entry.created_at.toISOString()} is gone, and no clean-up may have removed it`,
      );
    }
  }
  const [account] = await cluster.query(
    `select (select coalesce(sum(last_seq - first_seq + 1), 0)::int from reel_log_removals) as recorded,
       (select count(*)::int from reel_log_sequence s where not exists
         (select from reel_log_entries e where e.tenant_id = s.tenant_id and e.id = s.entry_id)) as empty`,
  );
  if (account!.recorded !== account!.empty)
    ledger.fault(`${account!.empty} positions are empty, ${account!.recorded} recorded as removed`);
}

/** Nothing was erased that nobody asked for or that was on hold, and everything that a finished erasure was to take. */
async function erasedLawfully(
  { cluster, ledger, tenants }: World,
  earlier: readonly Earlier[],
): Promise<void> {
  const held = await cluster.query(`
    select e.id::text from reel_log_entries e join reel_log_holds h on h.tenant_id = e.tenant_id
    where e.erased_at >= h.created_at and (h.released_at is null or e.erased_at < h.released_at)
      and (h.from_at is null or e.created_at >= h.from_at) and (h.to_at is null or e.created_at <= h.to_at)
      and (h.actor_id is null or h.actor_id = e.actor_id or h.actor_id = e.on_behalf_of_id)`);
  if (held.length > 0)
    ledger.fault(`${held.length} entries were erased while on hold, ${held[0]!.id} among them`);
  for (const tenant of tenants) {
    const rows = await cluster.query(
      'select id::text from reel_log_entries where tenant_id = $1 and erased_at is not null',
      [tenant.id],
    );
    const erased = new Set(rows.map(({ id }) => id as string));
    const erasures = ledger.erasures.filter(({ tenantId }) => tenantId === tenant.id);
    for (const entry of earlier) {
      if (entry.tenant_id !== tenant.id || entry.is_erased || entry.is_own || !erased.has(entry.id)) continue;
      const ids = [entry.actor_id, entry.on_behalf_of_id];
      if (!erasures.some(({ target }) => 'actor' in target && ids.includes(target.actor)))
        ledger.fault(`entry ${entry.id} is erased, and nobody asked for that`);
    }
    for (const entry of ledger.of(tenant.id)) {
      const asked = erasures.filter(({ target }) => isTarget(target, entry));
      if (asked.length === 0 && erased.has(entry.id))
        ledger.fault(`${entry.key} is erased, and nobody asked for that`);
      const due = asked.find(({ code, startedAt }) => code === 0 && entry.at < startedAt);
      if (due && !erased.has(entry.id))
        ledger.fault(`${entry.key} is not erased, which ${JSON.stringify(due)} was to do`);
    }
  }
}

function isTarget(
  target: { actor: string } | { email: string } | { entry: string },
  { fields, id }: Acknowledged,
) {
  if ('entry' in target) return target.entry === id;
  if ('actor' in target) return fields.actor_id === target.actor;
  return fields.actor_email === target.email;
}

/** A host's row and the entry of its transaction are both there or neither. */
async function hostRows({ cluster, ledger }: World): Promise<void> {
  const rows = await cluster.query(
    `
    select h.key, h.entry_id::text as host, e.id::text as entry from host_things h
    full join (select e.id, e.resource_id from reel_log_entries e where e.resource_id = any ($1)) e on e.resource_id = h.key
    where h.entry_id is distinct from e.id`,
    [[...ledger.acknowledged.values()].filter(({ withHostRow }) => withHostRow).map(({ key }) => key)],
  );
  for (const { key, host, entry } of rows.slice(0, 5))
    ledger.fault(`${key}: the host's row says ${host}, the entry is ${entry}`);
}
