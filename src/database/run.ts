import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
} from 'kysely';
import type { ClientBase } from 'pg';
import { type CopiedRow, copyOut } from './copy-out.js';

export type Row = Record<string, unknown>;

/** A statement: an `sql` fragment, or text with its parameters ready. */
export type Statement = RawBuilder<unknown> | CompiledQuery;

/** Runs one statement in the transaction that it was given for. */
export type Run = <R extends Row = Row>(statement: Statement) => Promise<R[]>;

/** Reads in a transaction that sees one moment. */
export interface Snapshot extends Run {
  /**
   * Hands a query's rows, of so many columns, to `read` as COPY sends them: several times as quick as parsed rows, for
   * many. The query has no parameters, only literals.
   */
  copy(query: RawBuilder<unknown>, columns: number, read: (row: CopiedRow) => void): Promise<void>;
}

/** Turns `sql` fragments into text and parameters; never connected to anything. */
const compiler = new Kysely<unknown>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

export const compile = (statement: Statement): CompiledQuery =>
  'compile' in statement ? statement.compile(compiler) : statement;

export const readingAs = (tenantId: string) => `set local reel.tenant_id = '${tenantId}'`;

/** Names the tenants of a transaction that writes; the ids are checked UUIDs, since SET takes no parameters. */
export const writingAs = (tenantIds: readonly string[]) =>
  `set local reel.tenant_ids = '${tenantIds.join(',')}'`;

/** Statements on one connection, in the order asked for; `end` waits for those under way and lets no more through. */
export function runOn(client: ClientBase): { run: Snapshot; end: () => Promise<void> } {
  let last: Promise<unknown> = Promise.resolve();
  let isOver = false;
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const once = () => {
      if (isOver) throw new Error('expected a statement within its transaction, which is over');
      return work();
    };
    const next = last.then(once, once);
    last = next;
    return next;
  };
  const run = <R extends Row>(statement: Statement) => {
    const { sql, parameters } = compile(statement);
    return inTurn(async () => (await client.query(sql, [...parameters])).rows as R[]);
  };
  const copy: Snapshot['copy'] = (query, columns, read) =>
    inTurn(() => copyOut(client, compile(query).sql, columns, read));
  const end = async () => {
    isOver = true;
    await last.catch(() => {});
  };
  return { run: Object.assign(run, { copy }), end };
}
