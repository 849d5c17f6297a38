import type { WriteDatabase } from '../../database/database.js';
import { overloaded, ReelError, unavailable } from '../../errors.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import type { PreparedEntry } from './prepare.js';
import { type Outcome, storeEntries } from './store.js';

/** Stores batches, and finds entries that were stored before. */
export interface WriterDatabase extends WriteDatabase {
  find(tenantId: string, id: string): Promise<LogEntry | null>;
  /** Creates the partition for the month of an instant. */
  ensureMonth(createdAt: string): Promise<void>;
}

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

/** The entries of one call: stored all or none. */
interface Call {
  entries: readonly PreparedEntry[];
  resolve(entries: LogEntry[]): void;
  reject(error: unknown): void;
}

/** SQLSTATE of a transaction that may succeed when retried: serialization_failure, deadlock_detected. */
const RETRYABLE = new Set(['40001', '40P01']);

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
  write(entries: readonly PreparedEntry[]): Promise<LogEntry[]> {
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    if (this.closing) return Promise.reject(unavailable('Reel is shutting down'));
    const full =
      this.entries + entries.length > this.bounds.queueEntries || this.bytes + bytes > this.bounds.queueBytes;
    if (full && this.entries > 0) return Promise.reject(overloaded());
    this.entries += entries.length;
    this.bytes += bytes;
    return new Promise<LogEntry[]>((resolve, reject) => {
      this.queue.push({ entries, resolve, reject });
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

  /** Calls in order of arrival. One with several entries and a key goes alone: a conflict in it rolls its transaction back. */
  private nextBatch(): Call[] {
    const alone = (call: Call) => call.entries.length > 1 && call.entries.some((entry) => entry.key);
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

  private async commit(calls: readonly Call[], attempt = 1): Promise<void> {
    const entries = calls.flatMap((call) => call.entries);
    const tenants = [...new Set(entries.map(({ entry }) => entry.tenantId))];
    let outcomes: Outcome[];
    try {
      outcomes = await this.database.write(tenants, async (execute) => {
        const stored = await storeEntries(execute, entries);
        const [only] = calls;
        if (calls.length === 1 && only && only.entries.length > 1) throwIfRefused(stored);
        return stored;
      });
    } catch (error) {
      if (attempt < 4 && RETRYABLE.has((error as { code?: string }).code ?? ''))
        return this.commit(calls, attempt + 1);
      throw error;
    }
    this.onWritten(tenants, outcomes.filter((outcome) => 'stored' in outcome).length);
    let offset = 0;
    for (const call of calls) {
      const own = outcomes.slice(offset, offset + call.entries.length);
      offset += call.entries.length;
      void this.storedEntries(call, own).then(call.resolve, call.reject);
    }
  }

  private async storedEntries(call: Call, outcomes: readonly Outcome[]): Promise<LogEntry[]> {
    throwIfRefused(outcomes);
    const stored = call.entries.map(({ entry }) => entry);
    const own = new Map(stored.map((entry) => [entry.id, entry]));
    for (const [index, outcome] of outcomes.entries()) {
      if (!('storedBefore' in outcome)) continue;
      const id = outcome.storedBefore;
      const entry = own.get(id) ?? (await this.database.find(stored[index]!.tenantId, id));
      if (!entry)
        throw unavailable('The entry stored under this idempotencyKey is being removed; try again shortly');
      stored[index] = entry;
    }
    return stored;
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

/** Throws if an entry was refused, so that its call's transaction is rolled back. */
function throwIfRefused(outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes) if ('refused' in outcome) throw outcome.refused;
}
