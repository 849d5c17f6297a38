import type { WriteDatabase } from '../../database/database.js';
import { overloaded, ReelError, unavailable } from '../../errors.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import type { PreparedEntry } from './prepare.js';
import { type Outcome, storeEach, storeEntries } from './store.js';

/** Stores batches, and finds entries that were stored before. */
export interface WriterDatabase extends WriteDatabase {
  find(tenantId: string, ids: readonly string[]): Promise<ReadonlyMap<string, LogEntry>>;
  /** Creates the partition for the month of an instant. */
  ensureMonth(createdAt: string): Promise<void>;
  /** Whether all writes share a transaction of the caller's, which an error in one would end for the others. */
  readonly isJoined?: boolean;
}

/** An entry on disk. */
export interface Stored {
  entry: LogEntry;
  /** Whether it was stored before, under the same idempotency key. */
  replayed: boolean;
}

/** What became of one of several entries: stored, or refused, for which the error is a ReelError unless it is a fault of Reel's or the database's. */
export type WriteResult = Stored | { error: unknown };

export interface WriterBounds {
  /** Entries per transaction; a single call's are never split. */
  batchEntries: number;
  /** Concurrent batches; meanwhile the next one fills. */
  batches: number;
  /** Entries and bytes that may be queued or in flight; past either: OVERLOADED. */
  queueEntries: number;
  queueBytes: number;
}

export const WRITER_BOUNDS: WriterBounds = {
  batchEntries: 1_000,
  batches: 2,
  queueEntries: 20_000,
  queueBytes: 128 * 1024 * 1024,
};

/** The entries of one call. */
interface Call {
  entries: readonly PreparedEntry[];
  /** Stored each on its own, else all or none. */
  each: boolean;
  resolve(results: WriteResult[]): void;
  reject(error: unknown): void;
}

/**
 * Group commit: calls that arrive while batches are in flight are committed together in the next one; a lone call does not
 * wait. A batch that the database refuses is retried call by call, so that one call never fails another.
 */
export class Writer {
  private readonly queue: Call[] = [];
  private readonly months = new Set<string>();
  private inFlight = 0;
  private entries = 0;
  private bytes = 0;
  private closing = false;
  private idle: (() => void) | null = null;

  constructor(
    private readonly database: WriterDatabase,
    private readonly onWritten: (tenantIds: readonly string[], entries: number) => void = () => {},
    private readonly bounds: WriterBounds = WRITER_BOUNDS,
  ) {}

  /** Entries queued or in flight. */
  get length(): number {
    return this.entries;
  }

  /** Stores all or none; returns the entries, or those stored before under the same keys. Errors: OVERLOADED at once, CONFLICT, UNAVAILABLE. */
  async write(entries: readonly PreparedEntry[]): Promise<Stored[]> {
    return (await this.enqueue(entries, false)).map(storedOrThrow);
  }

  /** Stores in one transaction those that neither conflict nor are refused by the database. Errors, for all: OVERLOADED at once, UNAVAILABLE. */
  writeEach(entries: readonly PreparedEntry[]): Promise<WriteResult[]> {
    return this.enqueue(entries, true);
  }

  private enqueue(entries: readonly PreparedEntry[], each: boolean): Promise<WriteResult[]> {
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    if (this.closing) return Promise.reject(unavailable('Reel is shutting down'));
    const full =
      this.entries + entries.length > this.bounds.queueEntries || this.bytes + bytes > this.bounds.queueBytes;
    if (full && this.entries > 0) return Promise.reject(overloaded());
    this.entries += entries.length;
    this.bytes += bytes;
    return new Promise<WriteResult[]>((resolve, reject) => {
      this.queue.push({ entries, each, resolve, reject });
      this.pump();
    }).finally(() => {
      this.entries -= entries.length;
      this.bytes -= bytes;
    });
  }

  /** Refuses new calls and resolves when all accepted ones are done. */
  close(): Promise<void> {
    this.closing = true;
    if (this.inFlight === 0 && this.queue.length === 0) return Promise.resolve();
    return new Promise((done) => {
      this.idle = done;
    });
  }

  private pump(): void {
    while (this.inFlight < this.bounds.batches && this.queue.length > 0) {
      this.inFlight += 1;
      void this.writeBatch(this.nextBatch()).finally(() => {
        this.inFlight -= 1;
        this.pump();
        if (this.inFlight === 0 && this.queue.length === 0) this.idle?.();
      });
    }
  }

