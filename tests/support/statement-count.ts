import type { ReadDatabase } from '../../src/database/database.js';

/** The same database, whose single statements are counted. */
export function countingStatements(database: ReadDatabase): { database: ReadDatabase; count(): number } {
  let statements = 0;
  return {
    database: {
      read: (tenant, work, options) => database.read(tenant, work, options),
      query: (tenant, statement, options) => {
        statements += 1;
        return database.query(tenant, statement, options);
      },
    },
    count: () => statements,
  };
}
