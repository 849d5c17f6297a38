import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { FixedColumn } from '../../database/copy-out.js';
import type { ExportedSnapshot } from '../../database/snapshot.js';
import { HASH_BYTES } from '../../seal/merkle.js';
import { ID_BYTES } from './page-entries.js';
import type { PageAsked, PageChecked, PageFailed } from './page-worker.js';
import type { CheckedColumns, PageChecker } from './sequence-pages.js';

/** Not there where the source itself is run, as in tests. */
const PROGRAM = new URL('./page-worker.js', import.meta.url);
/** Below, threads take longer to start than they save. */
export const MIN_ENTRIES = 20_000;
const MAX_WORKERS = 4;
/** Pages that a thread has before it, so that the database reads while it checks. */
const PAGES_EACH = 2;

/** Left alone, V8 lets each thread's heap grow with the log. A thread that is past it ends, and its pages are checked by the main one. */
const HEAP = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 128 };

interface Page {
  until: number;
  done: (columns: CheckedColumns | null) => void;
}

/** Threads that check pages of one tenant's log, each on a connection of its own that sees the same snapshot. */
export class PageWorkers implements PageChecker {
  readonly ahead: number;
  private readonly workers: { worker: Worker; pages: Map<number, Page> }[];

  private constructor(snapshot: ExportedSnapshot, count: number) {
    this.ahead = PAGES_EACH * count;
    this.workers = Array.from({ length: count }, () => {
      const worker = new Worker(PROGRAM, { workerData: snapshot, resourceLimits: HEAP });
      const pages = new Map<number, Page>();
      const take = (after: number, columns: CheckedColumns | null) => {
        pages.get(after)?.done(columns);
        pages.delete(after);
      };
      worker.on('message', (page: PageChecked | PageFailed) =>
        take(page.after, page.rejected === null ? null : columnsOf(page)),
      );
      // What it had is checked by whoever waits for it.
      for (const event of ['error', 'exit'] as const)
        worker.on(event, () => {
          for (const after of [...pages.keys()]) take(after, null);
        });
      return { worker, pages };
    });
  }

  /** For a log of so many entries. Null where threads would not pay. */
  static start(snapshot: ExportedSnapshot, entries: number): PageWorkers | null {
    const count = Math.min(MAX_WORKERS, availableParallelism());
    return entries < MIN_ENTRIES || count < 2 || !existsSync(PROGRAM)
      ? null
      : new PageWorkers(snapshot, count);
  }

  check(after: number, until: number): Promise<CheckedColumns | null> {
    const [first, ...others] = this.workers;
    const { worker, pages } = others.reduce(
      (least, each) => (each.pages.size < least.pages.size ? each : least),
      first!,
    );
    // Of a thread that has ended nothing comes back.
    if (worker.threadId < 0) return Promise.resolve(null);
    return new Promise((done) => {
      pages.set(after, { until, done });
      worker.postMessage({ after, until } satisfies PageAsked);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map(({ worker }) => worker.terminate()));
  }
}

const columnsOf = ({ sequences, ids, leafHashes, rejected }: PageChecked): CheckedColumns => ({
  columns: {
    sequences: Array.from(sequences),
    ids: FixedColumn.of(ID_BYTES, ids),
    leafHashes: FixedColumn.of(HASH_BYTES, leafHashes),
  },
  rejected,
});
