import { sql } from 'kysely';
import type { Database } from '../database/database.js';
import { checkInput } from '../log/entry/check-entry.js';
import { type PreparedEntry, prepareEntry } from '../log/write/prepare.js';
import { storeEntries } from '../log/write/store.js';
import { type SampleEntry, type SampleTenant, sampleEntries, sampleTenants } from './entries.js';

const DAYS = 14;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const BATCH = 1_000;

const SEED = 'demo';
const size = { tenants: 2, entries: 4_000 };

/** The two tenants of the demo, always the same; `entries` is how many a first start generates. */
export const demoTenants = (): SampleTenant[] => sampleTenants({ seed: SEED, ...size, from: 0, until: 0 });

/** New entries for a tenant at each call, as frequent as its past ones. */
export const demoEntries = (tenant: SampleTenant, from: number, until: number): Generator<SampleEntry> =>
  sampleEntries({ seed: `${SEED} ${from}`, ...size, from, until }, tenant);

/**
 * Fills a tenant's trail up to `now` (Unix milliseconds): its last two weeks, or what is missing since it last ran.
 * Returns how many entries it added and whether the trail is new.
 */
export async function fillPast(
  database: Database,
  tenant: SampleTenant,
  now: number,
): Promise<{ added: number; isNew: boolean }> {
  const newest = await newestOf(database, tenant.id);
  const since = Math.max(newest ?? 0, now - DAYS * DAY_MS);
  const [from, until] = [Math.ceil(since / HOUR_MS) * HOUR_MS, Math.ceil(now / HOUR_MS) * HOUR_MS];
  if (from >= now) return { added: 0, isNew: false };
  const entries = Math.max(1, Math.round((tenant.entries * (until - from)) / (DAYS * DAY_MS)));
  const batch: PreparedEntry[] = [];
  for (const { identity, author, input } of demoEntries({ ...tenant, entries }, from, until))
    if (Date.parse(identity.createdAt) < now) batch.push(prepareEntry(checkInput(input, author), identity));
  await storePast(database, batch);
  return { added: batch.length, isNew: newest === null };
}

/** Stores entries of one tenant as if they had been written at their createdAt. */
export async function storePast(database: Database, entries: readonly PreparedEntry[]): Promise<void> {
  const months = new Set(entries.map(({ entry }) => `${entry.createdAt.slice(0, 7)}-01T00:00:00Z`));
  for (const month of months) await database.system(sql`select reel_ensure_month(${month}::timestamptz)`);
  for (let at = 0; at < entries.length; at += BATCH) {
    const batch = entries.slice(at, at + BATCH);
    await database.write([batch[0]!.entry.tenantId], (execute) => storeEntries(execute, batch));
  }
}

async function newestOf(database: Database, tenantId: string): Promise<number | null> {
  const [row] = await database.read(tenantId, (execute) =>
    execute<{ at: string }>(sql`
      select (extract(epoch from created_at) * 1000)::bigint::text as at from reel_log_entries
      where tenant_id = ${tenantId}::uuid and module <> 'reel' order by id desc limit 1`),
  );
  return row ? Number(row.at) : null;
}
