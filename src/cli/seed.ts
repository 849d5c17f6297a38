import type { Command } from 'commander';
import { sql } from 'kysely';
import type { Database } from '../database/database.js';
import { connectPool } from '../database/session.js';
import { checkInput } from '../log/entry/check-entry.js';
import { type PreparedEntry, prepareEntry } from '../log/write/prepare.js';
import { storeEntries } from '../log/write/store.js';
import { type SamplePlan, type SampleTenant, sampleEntries, sampleTenants } from '../sample/entries.js';
import type { Signer } from '../seal/note.js';
import { Sealer } from '../seal/sealer.js';
import { Sequencer } from '../seal/sequencer.js';
import { publishKey } from '../seal/signing-keys.js';
import { type CommandContext, exit1, Problem, refuseProduction } from './context.js';
import { withRuntimeRole } from './database.js';
import { integerOption, required, textOption } from './options.js';
import { commandSigner } from './signer.js';

interface SeedOptions {
  entries?: number;
  tenants: number;
  days: number;
  seed: string;
  json?: boolean;
}

const DAY_MS = 86_400_000;
const BATCH = 1_000;
/** Batches in flight, each on its own connection; more are slower. */
const CONNECTIONS = 2;
const UNIQUE_VIOLATION = '23505';

export function seedCommand(program: Command, context: CommandContext): void {
  program
    .command('seed')
    .summary('store lifelike sample entries in bulk (development only)')
    .description(
      'store lifelike sample entries in bulk, up to the last midnight UTC (development only); prints a line per tenant: its id, the ids of its clients and its number of entries',
    )
    .option(
      '--entries <n>',
      'number of entries, over all tenants (required)',
      integerOption(1, 1_000_000_000),
    )
    .option('--tenants <n>', 'number of tenants, the first being the largest', integerOption(1, 10_000), 1)
    .option('--days <n>', 'number of days that the entries are spread over', integerOption(1, 3_650), 30)
    .option(
      '--seed <text>',
      'seed of the generator: the same one yields the same entries all day',
      textOption(100),
      '1',
    )
    .option('--json', 'print the result as JSON')
    .addHelpText('after', exit1('a tenant of this seed has or had entries'))
    .action(async (options: SeedOptions, command: Command) => {
      const config = context.config();
      refuseProduction(config, 'seed');
      const { tenants, days, seed } = options;
      const entries = required(options.entries, '--entries <n>');
      if (entries < tenants)
        command.error(
          `error: expected at least one entry per tenant, got --entries ${entries} for --tenants ${tenants}`,
        );
      const until = Math.floor(Date.now() / DAY_MS) * DAY_MS;
      const plan = { seed, tenants, entries, from: until - days * DAY_MS, until };
      const signer = await commandSigner(config);
      const seeded = await withRuntimeRole(config, (url) =>
        seedDatabase(url, signer, plan, context.progress),
      ).finally(() => context.progress(''));
      context.print(
        options,
        seeded.map(({ id, clientIds, entries: count }) => ({ tenantId: id, clientIds, entries: count })),
        seeded.map((tenant) => `${tenant.id} ${tenant.clientIds.join(',')} ${tenant.entries}`).join('\n'),
      );
    });
}

/** Stores a plan's entries, sealed and counted like any others. Errors: Problem if one of its tenants has entries already. */
async function seedDatabase(
  url: string,
  signer: Signer,
  plan: SamplePlan,
  progress: (line: string) => void,
): Promise<SampleTenant[]> {
  const database = await connectPool(url, CONNECTIONS + 1);
  try {
    const tenants = sampleTenants(plan);
    for (const tenant of tenants) await refuseSeeded(database, tenant, plan.seed);
    for (let month = plan.from; month < plan.until + DAY_MS; month += 28 * DAY_MS)
      await database.system(
        sql`select reel_ensure_month(${new Date(Math.min(month, plan.until)).toISOString()}::timestamptz)`,
      );
    await publishKey(database, signer);
    const sequencer = new Sequencer(database, new Sealer(signer));
    let sealing: Promise<unknown> = Promise.resolve();
    let stored = 0;
    for (const tenant of tenants) {
      for await (const batch of store(database, plan, tenant)) {
        stored += batch;
        progress(`${stored} of ${plan.entries} entries stored`);
      }
      // Generates the next tenant's entries while this one's are sealed.
      await sealing;
      sealing = sequencer.catchUp(tenant.id);
      sealing.catch(() => {});
    }
    progress(`${stored} entries stored, waiting for them to be sealed`);
    await sealing;
    return tenants;
  } finally {
    await database.close();
  }
}

/** Sequence numbers outlive a cleanup, and an entry can have only one. */
async function refuseSeeded(database: Database, { id }: SampleTenant, seed: string): Promise<void> {
  const found = await database.read(id, (execute) =>
    execute(sql`
      (select from reel_log_entries where tenant_id = ${id}::uuid limit 1) union all
      (select from reel_log_sequence where tenant_id = ${id}::uuid limit 1)`),
  );
  if (found.length > 0) throw alreadySeeded(id, seed);
}

const alreadySeeded = (tenantId: string, seed: string) =>
  new Problem(
    `--seed: expected a seed that was not used here before, got ${seed}, whose tenant ${tenantId} has or had entries`,
  );

/** Yields the size of each batch once it is on disk. */
async function* store(database: Database, plan: SamplePlan, tenant: SampleTenant): AsyncGenerator<number> {
  const inFlight: Promise<number>[] = [];
  const commit = async (batch: readonly PreparedEntry[]) => {
    try {
      await database.write([tenant.id], (execute) => storeEntries(execute, batch));
    } catch (error) {
      // Another seed at the same time.
      throw (error as { code?: string }).code === UNIQUE_VIOLATION
        ? alreadySeeded(tenant.id, plan.seed)
        : error;
    }
    return batch.length;
  };
  let batch: PreparedEntry[] = [];
  const send = () => {
    const committed = commit(batch);
    committed.catch(() => {});
    inFlight.push(committed);
    batch = [];
  };
  for (const { identity, author, input } of sampleEntries(plan, tenant)) {
    batch.push(prepareEntry(checkInput(input, author), identity));
    if (batch.length < BATCH) continue;
    send();
    if (inFlight.length === CONNECTIONS) yield await inFlight.shift()!;
  }
  if (batch.length > 0) send();
  for (const committed of inFlight) yield await committed;
}
