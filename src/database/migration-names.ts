/** Every migration, oldest first. Named here, not found in a folder, so that a bundle or package has them all. */
export const MIGRATION_NAMES = [
  'Migration20261124000000_trail',
  'Migration20261124000001_seal',
  'Migration20261124000002_retention',
  'Migration20261124000003_kept',
  'Migration20261129000000_records',
] as const;

export type MigrationName = (typeof MIGRATION_NAMES)[number];
