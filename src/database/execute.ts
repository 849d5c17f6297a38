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
import { answerWithin } from './answer-within.js';
import type { Call } from './call.js';
import { Cancelling } from './cancel.js';
import { type CopiedRow, copiedBytes, copyOut } from './copy-out.js';
import { CountedQuery, type RowMeter } from './counted-query.js';
import { LiteralCompiler } from './literal.js';
import { type ScopedOptions, ScopedQuery } from './scoped-query.js';
import type { TextRow } from './text-rows.js';
import { WriteQuery } from './write-query.js';

export type Row = Record<string, unknown>;

export type { TextRow };

/** An `sql` fragment, or SQL text with its parameters. */
export type Statement = RawBuilder<unknown> | CompiledQuery;

/** A statement whose rows need not be parsed: each is a TextRow, but with a host's EntityManager. */
export interface TextStatement extends CompiledQuery {
  readonly isText: true;
}

/** A statement of fixed text, which a connection keeps prepared under its name where Execute.prepares. */
export interface PreparedStatement extends CompiledQuery {
  /** Of one text alone. */
  readonly name: string;
}

/** Executes one statement in the transaction that it was handed out for. */
export interface Execute {
  <R extends Row | TextRow = Row>(statement: Statement): Promise<R[]>;
  /**
   * Whether statements are kept prepared, and one may write to several tables. Not on a host's connections, behind a pooler
   * that hands them round, or where the database is distributed.
   */
  readonly prepares?: boolean;
  /** Executes statements that answer no rows, one after the other, in one round trip. See carryOut. */
  together?(statements: readonly Statement[]): Promise<void>;
}

/** Executes statements that all see one snapshot of the database. */
export interface Snapshot extends Execute {
  /**
   * Passes the rows of a query with so many `columns` to `read` in COPY's binary format, which for many rows is several
   * times as fast as parsed ones. Its parameters become literals.
   */
  copy(query: RawBuilder<unknown>, columns: number, read: (row: CopiedRow) => void): Promise<void>;
  /** The rows in that format, with header and trailer. Errors: RowsTooLong where they have more than `most` bytes. */
  copyBytes(query: RawBuilder<unknown>, most: number): Promise<Buffer>;
}

/** Executes statements that answer no rows, one after the other, in as few round trips as may be. */
export async function carryOut(execute: Execute, statements: readonly Statement[]): Promise<void> {
  if (statements.length === 0) return;
  if (execute.together) await execute.together(statements);
  else for (const statement of statements) await execute(statement);
}

/** Keeps statements that answer no rows, to be carried out later. */
export function collecting(): { store: Execute; stored: Statement[] } {
  const stored: Statement[] = [];
  return {
    stored,
    store: async (statement) => {
      stored.push(statement);
      return [];
    },
  };
}

/** Compiles `sql` fragments; it never connects. */
const compilerWith = (queryCompiler: PostgresQueryCompiler) =>
  new Kysely<unknown>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => queryCompiler,
    },
  });

/** To text and parameters. */
const compiler = compilerWith(new PostgresQueryCompiler());
/** To text alone. */
const literally = compilerWith(new LiteralCompiler());

export const compile = (statement: Statement): CompiledQuery =>
  'compile' in statement ? statement.compile(compiler) : statement;

/** The statement, to be read without parsing its rows. */
export const asText = (statement: Statement): TextStatement => ({ ...compile(statement), isText: true });

const isPrepared = (query: CompiledQuery): query is PreparedStatement => 'name' in query;

/** SQL that lets a transaction read one tenant. `tenantId` is a validated UUID, since SET takes no parameters. */
export const readTenantSql = (tenantId: string) => `set local reel.tenant_id = '${tenantId}'`;

/**
 * SQL that lets a transaction seal these tenants, which are validated UUIDs, and keeps its plans to nested loops over indexes:
 * what waits to be sealed is never as the planner's statistics have it.
 */
export const sealTenantsSql = (tenantIds: readonly string[]) => [
  `set local reel.sealing_ids = '${tenantIds.join(',')}'`,
  ...['seqscan', 'bitmapscan', 'hashjoin', 'mergejoin'].map((way) => `set local enable_${way} = off`),
];

