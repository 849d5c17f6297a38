import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { parseActionModes } from '../config/action-modes.js';
import type { Config } from '../config/config.js';
import type { Execute, Row, Statement } from '../database/execute.js';
import { HostDatabase } from '../database/host.js';
import { type Mismatch, RegisteredRules } from './actions/entry-rules.js';
import { RegisteredActions } from './actions/registry.js';
import type { ActionDatabase } from './actions/store.js';
import { HostLogReader } from './host-reader.js';
import { LogReader } from './read/reader.js';
import { ReelService } from './service.js';
import { WRITER_BOUNDS, Writer, type WriterDatabase } from './write/writer.js';

/** One writer for all calls on the same connection pool, or in the same transaction. */
const writers = new WeakMap<object, Writer>();

/** Told of entries of this process that are not as registered, whoever writes them. */
const watchers = new Set<(module: string, what: Mismatch) => void>();

/** Until the function that it returns is called. For a router's metrics, which know nothing of its host's EntityManagers. */
export function watchMismatches(watcher: (module: string, what: Mismatch) => void): () => void {
  watchers.add(watcher);
  return () => void watchers.delete(watcher);
}

/** What is registered, by connection pool and redaction key. */
const registries = new WeakMap<object, Map<string, RegisteredActions>>();

export interface EmbedOptions {
  /** REEL_ACTIONS and REEL_REDACTION_KEY, as readConfig has them; none: warn, and no key. */
  config?: Pick<Config, 'actionModes' | 'redactionKeys'>;
  /** Told of each entry whose action or data is not as its module registered it. */
  onMismatch?: (module: string, what: Mismatch) => void;
}

/**
 * Reel over a host's EntityManager. In its transaction, log() writes there: the action and its entry are committed or
 * rolled back together. Outside of one, calls go through a group commit on the host's connections.
 */
export function getReelService(em: EntityManager, { config, onMismatch }: EmbedOptions = {}): ReelService {
  const { actionModes: modes = parseActionModes([])!, redactionKeys: [key] = [] } = config ?? {};
  const rules = new RegisteredRules(
    registryOf(em, key ?? ''),
    {
      modes,
      onMismatch: (module, what) => {
        for (const watcher of watchers) watcher(module, what);
        onMismatch?.(module, what);
      },
    },
    actionsOf(em),
  );
  return new ReelService(
    {
      write: (entries, by) => writerOf(em).write(entries, by),
      writeEach: (entries, by) => writerOf(em).writeEach(entries, by),
    },
    undefined,
    rules,
  );
}

function registryOf(em: EntityManager, key: string): RegisteredActions {
  const connection = em.getConnection('write');
  const known = registries.get(connection) ?? new Map<string, RegisteredActions>();
  registries.set(connection, known);
  const registry = known.get(key) ?? new RegisteredActions(actionsOf(em.fork()), key || null);
  known.set(key, registry);
  return registry;
}

/** In the host's transaction, where there is one: no other connection need be free. */
function actionsOf(em: EntityManager): ActionDatabase {
  const database = new HostDatabase(em);
  return {
    write: (tenantIds, work) => database.write(tenantIds, work),
    ask: <R extends Row = Row>(statement: Statement) =>
      database.write([], (execute) => execute<R>(statement)),
  };
}

/** Reads entries back through a host's EntityManager, in its transaction if it has one. */
export const getLogReader = (em: EntityManager): HostLogReader => new HostLogReader(new HostDatabase(em));

function writerOf(em: EntityManager): Writer {
  const transaction = em.getTransactionContext<object>();
  const key = transaction ?? em.getConnection('write');
  const present = writers.get(key);
  if (present) return present;
  const writer = transaction
    ? // One batch at a time, since all share one transaction.
      new Writer(databaseOf(em), undefined, { ...WRITER_BOUNDS, batches: 1, writerShare: null })
    : new Writer(databaseOf(em.fork()), undefined, { ...WRITER_BOUNDS, writerShare: null });
  writers.set(key, writer);
  return writer;
}

function databaseOf(em: EntityManager): WriterDatabase {
  const database = new HostDatabase(em);
  const reader = new LogReader(database);
  return {
    write: (tenantIds: readonly string[], work: (execute: Execute) => Promise<never>) =>
      database.write(tenantIds, work),
    find: (tenantId: string, ids: readonly string[]) => reader.byIds({ tenantId, clients: null }, ids),
    // In the host's transaction a new partition would stay locked until its end; `reel migrate` and the server create months ahead.
    ensureMonth: async (createdAt: string) => {
      if (!em.isInTransaction())
        await database.write([], (execute) =>
          execute(sql`select reel_ensure_month(${createdAt}::timestamptz)`),
        );
    },
    isJoined: em.isInTransaction(),
  } as WriterDatabase;
}
