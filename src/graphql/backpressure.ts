import type { Writable } from 'node:stream';

/** Who takes nothing of what was written for so long is cut off. */
const STALLED_MS = 60_000;

/** Holds back what is written to a stream until the current tick ends, so that many small messages take one system call. */
export function corkUntilTick(stream: Writable): void {
  if (stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}

const draining = new WeakMap<Writable, Promise<void>>();

/**
 * Resolves once what was written to a full stream has been taken, or never will be; undefined while there is room. A stream
 * that stays full is destroyed. Of several that wait each looks again, since another may have filled it anew.
 */
export function drained(stream: Writable): Promise<void> | undefined {
  if (!stream.writableNeedDrain || stream.destroyed) return undefined;
  const present = draining.get(stream);
  if (present) return present;
  const wait = new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(stalled);
      stream.off('drain', end).off('close', end);
      draining.delete(stream);
      resolve();
    };
    const stalled = setTimeout(() => stream.destroy(), STALLED_MS);
    stream.on('drain', end).on('close', end);
  });
  draining.set(stream, wait);
  return wait;
}
