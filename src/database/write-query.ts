import type { CompiledQuery } from 'kysely';
import pg, { type ClientBase } from 'pg';
import { prepareOn, type WireConnection } from './prepared.js';

/** What the driver calls, though its types do not say so. */
const driver = pg.Query.prototype as unknown as {
  prepare(connection: object): void;
  handleError(error: Error, connection: object): void;
};

const OPENING = `select set_config('reel.tenant_ids', $1, true), set_config('plan_cache_mode', 'force_generic_plan', true)`;

/**
 * Statements that answer no rows, in a transaction of their own, in one round trip: all are carried out or none is. Each text is
 * prepared once for a connection, so there must be few.
 */
export class WriteQuery extends pg.Query {
  /** Forget what was prepared for it. */
  private readonly forget: (() => void)[] = [];

  private constructor(
    private readonly tenantIds: readonly string[],
    private readonly statements: readonly CompiledQuery[],
    callback: (error: Error | undefined) => void,
  ) {
    super('', [], callback as never);
  }

  /** `tenantIds`: whose rows are written. Errors: the database's. */
  static write(
    client: ClientBase,
    tenantIds: readonly string[],
    statements: readonly CompiledQuery[],
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      client.query(new WriteQuery(tenantIds, statements, (error) => (error ? reject(error) : resolve())));
    });
  }

  /** Called by the driver when it is this query's turn. */
  override submit = (driven: pg.Connection): null => {
    const connection = driven as unknown as WireConnection;
    connection.stream.cork();
    try {
      const opening = prepareOn(connection, OPENING, this.forget);
      connection.bind({ statement: opening.name, values: [this.tenantIds.join(',')] });
      connection.execute({});
      for (const { sql, parameters } of this.statements) {
        const { name: statement } = prepareOn(connection, sql, this.forget);
        // What the driver would send for a statement without a name, without what ends it.
        driver.prepare.call(new pg.Query(sql, [...parameters]), {
          parsedStatements: {},
          submittedNamedStatements: {},
          parse: () => {},
          bind: (config: { values: unknown[] }) => connection.bind({ ...config, statement }),
          describe: () => {},
          execute: (config: object) => connection.execute(config),
          close: () => {},
          sync: () => {},
        });
      }
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
    return null;
  };

  handleDataRow(): void {}

  handleCommandComplete(): void {}

  handleError(error: Error, connection: object): void {
    // Whether they are prepared depends on where it went wrong.
    for (const each of this.forget) each();
    driver.handleError.call(this, error, connection);
  }
}
