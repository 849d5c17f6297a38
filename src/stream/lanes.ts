import { LRUCache } from 'lru-cache';
import { type EndTurn, type TurnBounds, Turns } from '../database/turns.js';
import { overloaded } from '../errors.js';

/** Turns at once: of all streams, and of these those that are slow. */
export interface LaneBounds {
  readonly atOnce: number;
  readonly atOncePerTenant: number;
  readonly slowAtOnce: number;
  readonly slowAtOncePerTenant: number;
}

/** A stream is slow whose last turn took longer: its receiver hangs, or acknowledges nothing. */
export const SLOW_MS = 5_000;
/** Streams that are remembered. */
const MOST_SLOW = 10_000;

type Work<T> = (signal: AbortSignal) => Promise<T>;

const turnsOf = (bounds: Pick<TurnBounds, 'atOnce' | 'atOncePerKey'>): Turns =>
  new Turns({ ...bounds, waitingPerKey: Number.POSITIVE_INFINITY }, overloaded);

/**
 * Turns of streams, which go round among tenants. Streams that are slow share some of them, so that receivers that hang, however
 * many, hold up none of those that do not. A stream that turns out to be slow goes on where one of these is free, and else begins
 * again when one is: its other turn is free after SLOW_MS.
 */
export class Lanes {
  private readonly all: Turns;
  private readonly slow: Turns;
  private readonly known = new LRUCache<string, true>({ max: MOST_SLOW });

  constructor({ atOnce, atOncePerTenant, slowAtOnce, slowAtOncePerTenant }: LaneBounds) {
    this.all = turnsOf({ atOnce, atOncePerKey: atOncePerTenant });
    this.slow = turnsOf({ atOnce: slowAtOnce, atOncePerKey: slowAtOncePerTenant });
  }

  /**
   * Runs `work` in a turn of the stream's: twice, where its signal broke it off the first time. `signal` aborts it, too. Errors:
   * those of `work`; the signal's reason while it waits.
   */
  async run<T>(tenantId: string, streamId: string, work: Work<T>, signal: AbortSignal): Promise<T> {
    if (!this.known.has(streamId)) {
      const breaking = new AbortController();
      try {
        return await this.all.run(tenantId, () => this.watched(tenantId, streamId, work, signal, breaking), {
          signal,
        });
      } catch (error) {
        if (signal.aborted || !breaking.signal.aborted) throw error;
      }
    }
    const inTurn = () => this.timed(streamId, () => work(signal));
    return this.slow.run(tenantId, () => this.all.run(tenantId, inTurn, { signal }), { signal });
  }

  /** Of a stream that is not known to be slow. */
  private async watched<T>(
    tenantId: string,
    streamId: string,
    work: Work<T>,
    signal: AbortSignal,
    breaking: AbortController,
  ): Promise<T> {
    let endSlow: EndTurn | null = null;
    const timer = setTimeout(() => {
      endSlow = this.slow.takeNow(tenantId);
      if (!endSlow) breaking.abort(new Error('the stream is slow, and too many are'));
    }, SLOW_MS);
    try {
      return await this.timed(streamId, () => work(AbortSignal.any([signal, breaking.signal])));
    } finally {
      clearTimeout(timer);
      (endSlow as EndTurn | null)?.();
    }
  }

  private async timed<T>(streamId: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await work();
    } finally {
      if (performance.now() - began >= SLOW_MS) this.known.set(streamId, true);
      else this.known.delete(streamId);
    }
  }
}
