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

interface PageThread {
  readonly worker: Worker;
  /** What waits for a page, by the sequence that it comes after. */
  readonly pages: Map<number, (checked: CheckedColumns | null) => void>;
}

/** Threads that check pages of one tenant's log, each on a connection of its own that sees the same snapshot. */
export class PageWorkers implements PageChecker {
  readonly ahead: number;
  /** Those that have not ended. */
  private readonly threads = new Set<PageThread>();

  private constructor(snapshot: ExportedSnapshot, count: number) {
    this.ahead = PAGES_EACH * count;
    for (let started = 0; started < count; started += 1) {
      const worker = new Worker(PROGRAM, { workerData: snapshot, resourceLimits: HEAP });
      const thread: PageThread = { worker, pages: new Map() };
      worker.on('message', (page: PageChecked | PageFailed) => {
        thread.pages.get(page.after)?.(page.rejected === null ? null : columnsOf(page));
        thread.pages.delete(page.after);
      });
      // What it had is checked by whoever waits for it.
      for (const event of ['error', 'exit'] as const)
        worker.on(event, () => {
          this.threads.delete(thread);
          for (const done of thread.pages.values()) done(null);
          thread.pages.clear();
        });
      this.threads.add(thread);
    }
  }

  /** For a log of so many entries. Null where threads would not pay. */
  static start(snapshot: ExportedSnapshot, entries: number): PageWorkers | null {
    const count = Math.min(MAX_WORKERS, availableParallelism());
    return entries < MIN_ENTRIES || count < 2 || !existsSync(PROGRAM)
      ? null
      : new PageWorkers(snapshot, count);
  }

  check(after: number, until: number): Promise<CheckedColumns | null> {
    const [thread] = [...this.threads].sort((one, other) => one.pages.size - other.pages.size);
    if (!thread) return Promise.resolve(null);
    return new Promise((done) => {
      thread.pages.set(after, done);
      thread.worker.postMessage({ after, until } satisfies PageAsked);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.threads].map(({ worker }) => worker.terminate()));
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
