import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ExportedSnapshot } from '../database/snapshot.js';
import type { Elsewhere } from '../seal/stored-order.js';
import type { PageAnswered } from './verify-worker.js';

/** More than the database would keep busy. */
const MOST_WORKERS = 8;
/** Pages that each has before it, so that it need not wait. */
const PAGES_EACH = 2;

/** Threads that check pages of a log in one snapshot, each on a connection of its own; started with the first page. */
export class VerifyWorkers implements Elsewhere {
  private readonly count = Math.min(availableParallelism(), MOST_WORKERS);
  private readonly workers: Worker[] = [];
  private readonly waiting = new Map<number, (leaves: Buffer | null) => void>();
  private turn = 0;
  private hasEnded = false;
  readonly ahead = this.count * PAGES_EACH;
  /** They take about half a second to start. */
  readonly least = 100_000;

  constructor(private readonly snapshot: ExportedSnapshot) {}

  readonly check = (after: number, until: number): Promise<Buffer | null> => {
    if (this.hasEnded) return Promise.resolve(null);
    while (this.workers.length < this.count) this.workers.push(this.start());
    const worker = this.workers[this.turn++ % this.count]!;
    return new Promise((answer) => {
      this.waiting.set(after, answer);
      worker.postMessage({ after, until });
    });
  };

  private start(): Worker {
    const worker = new Worker(new URL('./verify-worker.js', import.meta.url), { workerData: this.snapshot });
    worker.on('message', ({ after, leaves }: PageAnswered) => {
      this.waiting.get(after)?.(leaves && Buffer.from(leaves.buffer, leaves.byteOffset, leaves.length));
      this.waiting.delete(after);
    });
    // Its fault shows where whoever asked does its work; an exit without one is ours.
    worker.on('error', () => {});
    worker.on('exit', () => this.end());
    return worker;
  }

  /** What was asked for, and all that would be, is left to whoever asks. */
  private end(): void {
    this.hasEnded = true;
    for (const answer of this.waiting.values()) answer(null);
    this.waiting.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}
