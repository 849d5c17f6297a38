/** An advisory lock for whatever changes the tables: every process that does so must use the same. */
export const MIGRATION_LOCK = 7_237_533;
