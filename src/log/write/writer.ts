import type { WriteDatabase } from '../../database/database.js';
import type { PreparedStatement } from '../../database/execute.js';
import { isNodeLost } from '../../database/unavailable.js';
import { overloaded, ReelError, unavailable } from '../../errors.js';
import { takeTurn } from '../../time-slice.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import type { PreparedEntry } from './prepare.js';
import { insertionsOf, isRowFault, type Outcome, storeEach, storeEntries, WRITING } from './store.js';
import { WriteQueue } from './write-queue.js';

/** Stores batches, and finds entries that were stored before. */
export interface WriterDatabase extends WriteDatabase {
  find(tenantId: string, ids: readonly string[]): Promise<ReadonlyMap<string, LogEntry>>;
  /** Creates the partition for the month of an instant. */
  ensureMonth(createdAt: string): Promise<void>;
  /** As Database.writeAtOnce; none: always step by step. */
  writeAtOnce?(tenantIds: readonly string[], statements: readonly PreparedStatement[]): Promise<boolean>;
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
  /** Entries per transaction, of which one of many bytes counts as several; a single call's are never split. */
  batchEntries: number;
  /** Concurrent batches; meanwhile the next one fills. */
  batches: number;
  /** Entries and bytes that may be queued or in flight; past either: OVERLOADED. */
  queueEntries: number;
  queueBytes: number;
  /**
   * What one writer may have of the queue's bounds, and never more than it leaves free, so that there is always room for
   * another; null: all.
   */
  writerShare: number | null;
  /** Milliseconds that a call may have waited when its turn comes; past them: UNAVAILABLE. */
  waitMs: number;
}

export const WRITER_BOUNDS: WriterBounds = {
  batchEntries: 1_000,
  batches: 2,
  queueEntries: 20_000,
  queueBytes: 128 * 1024 * 1024,
  writerShare: 1 / 4,
  waitMs: 15_000,
};

/** An entry of so many bytes takes about as long to write as any smaller one. */
const ENTRY_BYTES = 16 * 1024;

/** The entries of one call. */
interface Call {
  entries: readonly PreparedEntry[];
  /** What it takes of a batch, in entries. */
  cost: number;
  /** Stored each on its own, else all or none. */
  each: boolean;
  /** When it arrived, in milliseconds of performance.now(). */
  at: number;
  resolve(results: WriteResult[]): void;
  reject(error: unknown): void;
}

/** What is queued or in flight. */
interface Load {
  entries: number;
  bytes: number;
}

/**
 * Group commit: calls that arrive while batches are in flight are committed together in the next one; a lone call does not
 * wait. Batches are filled by turns among writers and tenants (WriteQueue). A batch that the database refuses is retried call by call, so that one call never fails another.
 */
export class Writer {
  private readonly queue = new WriteQueue<Call>(({ cost }) => cost);
  private readonly months = new Set<string>();
  private inFlight = 0;
  private readonly load: Load = { entries: 0, bytes: 0 };
  private readonly loads = new Map<string, Load>();
  private closing = false;
  private idle: (() => void) | null = null;

  constructor(
    private readonly database: WriterDatabase,
    private readonly onWritten: (tenantIds: readonly string[], entries: number) => void = () => {},
    private readonly bounds: WriterBounds = WRITER_BOUNDS,
  ) {}

  /** Entries queued or in flight. */
  get length(): number {
    return this.load.entries;
  }

  /**
   * Stores all or none; returns the entries, or those stored before under the same keys. `by`: the credential's module or
   * the person, who has a share of the queue. Errors: OVERLOADED at once, CONFLICT, UNAVAILABLE.
   */
  async write(entries: readonly PreparedEntry[], by: string): Promise<Stored[]> {
    return (await this.enqueue(entries, by, false)).map(storedOrThrow);
  }

  /** Stores in one transaction those that neither conflict nor are refused by the database. Errors, for all: OVERLOADED at once, UNAVAILABLE. */
  writeEach(entries: readonly PreparedEntry[], by: string): Promise<WriteResult[]> {
    return this.enqueue(entries, by, true);
  }

  private enqueue(entries: readonly PreparedEntry[], by: string, each: boolean): Promise<WriteResult[]> {
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    if (this.closing) return Promise.reject(unavailable('Reel is shutting down'));
    const own = this.loads.get(by) ?? { entries: 0, bytes: 0 };
    const added = { entries: entries.length, bytes };
    if (!this.hasRoom(added)) return Promise.reject(overloaded());
    if (!this.isWithinShare(own, added))
      return Promise.reject(overloaded('Too many entries of this writer are waiting to be written'));
    this.loads.set(by, own);
    for (const load of [this.load, own]) add(load, added, 1);
    const cost = Math.max(entries.length, Math.ceil(bytes / ENTRY_BYTES));
    return new Promise<WriteResult[]>((resolve, reject) => {
      this.queue.push(by, entries[0]?.entry.tenantId ?? '', {
        entries,
        cost,
        each,
        at: performance.now(),
        resolve,
        reject,
      });
      this.pump();
    }).finally(() => {
      for (const load of [this.load, own]) add(load, added, -1);
      if (own.entries === 0) this.loads.delete(by);
    });
  }

