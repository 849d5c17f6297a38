import { MIGRATION_NAMES, MIGRATIONS_TABLE, type MigrationName } from './migration-names.js';
import { Migration20261124000000_trail } from './migrations/Migration20261124000000_trail.js';
import { Migration20261124000001_seal } from './migrations/Migration20261124000001_seal.js';
import { Migration20261124000002_retention } from './migrations/Migration20261124000002_retention.js';
import { Migration20261124000003_kept } from './migrations/Migration20261124000003_kept.js';
import { Migration20261129000000_records } from './migrations/Migration20261129000000_records.js';
import { Migration20261129000001_search } from './migrations/Migration20261129000001_search.js';
import { Migration20261129000002_walls } from './migrations/Migration20261129000002_walls.js';
import { Migration20261129000003_sealing } from './migrations/Migration20261129000003_sealing.js';
import { Migration20261129000004_counts } from './migrations/Migration20261129000004_counts.js';
import { Migration20261129000005_policies } from './migrations/Migration20261129000005_policies.js';
import { Migration20261129000006_waiting } from './migrations/Migration20261129000006_waiting.js';
import { Migration20261129000007_search_nodes } from './migrations/Migration20261129000007_search_nodes.js';
import { Migration20261129000010_streams } from './migrations/Migration20261129000010_streams.js';
import { Migration20261129000020_value_counts } from './migrations/Migration20261129000020_value_counts.js';
import { Migration20261129000030_actions } from './migrations/Migration20261129000030_actions.js';
import { Migration20261129000040_views } from './migrations/Migration20261129000040_views.js';
import { Migration20261130000000_stream_nodes } from './migrations/Migration20261130000000_stream_nodes.js';
import { Migration20261130000001_reads } from './migrations/Migration20261130000001_reads.js';
import { Migration20261130000002_grave } from './migrations/Migration20261130000002_grave.js';
import { Migration20261130000003_failing_in_time } from './migrations/Migration20261130000003_failing_in_time.js';
import type { Migration, MigrationDriver } from './migrations/migration.js';

const CLASSES: Record<MigrationName, new (driver: MigrationDriver) => Migration> = {
  Migration20261124000000_trail,
  Migration20261124000001_seal,
  Migration20261124000002_retention,
  Migration20261124000003_kept,
  Migration20261129000000_records,
  Migration20261129000001_search,
  Migration20261129000002_walls,
  Migration20261129000003_sealing,
  Migration20261129000004_counts,
  Migration20261129000005_policies,
  Migration20261129000006_waiting,
  Migration20261129000007_search_nodes,
  Migration20261129000010_streams,
  Migration20261129000020_value_counts,
  Migration20261129000030_actions,
  Migration20261129000040_views,
  Migration20261130000000_stream_nodes,
  Migration20261130000001_reads,
  Migration20261130000002_grave,
  Migration20261130000003_failing_in_time,
};

/** In their order, for MikroORM's command line too. */
export const MIGRATIONS = MIGRATION_NAMES.map((name) => ({ name, class: CLASSES[name] }));

/** As MikroORM's command line makes it. */
const CREATE_TABLE = `create table if not exists ${MIGRATIONS_TABLE}
  (id serial primary key, name varchar(255) not null, executed_at timestamptz not null default current_timestamp)`;

/** Applies what is not yet applied, in the transaction that `driver` runs statements in. Returns the names. */
export async function applyPending(driver: MigrationDriver, transaction: unknown): Promise<string[]> {
  const execute = (sql: string) => driver.execute(sql, undefined, 'all', transaction);
  await execute(CREATE_TABLE);
  const rows = (await execute(`select name from ${MIGRATIONS_TABLE}`)) as { name: string }[];
  const present = new Set(rows.map(({ name }) => name));
  const pending = MIGRATIONS.filter(({ name }) => !present.has(name));
  for (const { name, class: Pending } of pending) {
    const migration = new Pending(driver);
    migration.setTransactionContext(transaction);
    await migration.up();
    for (const statement of migration.getQueries()) await execute(statement);
    await execute(`insert into ${MIGRATIONS_TABLE} (name) values ('${name}')`);
  }
  return pending.map(({ name }) => name);
}
