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
 * Statements that answer no rows, in one round trip: in a transaction of their own, of which all are carried out or none is, or in the
 * one that is open. Those with a name are prepared once for a connection.
 */
export class WriteQuery extends pg.Query {
  /** Forget what was prepared for it. */
  private readonly forget: (() => void)[] = [];

  private constructor(
    private readonly tenantIds: readonly string[] | null,
    private readonly statements: readonly CompiledQuery[],
    callback: (error: Error | undefined) => void,
  ) {
    super('', [], callback as never);
  }

  /** `tenantIds`: whose rows are written, in a transaction of its own; null: in the one that is open. Errors: the database's. */
  static write(
    client: ClientBase,
    tenantIds: readonly string[] | null,
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
      if (this.tenantIds !== null) {
        const opening = prepareOn(connection, OPENING, this.forget);
        connection.bind({ statement: opening.name, values: [this.tenantIds.join(',')] });
        connection.execute({});
      }
      for (const each of this.statements) {
        const { sql, parameters } = each;
        const statement = 'name' in each ? prepareOn(connection, sql, this.forget).name : '';
        // What the driver would send for a statement without a name, without what ends it.
        driver.prepare.call(new pg.Query(sql, [...parameters]), {
          parsedStatements: {},
          submittedNamedStatements: {},
          parse: ({ text }: { text: string }) => {
            if (statement === '') connection.parse({ text });
          },
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
