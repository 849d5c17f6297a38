import { CompiledQuery, sql } from 'kysely';
import { isAway } from '../database/away.js';
import type { Database } from '../database/database.js';
import { type Run } from '../database/run.js';
import { ReelError } from '../errors.js';
import { addCounts } from '../log/stats/count-entries.js';
import { BrokenLog, type LastPlace, type Sealer, type Sealing } from './sealer.js';

/**
 * Entries of one sequencing transaction. On a busy server each of its statements waits for its turn in the event loop,
 * so what waits is better taken in one gulp: with a fifth of this, sealing fell behind writing at full speed.
 */
const BATCH = 10_000;
/** A wake-up is acted on after this long, so that several commits share one transaction. */
const GATHER_MS = 50;
/** How often the inbox is looked at for entries of other processes and of callers' own transactions. */
const POLL_MS = 300;
/** A log that cannot be gone on with is told of, and looked at again, this often. */
const REST_MS = 60_000;
/** First key of the advisory locks that make one sequencer a tenant; the second is the tenant's hash. */
const LOCK_CLASS = 7_237_534;

export interface Sealed {
  tenantId: string;
  /** Places given, both inclusive. */
  first: number;
  last: number;
  /** The signed note of the log up to `last`. */
  note: string;
}

/**
 * Takes what has been committed and gives each tenant's entries their place 1, 2, 3…, without gaps, and seals them
 * there. An entry stands in
 * the inbox exactly from when it became visible, so no place is ever kept for one that is still to come.
 */
export class Sequencer {
  private timer: NodeJS.Timeout | null = null;
  private round: Promise<void> | null = null;
  private stopped = false;
  /** Tenants whose log was found broken, and until when they are left alone. */
  private readonly resting = new Map<string, number>();

  constructor(
    private readonly database: Database,
    private readonly sealer: Sealer,
    private readonly onSealed: (sealed: Sealed) => void = () => {},
    private readonly onFault: (error: unknown) => void = () => {},
  ) {}

  start(): void {
    this.schedule(0);
  }

  /** Says that entries were committed; they have their places shortly after. */
  wake(): void {
    if (!this.round) this.schedule(GATHER_MS);
  }

  /** Finishes the transaction under way and takes no more. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    await this.round;
  }

  /** How long the oldest entry of the newest batch had waited for its place, in seconds; 0 where none waits. */
  get lagSeconds(): number {
    return this.lag;
  }

  private lag = 0;
  private readonly catching = new Map<string, { underWay: Promise<number>; next: Promise<number> | null }>();

  /**
   * Resolves when every entry of the tenant that was visible at the call has its place; answers the last place given.
   * Calls that come while one is under way share the next: each would hold a connection while it waits for its turn.
   */
  catchUp(tenantId: string): Promise<number> {
    const present = this.catching.get(tenantId);
    if (!present) return this.beginCatchUp(tenantId);
    present.next ??= present.underWay.catch(() => {}).then(() => this.beginCatchUp(tenantId));
    return present.next;
  }

  private beginCatchUp(tenantId: string): Promise<number> {
    const catching = { underWay: this.sequenceAll(tenantId), next: null };
    this.catching.set(tenantId, catching);
    const end = () => {
      if (this.catching.get(tenantId) === catching) this.catching.delete(tenantId);
    };
    catching.underWay.then(end, end);
    return catching.underWay;
  }

  private async sequenceAll(tenantId: string): Promise<number> {
    for (;;) {
      const taken = await this.sequence(tenantId, true);
      if (taken !== null && taken < BATCH) break;
    }
    return (await this.database.read(tenantId, (run) => lastPlace(run, tenantId))).size;
  }

  private nextAt = Number.POSITIVE_INFINITY;

