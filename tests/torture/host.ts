/** A host application that has Reel in its own process: alone, and in its own transactions. */
import { setTimeout } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import { getReelService, LogEntry } from './built.ts';
import { TryAgain, Unexpected } from './calls.ts';
import type { Cluster } from './cluster.ts';

// biome-ignore lint/suspicious/noExplicitAny: inputs are made by name.
type Input = any;

/** Errors that say nothing about the entry: the database went away, or comes back. */
function outcomeOf(error: unknown): Error {
  const { code = '', message, cause } = error as Error & { code?: string };
  const reason = `${code} ${message} ${cause ?? ''}`;
  return /UNAVAILABLE|OVERLOADED|^(?:57|08|53)|ECONN|EPIPE|terminat|not queryable|timeout|starting up|recovery mode|shutting down/i.test(
    reason,
  )
    ? new TryAgain(reason)
    : new Unexpected(reason);
}

const connect = (cluster: Cluster) =>
  MikroORM.init({
    clientUrl: cluster.runtimeUrl,
    entities: [LogEntry],
    logger: () => {},
    pool: { min: 0, max: 30 },
    driverOptions: { connectionTimeoutMillis: 5_000 },
  });

export class Host {
  private orm: MikroORM;
  private readonly cluster: Cluster;

  private constructor(cluster: Cluster, orm: MikroORM) {
    this.cluster = cluster;
    this.orm = orm;
  }

  static async open(cluster: Cluster): Promise<Host> {
    await cluster.query('create table host_things (key text primary key, entry_id uuid not null)');
    await cluster.query('grant select, insert on host_things to reel');
    return new Host(cluster, await connect(cluster));
  }

  /** As an application does that is started again: MikroORM 7.2 never gives back a connection that broke in a transaction. */
  async restart(): Promise<void> {
    await this.close();
    this.orm = await connect(this.cluster);
  }

  /** Outside a transaction, by the group commit. */
  async writeLogs(inputs: readonly Input[]): Promise<(string | null)[]> {
    try {
      const results = await getReelService(this.orm.em.fork()).writeLogs(inputs);
      return results.map((result) => {
        if ('entry' in result) return result.entry.id;
        throw result.error;
      });
    } catch (error) {
      throw outcomeOf(error);
    }
  }

  /** Each with a row of the host's own, all in one transaction. A key that was taken by a commit whose answer was lost adds no row. */
  async act(inputs: readonly Input[]): Promise<string[]> {
    try {
      return await this.orm.em.fork().transactional(async (em) => {
        const ids: string[] = [];
        for (const input of inputs) {
          const { id } = await getReelService(em).log(input);
          await em
            .getConnection()
            .execute(
              'insert into host_things (key, entry_id) values (?, ?) on conflict do nothing',
              [input.idempotencyKey, id],
              'run',
              em.getTransactionContext(),
            );
          ids.push(id);
        }
        return ids;
      });
    } catch (error) {
      throw outcomeOf(error);
    }
  }

  async close(): Promise<void> {
    await Promise.race([this.orm.close(true), setTimeout(1_000)]);
  }
}
