import pg, { type ClientBase } from 'pg';
import { type CountedOptions, CountedQuery, type DataRow, type QueryCallback } from './counted-query.js';
import type { Row } from './execute.js';
import { type Field, type Prepared, prepareOn, type WireConnection } from './prepared.js';
import type { TextRow } from './text-rows.js';

/** What a statement that reads one tenant is bound by. */
export interface ReadScope {
  readonly tenantId: string;
  /** The longest that it may run; null: as long as the connection lets it. */
  readonly statementMs: number | null;
  /** See ReadOptions. */
  readonly inIndexOrder: boolean;
}

export interface ScopedOptions extends CountedOptions {
  /** null: within a transaction that has begun. */
  readonly scope: ReadScope | null;
  /** Prepares the statement, whose texts are few, and plans it without regard to its parameters; else it is planned each time. */
  readonly isKept: boolean;
  /** Called once the transaction has begun. Without it nothing is heard of that before the rows. */
  readonly onBegun: (() => void) | null;
}

/** What the driver calls, though its types do not say so. */
const driver = pg.Query.prototype as unknown as {
  prepare(connection: object): void;
  handleRowDescription(message: { fields: Field[] }): void;
  handleCommandComplete(message: object, connection: object): void;
  handleError(error: Error, connection: object): void;
};

/**
 * One statement, in a read-only transaction of its own or in one that has begun, in one round trip: what bounds it goes before it in one series of
 * messages, whose end commits (PostgreSQL's manual, "Pipelining").
 */
export class ScopedQuery extends CountedQuery {
  private isBegun = false;
  private statement: Prepared | null = null;
  /** Forget what was prepared for it. */
  private readonly forget: (() => void)[] = [];

  private constructor(
    private readonly sql: string,
    values: unknown[],
    private readonly options: ScopedOptions,
    callback: QueryCallback,
  ) {
    super(sql, values, options, callback);
  }

  /** Errors: what `took` throws, and the database's. */
  static read(
    client: ClientBase,
    sql: string,
    values: readonly unknown[],
    options: ScopedOptions,
  ): Promise<(Row | TextRow)[]> {
    return CountedQuery.submitted(client, (callback) => new ScopedQuery(sql, [...values], options, callback));
  }

  /** Called by the driver when it is this query's turn. */
  override submit = (driven: pg.Connection): null => {
    const connection = driven as unknown as WireConnection;
    const { scope, isKept, onBegun } = this.options;
    connection.stream.cork();
    try {
      if (scope) {
        const [opening, values] = openingOf(scope);
        connection.bind({ statement: prepareOn(connection, opening, this.forget).name, values });
        connection.execute({});
        if (onBegun) connection.flush();
      }
      const statement = isKept ? prepareOn(connection, this.sql, this.forget) : null;
      this.statement = statement;
      // What the driver would send for a statement without a name.
      driver.prepare.call(this, {
        parsedStatements: {},
        submittedNamedStatements: {},
        parse: ({ text }: { text: string }) => {
          if (!statement) connection.parse({ text });
        },
        bind: (config: { values: unknown[] }) =>
          connection.bind(statement ? { ...config, statement: statement.name } : config),
        describe: (message: { type: 'P'; name: string }) => {
          if (!statement?.fields) connection.describe(message);
        },
        execute: (config: object) => connection.execute(config),
        close: () => {},
        sync: () => connection.sync(),
      });
      if (!scope) this.begin();
    } finally {
      connection.stream.uncork();
    }
    return null;
  };

  handleRowDescription(message: { fields: Field[] }): void {
    if (this.statement) this.statement.fields = message.fields;
    driver.handleRowDescription.call(this, message);
  }

  override handleDataRow(row: DataRow): void {
    // The first is that of the settings.
    if (this.isBegun) super.handleDataRow(row);
  }

  handleCommandComplete(message: object, connection: object): void {
    if (this.isBegun) driver.handleCommandComplete.call(this, message, connection);
    else this.begin();
  }

  private begin(): void {
    this.isBegun = true;
    this.options.onBegun?.();
    // Asked for once, since they stay as they are.
    if (this.statement?.fields && !this.options.isText)
      driver.handleRowDescription.call(this, { fields: this.statement.fields });
  }

  handleError(error: Error, connection: object): void {
    // Whether they are prepared depends on where it went wrong.
    for (const each of this.forget) each();
    driver.handleError.call(this, error, connection);
  }
}

/** SQL that opens the transaction, and its parameters. */
function openingOf({ tenantId, statementMs, inIndexOrder }: ReadScope): [text: string, values: string[]] {
  const text = OPENINGS[statementMs === null ? 'unbounded' : 'bounded'][inIndexOrder ? 'inOrder' : 'inAny'];
  const bound = statementMs === null ? [] : [String(Math.max(1, Math.round(statementMs)))];
  return [text, [tenantId, ...bound]];
}

const opening = (...settings: string[]): string =>
  `select ${[
    `set_config('reel.tenant_id', $1, true)`,
    `set_config('transaction_read_only', 'on', true)`,
    `set_config('plan_cache_mode', 'force_generic_plan', true)`,
    ...settings,
  ].join(', ')}`;
const BOUNDED = `set_config('statement_timeout', $2, true)`;
// Without statistics a sort may look cheaper than the index that has the order, as may, to a plan that was made then, the
// scan of a month that was empty.
const IN_ORDER = ['sort', 'seqscan'].map((way) => `set_config('enable_${way}', 'off', true)`);
const OPENINGS = {
  bounded: { inAny: opening(BOUNDED), inOrder: opening(BOUNDED, ...IN_ORDER) },
  unbounded: { inAny: opening(), inOrder: opening(...IN_ORDER) },
};
