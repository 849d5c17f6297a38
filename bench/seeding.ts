import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import {
  checkInput,
  connectPool,
  prepareEntry,
  sampleEntries,
  sampleTenants,
  storeEntries,
} from './built.ts';

export interface SeededTenant {
  tenantId: string;
  clientIds: string[];
  entries: number;
}

/** What is written: so many entries of one tenant, and of another. */
export interface SeedSize {
  readonly entries: number;
  readonly other: number;
}

interface Urls {
  readonly runtimeUrl: string;
  readonly ownerUrl: string;
}

const DAYS = 365;
const DAY_MS = 86_400_000;
const BATCH = 1_000;
const IN_FLIGHT = 2;
/** Waiting to be sealed; more are not stored meanwhile. */
const MOST_WAITING = 100_000;
const LOOK_MS = 500;
const GROUP_WIDTH = 16;

/**
 * Lifelike entries over a year, written as the server writes them and sealed by the server that runs on this database. It may
 * be broken off at any time, and goes on from there. Indexes but the primary keys are made at the end, which takes a fraction
 * of the time. Kept in `cache`: when it began, the indexes that are left out, and in the end the tenants.
 */
export async function seedTrail(cache: string, size: SeedSize, urls: Urls): Promise<SeededTenant[]> {
  const done = join(cache, 'seeded.json');
  if (existsSync(done)) return JSON.parse(readFileSync(done, 'utf8')) as SeededTenant[];
  mkdirSync(cache, { recursive: true });
  const owner = new pg.Pool({ connectionString: urls.ownerUrl, max: 2 });
  try {
    const { until, indexes } = await begin(cache, owner);
    for (const { name } of indexes) await owner.query(`drop index if exists ${name}`);
    const tenants: SeededTenant[] = [];
    for (const [seed, entries] of [
      ['bench', size.entries],
      ['bench, another', size.other],
    ] as const) {
      const plan = { seed, tenants: 1, entries, from: until - DAYS * DAY_MS, until };
      const [tenant] = sampleTenants(plan);
      for (let month = plan.from; month < until + DAY_MS; month += 28 * DAY_MS)
        await owner.query('select reel_ensure_month($1)', [new Date(Math.min(month, until)).toISOString()]);
      await store(urls, owner, plan, tenant!);
      tenants.push({ tenantId: tenant!.id, clientIds: [...tenant!.clientIds], entries });
    }
    await settled(owner, tenants);
    for (const { name, definition } of indexes) {
      say(`making ${name}`);
      const { rows } = await owner.query('select to_regclass($1) is null as missing', [name]);
      if (rows[0].missing) await owner.query(`set maintenance_work_mem = '1GB'; ${definition}`);
    }
    await owner.query('vacuum analyze');
    writeFileSync(done, JSON.stringify(tenants));
    say('');
    return tenants;
  } finally {
    await owner.end();
  }
}

interface Begun {
  /** Unix milliseconds. */
  until: number;
  indexes: { name: string; definition: string }[];
}

async function begin(cache: string, owner: pg.Pool): Promise<Begun> {
  const path = join(cache, 'seeding.json');
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Begun;
  const { rows } = await owner.query(`
    select c.relname as name, replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ') as definition
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid in ('reel_log_entries'::regclass, 'reel_log_search'::regclass)
      and not exists (select from pg_constraint where conindid = c.oid)`);
  const begun = { until: Math.floor(Date.now() / DAY_MS) * DAY_MS, indexes: rows };
  writeFileSync(path, JSON.stringify(begun));
  return begun;
}

async function store(
  { runtimeUrl }: Urls,
  owner: pg.Pool,
  plan: Parameters<typeof sampleEntries>[0],
  tenant: Parameters<typeof sampleEntries>[1],
): Promise<void> {
  const { rows } = await owner.query(
    'select id from reel_log_entries where tenant_id = $1 order by id desc offset $2 limit 1',
    [tenant.id, 2 * IN_FLIGHT * BATCH],
  );
  // Everything up to here is there for certain.
  const floor = (rows[0]?.id as string | undefined) ?? '';
  const database = await connectPool(runtimeUrl, IN_FLIGHT);
  const inFlight: Promise<void>[] = [];
  let number = 0;
  try {
    for (const batch of batches(sampleEntries(plan, tenant))) {
      number += batch.length;
      if (batch.at(-1)!.identity.id <= floor) continue;
      inFlight.push(
        (async () => {
          const ids = batch.map(({ identity }) => identity.id);
          const known = await owner.query(
            'select id from reel_log_entries where tenant_id = $1 and id >= $2 and id <= $3',
            [tenant.id, ids[0], ids.at(-1)],
          );
          const stored = new Set(known.rows.map(({ id }) => id as string));
          const entries = batch
            .filter(({ identity }) => !stored.has(identity.id))
            .map(({ identity, author, input }) => prepareEntry(checkInput(input, author), identity));
          if (entries.length > 0)
            await database.write([tenant.id], (execute) => storeEntries(execute, entries));
        })(),
      );
      if (inFlight.length === IN_FLIGHT) await inFlight.shift();
      if (number % (50 * BATCH) === 0) {
        say(`${number.toLocaleString('en')} of ${tenant.entries.toLocaleString('en')} entries stored`);
        while ((await waiting(owner)) > MOST_WAITING) await setTimeout(LOOK_MS);
      }
    }
    await Promise.all(inFlight);
  } finally {
    await Promise.allSettled(inFlight);
    await database.close();
  }
}

function* batches<T>(items: Iterable<T>): Generator<T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function waiting(owner: pg.Pool): Promise<number> {
  const { rows } = await owner.query('select count(*)::integer as n from reel_log_inbox');
  return (rows[0] as { n: number }).n;
}

/** Waits until all is sealed, and in the search index. */
async function settled(owner: pg.Pool, tenants: readonly SeededTenant[]): Promise<void> {
  for (;;) {
    const left = await waiting(owner);
    const { rows } = await owner.query(
      `select sum(greatest(0, t.entries - ${GROUP_WIDTH} + 1 - coalesce(
        (select max(first_seq) + ${GROUP_WIDTH - 1} from reel_log_search where tenant_id = t.id), 0)))::integer as n
       from unnest($1::uuid[], $2::integer[]) t(id, entries)`,
      [tenants.map(({ tenantId }) => tenantId), tenants.map(({ entries }) => entries)],
    );
    const unindexed = (rows[0] as { n: number }).n;
    if (left === 0 && unindexed === 0) return;
    say(`${left.toLocaleString('en')} to be sealed, ${unindexed.toLocaleString('en')} not searchable yet`);
    await setTimeout(LOOK_MS);
  }
}

const say = (text: string) => {
  if (text !== '') process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
};
