import { LRUCache } from 'lru-cache';
import type { BatchReader, Recipe } from './batches.js';
import type { StoredStream } from './store.js';

const MAX_WAITING = 1_000;

interface Measured {
  readonly run: number;
  readonly position: number;
  until: number;
  entries: number;
  bytes: number;
}

/** How far batches have filled that wait for more, so that one is sent as soon as it is full. Each entry is measured once. */
export class Filling {
  private readonly measured = new LRUCache<string, Measured>({ max: MAX_WAITING });

  constructor(private readonly reader: Pick<BatchReader, 'measure'>) {}

  /** The stream as one that is due, where its batch has filled; else null. */
  async filled(stream: StoredStream, recipe: Recipe): Promise<StoredStream | null> {
    const { id, run, position, lastSequence } = stream;
    const known = this.measured.get(id);
    const measured =
      known?.run === run && known.position === position
        ? known
        : { run, position, until: position, entries: 0, bytes: 0 };
    this.measured.set(id, measured);
    const more = await this.reader.measure(stream, recipe, { after: measured.until, upTo: lastSequence });
    measured.until = more.until;
    measured.entries += more.entries;
    measured.bytes += more.bytes;
    const isFull = measured.entries >= recipe.bounds.entries || measured.bytes >= recipe.bounds.bytes;
    if (!isFull) return null;
    this.measured.delete(id);
    return { ...stream, retryAt: null };
  }
}
