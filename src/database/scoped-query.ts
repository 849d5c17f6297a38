import pg, { type ClientBase } from 'pg';
import { CountedQuery, type DataRow, type QueryCallback } from './counted-query.js';
import type { Row } from './execute.js';

/** What a statement that reads one tenant is bound by. */
export interface ReadScope {
  readonly tenantId: string;
  /** The longest that it may run; null: as long as the connection lets it. */
  readonly statementMs: number | null;
  /** See ReadOptions. */
  readonly inIndexOrder: boolean;
}

export interface ScopedOptions {
  readonly scope: ReadScope;
  /** Prepares the statement, whose texts are few, and plans it without regard to its parameters; else it is planned each time. */
  readonly isKept: boolean;
  /** Called once the transaction has begun. Without it nothing is heard of that before the rows. */
  readonly onBegun: (() => void) | null;
  /** Is told the bytes of each row. */
  readonly took: (bytes: number) => void;
}

/** What the driver has of a connection, though its types do not say so. */
interface WireConnection {
  readonly stream: { cork(): void; uncork(): void };
  parse(query: { name?: string; text: string }): void;
  bind(config: { statement?: string; values: readonly unknown[] }): void;
  describe(message: { type: 'P'; name: string }): void;
  execute(config: object): void;
  close(message: { type: 'S'; name: string }): void;
  flush(): void;
  sync(): void;
}

interface Field {
  readonly name: string;
}

/** What the driver calls, likewise. */
const driver = pg.Query.prototype as unknown as {
  prepare(connection: object): void;
  handleRowDescription(message: { fields: Field[] }): void;
  handleCommandComplete(message: object, connection: object): void;
  handleError(error: Error, connection: object): void;
};

/** A statement that a connection has prepared, or is about to. */
interface Prepared {
  readonly name: string;
  /** The columns of its rows, once they are known. */
  fields: Field[] | null;
}

/** What a connection has prepared, by text, and names that it may have and nobody needs. */
interface Known {
  readonly statements: Map<string, Prepared>;
  readonly stale: string[];
}

/** Statements that a connection keeps prepared; the one that was not used for longest goes. */
const MOST_PREPARED = 64;

const knownOn = new WeakMap<object, Known>();
let names = 0;

/**
 * One statement in a read-only transaction of its own, in one round trip: what bounds it goes before it in one series of
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
    super(sql, values, options.took, callback);
  }

  /** Errors: what `took` throws, and the database's. */
  static read(
    client: ClientBase,
    sql: string,
    values: readonly unknown[],
    options: ScopedOptions,
  ): Promise<Row[]> {
    return CountedQuery.submitted(client, (callback) => new ScopedQuery(sql, [...values], options, callback));
  }

  /** Called by the driver when it is this query's turn. */
  override submit = (driven: pg.Connection): null => {
    const connection = driven as unknown as WireConnection;
    const { scope, isKept, onBegun } = this.options;
    connection.stream.cork();
    try {
      const [opening, values] = openingOf(scope);
      connection.bind({ statement: this.prepare(connection, opening).name, values });
      connection.execute({});
      if (onBegun) connection.flush();
      const statement = isKept ? this.prepare(connection, this.sql) : null;
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
    if (this.statement?.fields) driver.handleRowDescription.call(this, { fields: this.statement.fields });
  }

  handleError(error: Error, connection: object): void {
    // Whether they are prepared depends on where it went wrong.
    for (const each of this.forget) each();
    driver.handleError.call(this, error, connection);
  }

  /** The statement as prepared on the connection; sends what prepares it, unless it is. */
  private prepare(connection: WireConnection, text: string): Prepared {
    const known = knownOn.get(connection) ?? { statements: new Map<string, Prepared>(), stale: [] };
    knownOn.set(connection, known);
    const { statements, stale } = known;
    const present = statements.get(text);
    if (present) {
      statements.delete(text);
      statements.set(text, present);
      return present;
    }
    const [oldest] = statements;
    if (oldest && statements.size >= MOST_PREPARED) {
      statements.delete(oldest[0]);
      stale.push(oldest[1].name);
    }
    // To close one that is not there is no error.
    for (const name of stale.splice(0)) connection.close({ type: 'S', name });
    names += 1;
    const statement: Prepared = { name: `reel_${names}`, fields: null };
    connection.parse({ name: statement.name, text });
    statements.set(text, statement);
    this.forget.push(() => {
      if (statements.get(text) === statement) statements.delete(text);
      stale.push(statement.name);
    });
    return statement;
  }
}

/** To be called after an error that says that what was prepared is not there, or not as it was. */
export function forgetPrepared(client: ClientBase): void {
  const { connection } = client as unknown as { connection: object };
  const known = knownOn.get(connection);
  if (!known) return;
  known.stale.push(...[...known.statements.values()].map(({ name }) => name));
  known.statements.clear();
}

/** SQL that opens the transaction, and its parameters. */
function openingOf({ tenantId, statementMs, inIndexOrder }: ReadScope): [text: string, values: string[]] {
  const settings = [
    `set_config('reel.tenant_id', $1, true)`,
    `set_config('transaction_read_only', 'on', true)`,
    `set_config('plan_cache_mode', 'force_generic_plan', true)`,
    ...(statementMs === null ? [] : [`set_config('statement_timeout', $2, true)`]),
    // Without statistics a sort may look cheaper than the index that has the order, as may, to a plan that was made then, the
    // scan of a month that was empty.
    ...(inIndexOrder ? ['sort', 'seqscan'].map((way) => `set_config('enable_${way}', 'off', true)`) : []),
  ];
  const bound = statementMs === null ? [] : [String(Math.max(1, Math.round(statementMs)))];
  return [`select ${settings.join(', ')}`, [tenantId, ...bound]];
}