/** SQL that bounds a transaction's statements, and keeps its plans to what their text says. */
export const readSettingsSql = ({
  statementMs,
  inIndexOrder,
  joinsOnce,
  isKept,
}: {
  statementMs?: number;
  inIndexOrder?: boolean;
  joinsOnce?: boolean;
  isKept?: boolean;
}) => [
  ...(statementMs === undefined
    ? []
    : [`set local statement_timeout = ${Math.max(1, Math.round(statementMs))}`]),
  // Without statistics a sort may look cheaper than the index that has the order.
  ...(inIndexOrder ? ['set local enable_sort = off'] : []),
  // Without statistics a nested loop looks cheap, and takes the square.
  ...(joinsOnce ? ['set local enable_nestloop = off'] : []),
  // To a plan that was made then, the scan of a month that was empty looks cheaper than its index.
  ...(isKept ? ['set local plan_cache_mode = force_generic_plan', 'set local enable_seqscan = off'] : []),
];

/** SQL that lets a transaction write these tenants. The ids are validated UUIDs, since SET takes no parameters. */
export const writeTenantsSql = (tenantIds: readonly string[]) =>
  `set local reel.tenant_ids = '${tenantIds.join(',')}'`;

const KEPT = { scope: null, isKept: true, onBegun: null };

/** Statements on one connection, one after another. */
export interface Executor {
  execute: Snapshot;
  /** Waits for the pending ones and refuses further ones. Nothing reaches the connection any more once it resolves. */
  end: () => Promise<void>;
}

export interface ExecutorOptions {
  call?: Call | undefined;
  meter?: RowMeter | undefined;
  answerMs?: number | null;
  /** See Execute. */
  prepares?: boolean;
  /** Whether each statement is prepared once for the connection (ReadOptions.isKept). */
  keeps?: boolean;
  /** Each statement is a transaction of its own, which reads what this says. */
  scoped?: Omit<ScopedOptions, 'isText' | 'took'>;
}

/**
 * `call`: where its signal aborts, what runs is cancelled, and no further statement begins. `meter` is told of all
 * rows. `answerMs`: how long the connection may give no answer to a statement. Errors: the signal's reason, RowsTooLong.
 */
export function executorOn(
  client: ClientBase,
  { call, meter, answerMs = null, prepares = false, keeps = false, scoped }: ExecutorOptions = {},
): Executor {
  let last: Promise<unknown> = Promise.resolve();
  let isOver = false;
  let running = 0;
  let cancelling: Cancelling | undefined;
  const took = (bytes: number) => {
    meter?.took(bytes);
    call?.took(bytes);
  };
  const cancel = () => {
    if (running > 0) cancelling ??= new Cancelling(client);
  };
  call?.signal.addEventListener('abort', cancel);
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const once = async () => {
      if (isOver) throw new Error('expected a statement within the transaction, got one after its end');
      call?.signal.throwIfAborted();
      running += 1;
      try {
        return await work();
      } catch (error) {
        call?.signal.throwIfAborted();
        throw error;
      } finally {
        running -= 1;
      }
    };
    const next = last.then(once, once);
    last = next;
    return next;
  };
  const rowsOf = async (query: CompiledQuery): Promise<unknown[]> => {
    const isText = 'isText' in query;
    const { sql, parameters } = query;
    if (keeps) return ScopedQuery.read(client, sql, parameters, { ...KEPT, isText, took });
    if (scoped) return ScopedQuery.read(client, sql, parameters, { ...scoped, isText, took });
    if (call || meter || isText) return CountedQuery.run(client, sql, parameters, { isText, took });
    const name = prepares && isPrepared(query) ? query.name : undefined;
    return (await client.query({ text: sql, values: [...parameters], ...(name ? { name } : {}) })).rows;
  };
  const execute = <R extends Row | TextRow>(statement: Statement) => {
    const query = compile(statement);
    return inTurn(() => answerWithin(client, answerMs, rowsOf(query) as Promise<R[]>));
  };
  const copy: Snapshot['copy'] = (selection, columns, read) =>
    inTurn(() => copyOut(client, selection.compile(literally).sql, columns, read));
  const copyBytes: Snapshot['copyBytes'] = (selection, most) =>
    inTurn(() => copiedBytes(client, selection.compile(literally).sql, { most, took, cancel }));
  const together = (statements: readonly Statement[]) => {
    const compiled = statements.map(compile);
    const allMs = answerMs === null ? null : answerMs * compiled.length;
    return inTurn(() => answerWithin(client, allMs, WriteQuery.write(client, null, compiled)));
  };
  const end = async () => {
    isOver = true;
    await last.catch(() => {});
    call?.signal.removeEventListener('abort', cancel);
    await cancelling?.stop();
  };
  return {
    execute: Object.assign(execute, { copy, copyBytes, prepares, ...(prepares && { together }) }),
    end,
  };
}
