import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Execute } from '../database/execute.js';
import { HostDatabase } from '../database/host.js';
import { HostLogReader } from './host-reader.js';
import { LogReader } from './read/reader.js';
import { ReelService } from './service.js';
import { WRITER_BOUNDS, Writer, type WriterDatabase } from './write/writer.js';

/** One writer for all calls on the same connection pool, or in the same transaction. */
const writers = new WeakMap<object, Writer>();

/**
 * Reel over a host's EntityManager. In its transaction, log() writes there: the action and its entry are committed or
 * rolled back together. Outside of one, calls go through a group commit on the host's connections.
 */
export function getReelService(em: EntityManager): ReelService {
  return new ReelService({
    write: (entries, by) => writerOf(em).write(entries, by),
    writeEach: (entries, by) => writerOf(em).writeEach(entries, by),
  });
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
