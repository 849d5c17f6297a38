/** Which of them were applied. */
export const MIGRATIONS_TABLE = 'reel_migrations';

/** Every migration, oldest first. Listed, rather than found in a directory, so that a bundle contains them all. */
export const MIGRATION_NAMES = [
  'Migration20261124000000_trail',
  'Migration20261124000001_seal',
  'Migration20261124000002_retention',
  'Migration20261124000003_kept',
  'Migration20261129000000_records',
  'Migration20261129000001_search',
  'Migration20261129000002_walls',
  'Migration20261129000003_sealing',
  'Migration20261129000004_counts',
  'Migration20261129000005_policies',
  'Migration20261129000006_waiting',
  'Migration20261129000007_search_nodes',
  'Migration20261129000010_streams',
  'Migration20261129000020_value_counts',
  'Migration20261129000030_actions',
  'Migration20261129000040_views',
  'Migration20261130000000_stream_nodes',
  'Migration20261130000001_reads',
  'Migration20261130000002_grave',
  'Migration20261130000003_failing_in_time',
] as const;

export type MigrationName = (typeof MIGRATION_NAMES)[number];