  private schedule(delay: number): void {
    const at = Date.now() + delay;
    if (this.stopped || (this.timer && this.nextAt <= at)) return;
    if (this.timer) clearTimeout(this.timer);
    this.nextAt = at;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.round = this.goRound()
        .catch(this.onFault)
        .finally(() => {
          this.round = null;
          this.schedule(POLL_MS);
        });
    }, delay);
  }

  /** Every tenant that waits, in turn, a batch each, until none has more than it had time for. */
  private async goRound(): Promise<void> {
    let waiting = await this.waitingTenants();
    if (waiting.length === 0) this.lag = 0;
    while (waiting.length > 0 && !this.stopped) {
      const more: string[] = [];
      for (const tenantId of waiting) {
        if (this.stopped) return;
        if ((this.resting.get(tenantId) ?? 0) > performance.now()) continue;
        if ((await this.sequenceOrReport(tenantId)) === BATCH) more.push(tenantId);
      }
      waiting = more;
    }
  }

  /** One tenant whose log is not as it was left does not keep the others waiting. */
  private async sequenceOrReport(tenantId: string): Promise<number | null> {
    try {
      return await this.sequence(tenantId, false);
    } catch (error) {
      if (error instanceof ReelError || isAway(error)) throw error;
      if (error instanceof BrokenLog) this.resting.set(tenantId, performance.now() + REST_MS);
      this.onFault(error);
      return null;
    }
  }

  private async waitingTenants(): Promise<string[]> {
    const rows = await this.database.system<{ tenant_id: string }>(
      sql`select tenant_id from reel_waiting_tenants(1000) tenant_id`,
    );
    return rows.map((row) => row.tenant_id);
  }

  /** Places at most a batch of a tenant's entries; answers how many, or null where another sequencer is at it. */
  private async sequence(tenantId: string, wait: boolean): Promise<number | null> {
    const placed = await this.database.seal(tenantId, async (run) => {
      if (!(await this.lock(run, tenantId, wait))) return null;
      const waiting = await run<{ entry_id: string; leaf_hash: Buffer }>(
        sql`select entry_id, leaf_hash from reel_log_inbox where tenant_id = ${tenantId}::uuid order by entry_id limit ${BATCH}`,
      );
      if (waiting.length === 0) return { count: 0 };
      const ids = waiting.map((row) => row.entry_id);
      this.lag = Math.max(0, (Date.now() - millisecondsOf(ids[0]!)) / 1000);
      const last = await lastPlace(run, tenantId);
      await run(insertPlaces(tenantId, last.size, waiting));
      const leaves = waiting.map((row) => row.leaf_hash);
      const sealing = await this.sealer.seal(run, tenantId, last, leaves);
      await addCounts(run, tenantId, ids);
      await run(
        sql`delete from reel_log_inbox where tenant_id = ${tenantId}::uuid and entry_id = any (${ids}::uuid[])`,
      );
      return { count: ids.length, sealing };
    });
    if (placed?.sealing) this.announce(tenantId, placed.count, placed.sealing);
    return placed?.count ?? null;
  }

  private announce(tenantId: string, count: number, { checkpoint, keep }: Sealing): void {
    keep();
    const last = checkpoint.treeSize;
    this.onSealed({ tenantId, first: last - count + 1, last, note: checkpoint.note });
  }

  private async lock(run: Run, tenantId: string, wait: boolean): Promise<boolean> {
    const key = sql`${LOCK_CLASS}::integer, hashtext(${tenantId})`;
    if (wait) {
      await run(sql`select pg_advisory_xact_lock(${key})`);
      return true;
    }
    const [row] = await run<{ locked: boolean }>(sql`select pg_try_advisory_xact_lock(${key}) as locked`);
    return row?.locked ?? false;
  }
}

/** A UUIDv7's time (RFC 9562, section 5.7). */
const millisecondsOf = (id: string) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

async function lastPlace(run: Run, tenantId: string): Promise<LastPlace> {
  const [row] = await run<{ seq: string; leaf_hash: Buffer }>(
    sql`select seq, leaf_hash from reel_log_sequence where tenant_id = ${tenantId}::uuid order by seq desc limit 1`,
  );
  return row ? { size: Number(row.seq), leafHash: row.leaf_hash } : { size: 0, leafHash: null };
}

function insertPlaces(
  tenantId: string,
  last: number,
  waiting: readonly { entry_id: string; leaf_hash: Buffer }[],
): CompiledQuery {
  const rows = waiting.map((_, index) => `($1,$${3 * index + 2},$${3 * index + 3},$${3 * index + 4})`);
  return CompiledQuery.raw(
    `insert into reel_log_sequence (tenant_id, seq, entry_id, leaf_hash) values ${rows.join(',')}`,
    [tenantId, ...waiting.flatMap((row, index) => [last + index + 1, row.entry_id, row.leaf_hash])],
  );
}
