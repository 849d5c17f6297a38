import { LRUCache } from 'lru-cache';
import { Turns } from '../database/turns.js';
import { overloaded } from '../errors.js';

/** Batches in memory: one of each stream that is served, and the next one while it is sent. */
const AT_ONCE = 16;
const AT_ONCE_PER_TENANT = 4;
/** Of these, those of streams that are slow. */
const SLOW_AT_ONCE = 8;
const SLOW_AT_ONCE_PER_TENANT = 3;
/** A stream is slow whose last turn took longer: its receiver hangs, or acknowledges nothing. */
const SLOW_MS = 10_000;
/** Streams that are remembered. */
const MOST_SLOW = 10_000;

const turnsOf = (atOnce: number, atOncePerKey: number): Turns =>
  new Turns({ atOnce, atOncePerKey, waitingPerKey: Number.POSITIVE_INFINITY }, overloaded);

/**
 * Turns of streams, which go round among tenants. Streams that are slow share half of them, so that receivers that hang, however
 * many, hold up none of those that do not.
 */
export class Lanes {
  private readonly all = turnsOf(AT_ONCE, AT_ONCE_PER_TENANT);
  private readonly slow = turnsOf(SLOW_AT_ONCE, SLOW_AT_ONCE_PER_TENANT);
  private readonly known = new LRUCache<string, true>({ max: MOST_SLOW });

  constructor(private readonly now: () => number = performance.now.bind(performance)) {}

  /** Runs `work` in a turn of the stream's. Errors: those of `work`. */
  run<T>(tenantId: string, streamId: string, work: () => Promise<T>): Promise<T> {
    const turn = () => this.all.run(tenantId, () => this.timed(streamId, work));
    return this.known.has(streamId) ? this.slow.run(tenantId, turn) : turn();
  }

  private async timed<T>(streamId: string, work: () => Promise<T>): Promise<T> {
    const began = this.now();
    try {
      return await work();
    } finally {
      if (this.now() - began > SLOW_MS) this.known.set(streamId, true);
      else this.known.delete(streamId);
    }
  }
}
