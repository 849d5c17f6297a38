import type { WriteDatabase } from '../../database/database.js';
import { overloaded, ReelError, unavailable } from '../../errors.js';
import type { LogEntry } from '../entry/log-entry.entity.js';
import type { PreparedEntry } from './prepare.js';
import { type Outcome, storeEntries } from './store.js';

/** Where batches go, and where entries stored before are found again. */
export interface WriterDatabase extends WriteDatabase {
  find(tenantId: string, id: string): Promise<LogEntry | null>;
  /** Sees to it that the month of an instant has its partition. */
  ensureMonth(createdAt: string): Promise<void>;
}

export interface WriterBounds {
  /** Entries of one transaction, but for one call's own, which stay together. */
  batchEntries: number;
  /** Batches under way at once: the next one fills while they are. */
  batches: number;
  /** What may wait or be under way; past either: OVERLOADED. */
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
interface Unit {
  entries: readonly PreparedEntry[];
  resolve(entries: LogEntry[]): void;
  reject(error: unknown): void;
}

/** SQLSTATE of a transaction that another try may carry through: serialization_failure, deadlock_detected. */
const AGAIN = new Set(['40001', '40P01']);

/**
 * Group commit: calls that come while batches are under way go together in the next one, each answered after its
 * commit; a lone call waits for nothing. A batch that the database refuses is written again unit by unit, so that one
 * call's fault is never its neighbours'.
 */
export class Writer {
  private readonly queue: Unit[] = [];
  private readonly months = new Set<string>();
  private underWay = 0;
  private entries = 0;
  private bytes = 0;
  private closing = false;
  private idle: (() => void) | null = null;

  constructor(
    private readonly database: WriterDatabase,
    private readonly onWritten: (tenantIds: readonly string[], entries: number) => void = () => {},
    private readonly bounds: WriterBounds = WRITER_BOUNDS,
  ) {}

  /** Entries that wait or are under way. */
  get length(): number {
    return this.entries;
  }

  /** Stores all or none; answers the entries, or those stored before under the same keys. Errors: OVERLOADED at once, CONFLICT, UNAVAILABLE. */
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

  /** Refuses new calls and resolves when everything taken on has been answered. */
  close(): Promise<void> {
    this.closing = true;
    if (this.underWay === 0 && this.queue.length === 0) return Promise.resolve();
    return new Promise((done) => {
      this.idle = done;
    });
  }

  private pump(): void {
    while (this.underWay < this.bounds.batches && this.queue.length > 0) {
      this.underWay += 1;
      void this.writeBatch(this.nextBatch()).finally(() => {
        this.underWay -= 1;
        this.pump();
        if (this.underWay === 0 && this.queue.length === 0) this.idle?.();
      });
    }
  }

  /** Units in the order they came. One of several entries with keys goes alone: a conflict in it undoes its transaction. */
  private nextBatch(): Unit[] {
    const alone = (unit: Unit) => unit.entries.length > 1 && unit.entries.some((entry) => entry.key);
    let size = 0;
    let count = 0;
    for (const unit of this.queue) {
      if (count > 0 && (alone(unit) || size + unit.entries.length > this.bounds.batchEntries)) break;
      size += unit.entries.length;
      count += 1;
      if (alone(unit)) break;
    }
    return this.queue.splice(0, count);
  }

  private async writeBatch(units: readonly Unit[]): Promise<void> {
    try {
      await this.ensureMonths(units);
      await this.commit(units);
    } catch (error) {
      const separable = units.length > 1 && !(error instanceof ReelError);
      if (!separable) for (const unit of units) unit.reject(error);
      else for (const unit of units) await this.writeBatch([unit]);
    }
  }

  private async commit(units: readonly Unit[], attempt = 1): Promise<void> {
    const entries = units.flatMap((unit) => unit.entries);
    const tenants = [...new Set(entries.map(({ entry }) => entry.tenantId))];
    let outcomes: Outcome[];
    try {
      outcomes = await this.database.write(tenants, async (run) => {
        const stored = await storeEntries(run, entries);
        const [only] = units;
        if (units.length === 1 && only && only.entries.length > 1) refuseWhole(stored);
        return stored;
      });
    } catch (error) {
      if (attempt < 4 && AGAIN.has((error as { code?: string }).code ?? ''))
        return this.commit(units, attempt + 1);
      throw error;
    }
    this.onWritten(tenants, outcomes.filter((outcome) => 'stored' in outcome).length);
    let place = 0;
    for (const unit of units) {
      const own = outcomes.slice(place, place + unit.entries.length);
      place += unit.entries.length;
      void this.answer(unit, own).then(unit.resolve, unit.reject);
    }
  }

  private async answer(unit: Unit, outcomes: readonly Outcome[]): Promise<LogEntry[]> {
    refuseWhole(outcomes);
    const answers = unit.entries.map(({ entry }) => entry);
    const own = new Map(answers.map((entry) => [entry.id, entry]));
    for (const [index, outcome] of outcomes.entries()) {
      if (!('storedBefore' in outcome)) continue;
      const id = outcome.storedBefore;
      const entry = own.get(id) ?? (await this.database.find(answers[index]!.tenantId, id));
      if (!entry)
        throw unavailable('The entry stored under this idempotencyKey is being removed; try again shortly');
      answers[index] = entry;
    }
    return answers;
  }

  private async ensureMonths(units: readonly Unit[]): Promise<void> {
    for (const { entries } of units)
      for (const { entry } of entries) {
        const month = entry.createdAt.slice(0, 7);
        if (this.months.has(month)) continue;
        await this.database.ensureMonth(entry.createdAt);
        this.months.add(month);
      }
  }
}

/** Throws where an entry was refused, so that a unit's transaction is undone. */
function refuseWhole(outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes) if ('refused' in outcome) throw outcome.refused;
}