  /**
   * Calls in order of arrival. One that is stored all or none with a key goes alone, since a conflict in it rolls its
   * transaction back; in a caller's transaction one that is stored each on its own, for its savepoints.
   */
  private nextBatch(): Call[] {
    const alone = ({ entries, each }: Call) =>
      each ? this.database.isJoined === true : entries.length > 1 && entries.some((entry) => entry.key);
    let size = 0;
    let count = 0;
    for (const call of this.queue) {
      if (count > 0 && (alone(call) || size + call.entries.length > this.bounds.batchEntries)) break;
      size += call.entries.length;
      count += 1;
      if (alone(call)) break;
    }
    return this.queue.splice(0, count);
  }

  private async writeBatch(calls: readonly Call[]): Promise<void> {
    try {
      await this.ensureMonths(calls);
      await this.commit(calls);
    } catch (error) {
      const separable = calls.length > 1 && !(error instanceof ReelError);
      if (!separable) for (const call of calls) call.reject(error);
      else for (const call of calls) await this.writeBatch([call]);
    }
  }

  private async commit(calls: readonly Call[]): Promise<void> {
    const entries = calls.flatMap((call) => call.entries);
    const tenants = [...new Set(entries.map(({ entry }) => entry.tenantId))];
    const outcomes = await this.database.write(tenants, async (execute) => {
      const only = calls.length === 1 ? calls[0] : undefined;
      if (only?.each) return storeEach(execute, entries);
      const stored = await storeEntries(execute, entries);
      if (only && entries.length > 1) throwIfRefused(stored);
      return stored;
    });
    this.onWritten(tenants, outcomes.filter((outcome) => 'stored' in outcome).length);
    let offset = 0;
    for (const call of calls) {
      const own = outcomes.slice(offset, offset + call.entries.length);
      offset += call.entries.length;
      void this.resultsOf(call, own).then(call.resolve, call.reject);
    }
  }

  private async resultsOf(call: Call, outcomes: readonly Outcome[]): Promise<WriteResult[]> {
    if (!call.each) throwIfRefused(outcomes);
    const own = new Map(call.entries.map(({ entry }) => [entry.id, entry]));
    const before = await this.findStoredBefore(call, outcomes, own);
    return outcomes.map((outcome, index): WriteResult => {
      const { entry } = call.entries[index]!;
      if ('refused' in outcome) return { error: outcome.refused };
      if ('stored' in outcome) return { entry, replayed: false };
      const found = own.get(outcome.storedBefore) ?? before.get(outcome.storedBefore);
      if (found instanceof Error) return { error: found };
      return found ? { entry: found, replayed: true } : { error: unavailable(BEING_REMOVED) };
    });
  }

  /** By id. What is stored by then stays so, whether the others can be read or not: an error is theirs alone. */
  private async findStoredBefore(
    call: Call,
    outcomes: readonly Outcome[],
    own: ReadonlyMap<string, LogEntry>,
  ): Promise<Map<string, LogEntry | Error>> {
    const wanted = new Map<string, string[]>();
    for (const [index, outcome] of outcomes.entries()) {
      if (!('storedBefore' in outcome) || own.has(outcome.storedBefore)) continue;
      const { tenantId } = call.entries[index]!.entry;
      const ids = wanted.get(tenantId) ?? [];
      wanted.set(tenantId, ids);
      ids.push(outcome.storedBefore);
    }
    const found = new Map<string, LogEntry | Error>();
    for (const [tenantId, ids] of wanted) {
      try {
        for (const [id, entry] of await this.database.find(tenantId, ids)) found.set(id, entry);
      } catch (error) {
        for (const id of ids) found.set(id, error as Error);
      }
    }
    return found;
  }

  private async ensureMonths(calls: readonly Call[]): Promise<void> {
    for (const { entries } of calls)
      for (const { entry } of entries) {
        const month = entry.createdAt.slice(0, 7);
        if (this.months.has(month)) continue;
        await this.database.ensureMonth(entry.createdAt);
        this.months.add(month);
      }
  }
}

const BEING_REMOVED = 'The entry stored under this idempotencyKey is being removed; try again shortly';

function storedOrThrow(result: WriteResult): Stored {
  if ('error' in result) throw result.error;
  return result;
}

/** Throws if an entry was refused, so that its call's transaction is rolled back. */
function throwIfRefused(outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes) if ('refused' in outcome) throw outcome.refused;
}