  /** One call is always taken, however large. */
  private hasRoom(added: Load): boolean {
    const { queueEntries, queueBytes } = this.bounds;
    return this.load.entries === 0 || isWithin(this.load, added, queueEntries, queueBytes);
  }

  private isWithinShare(own: Load, added: Load): boolean {
    const { queueEntries, queueBytes, writerShare } = this.bounds;
    if (writerShare === null || own.entries === 0) return true;
    const { entries, bytes } = this.load;
    const most = Math.min(queueEntries * writerShare, queueEntries - entries);
    return isWithin(own, added, most, Math.min(queueBytes * writerShare, queueBytes - bytes));
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
      const calls = this.nextBatch();
      if (calls.length === 0) break;
      this.inFlight += 1;
      void this.writeBatch(calls).finally(() => {
        this.inFlight -= 1;
        this.pump();
      });
    }
    if (this.inFlight === 0 && this.queue.length === 0) this.idle?.();
  }

  /**
   * Calls by turns, without those that have waited too long, as behind a database that is slow. One that is stored all or
   * none with a key goes alone, since a conflict in it rolls its transaction back; in a caller's transaction one that is
   * stored each on its own, for its savepoints.
   */
  private nextBatch(): Call[] {
    const alone = ({ entries, each }: Call) =>
      each ? this.database.isJoined === true : entries.length > 1 && entries.some((entry) => entry.key);
    const calls: Call[] = [];
    let cost = 0;
    const since = performance.now() - this.bounds.waitMs;
    for (let next = this.queue.head(); next; next = this.queue.head()) {
      if (next.at < since) {
        this.queue.shift()?.reject(unavailable('Writing takes too long at present; try again shortly'));
        continue;
      }
      if (calls.length > 0 && (alone(next) || cost + next.cost > this.bounds.batchEntries)) break;
      this.queue.shift();
      calls.push(next);
      cost += next.cost;
      if (alone(next)) break;
    }
    return calls;
  }

  private async writeBatch(calls: readonly Call[]): Promise<void> {
    try {
      await this.ensureMonths(calls);
      await this.commit(calls);
    } catch (error) {
      const parts = partsOf(calls, error);
      if (parts.length === 1) for (const call of calls) call.reject(error);
      else for (const part of parts) await this.writeBatch(part);
    }
  }

  private async commit(calls: readonly Call[]): Promise<void> {
    const entries = calls.flatMap((call) => call.entries);
    const tenants = [...new Set(entries.map(({ entry }) => entry.tenantId))];
    const outcomes =
      (await this.storeAtOnce(tenants, entries)) ??
      (await this.database.write(tenants, async (execute) => {
        const only = calls.length === 1 ? calls[0] : undefined;
        if (only?.each) return storeEach(execute, entries);
        const stored = await storeEntries(execute, entries);
        if (only && entries.length > 1) throwIfRefused(stored);
        return stored;
      }));
    this.onWritten(tenants, outcomes.filter((outcome) => 'stored' in outcome).length);
    let offset = 0;
    for (const call of calls) {
      const own = outcomes.slice(offset, offset + call.entries.length);
      offset += call.entries.length;
      void this.resultsOf(call, own).then(call.resolve, call.reject);
    }
  }

  /** Null where it takes several steps to know what becomes of each entry; nothing is stored then. */
  private async storeAtOnce(
    tenants: readonly string[],
    entries: readonly PreparedEntry[],
  ): Promise<Outcome[] | null> {
    const statements = this.database.writeAtOnce ? insertionsOf(entries) : null;
    if (!statements) return null;
    // The driver writes them in one go.
    await takeTurn(WRITING);
    try {
      const isDone = await this.database.writeAtOnce?.(tenants, statements);
      return isDone ? entries.map(() => ({ stored: true })) : null;
    } catch (error) {
      if (!isRowFault(error)) throw error;
      return null;
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

/** How calls are written again after an error of all of them: each by itself, those of each tenant, or not. */
function partsOf(calls: readonly Call[], error: unknown): readonly (readonly Call[])[] {
  if (isNodeLost(error))
    return [...Map.groupBy(calls, ({ entries }) => [...new Set(entries.map(tenantOf))].join()).values()];
  return error instanceof ReelError ? [calls] : calls.map((call) => [call]);
}

const tenantOf = ({ entry }: PreparedEntry): string => entry.tenantId;

function add(load: Load, { entries, bytes }: Load, sign: 1 | -1): void {
  load.entries += sign * entries;
  load.bytes += sign * bytes;
}

const isWithin = (load: Load, added: Load, entries: number, bytes: number): boolean =>
  load.entries + added.entries <= entries && load.bytes + added.bytes <= bytes;

function storedOrThrow(result: WriteResult): Stored {
  if ('error' in result) throw result.error;
  return result;
}

/** Throws if an entry was refused, so that its call's transaction is rolled back. */
function throwIfRefused(outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes) if ('refused' in outcome) throw outcome.refused;
}
