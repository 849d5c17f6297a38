import { closeSync, fsyncSync, openSync } from 'node:fs';
import { basename, join } from 'node:path';
import { adopt } from './adopt.js';
import { fileAt, memoryFile } from './file.js';
import { lockNewFolder } from './lock.js';
import { HEADER_BYTES } from './record.js';
import { cut, giveBack, grow, newSegment, type Segment, settle, take } from './segment.js';
import type { Fsync, Store } from './store.js';

export interface SpoolOptions {
  /** The folder; null keeps all of it in memory. */
  path: string | null;
  fsync: Fsync;
  /** Of one file, after which the next is begun. */
  segmentBytes: number;
  warn(message: string): void;
  /** There is something to send that another process left. */
  found(): void;
  /** So many entries cannot be read back. */
  lost(count: number): void;
}

const FSYNC_MS = 50;
const ADOPT_MS = 60_000;

/**
 * Entries in files of a folder that belongs to this process alone, written before append returns: a process that is killed
 * loses none of them. What processes left that have ended is taken over. Errors: those of the file system.
 */
export function openSpool({ path, fsync, segmentBytes, warn, found, lost }: SpoolOptions): Store {
  const folder = path === null ? null : lockNewFolder(path);
  const isDurable = folder !== null && fsync !== 'never';
  /** In the order in which they are sent; those of other processes come first. */
  const segments: Segment[] = [];
  let current: Segment | null = null;
  let [count, bytes, files, isOpen] = [0, 0, 0, true];
  let syncing: NodeJS.Timeout | undefined;

  function begin(): Segment {
    files += 1;
    const last = current;
    current = newSegment(
      folder
        ? fileAt(join(folder.path, `${basename(folder.path)}.${String(files).padStart(8, '0')}.log`), 'wx+')
        : memoryFile(),
    );
    segments.push(current);
    bytes += current.size;
    if (last) end(last);
    if (isDurable) syncFolder(folder.path);
    return current;
  }

  /** Nothing more is written to it. */
  function end(segment: Segment): void {
    if (isDurable) segment.file.sync(() => segment.file.close());
    else segment.file.close();
    removeSent(segment);
  }

  function removeSent(segment: Segment): void {
    if (segment === current || segment.count > 0) return;
    segments.splice(segments.indexOf(segment), 1);
    bytes -= segment.size;
    segment.file.remove();
  }

  function write({ file, size }: Segment, record: Buffer): void {
    file.write(record, size);
    if (fsync === 'each') file.sync();
    if (fsync === 'batch')
      syncing ??= setTimeout(() => {
        syncing = undefined;
        current?.file.sync((error) => error && warn(`fsync failed: ${error.message}`));
      }, FSYNC_MS).unref();
  }

  /** Drops what no batch has taken; answers how many entries that were. */
  function drop(segment: Segment): number {
    const { size } = segment;
    const dropped = cut(segment);
    count -= dropped;
    bytes -= size - segment.size;
    if (segment === current) current = null;
    removeSent(segment);
    return dropped;
  }

  async function takeOver(): Promise<void> {
    if (folder && path)
      try {
        for await (const left of adopt(path, folder.path, () => warn('a file ended within an entry'))) {
          if (!isOpen) return;
          segments.unshift(...left);
          for (const segment of left) {
            count += segment.count;
            bytes += segment.size;
            removeSent(segment);
          }
          found();
        }
      } catch (error) {
        warn(`what other processes left waits: ${(error as Error).message}`);
      }
  }

  const adopting = setInterval(takeOver, ADOPT_MS).unref();
  return {
    ready: takeOver(),
    get count() {
      return count;
    },
    get bytes() {
      return bytes;
    },
    get oldest() {
      return segments.find((segment) => segment.count > 0)?.oldest ?? null;
    },
    append(record, waiter) {
      let segment = current && current.size < segmentBytes ? current : begin();
      try {
        write(segment, record);
      } catch (error) {
        // A file may have a limit of its own (EFBIG) where the disk has room.
        if (segment.size === HEADER_BYTES) throw error;
        segment = begin();
        write(segment, record);
      }
      if (waiter) segment.waiters.set(segment.size, waiter);
      grow(segment, record.length, Date.now());
      count += 1;
      bytes += record.length;
    },
    next(most) {
      for (const segment of [...segments]) {
        if (segment.count === 0) continue;
        const entries = take(segment, most);
        if (entries.length > 0)
          return {
            entries,
            settle() {
              count -= entries.length;
              settle(segment);
              removeSent(segment);
            },
            giveBack: () => giveBack(segment),
          };
        lost(drop(segment));
      }
      return null;
    },
    makeRoom(wanted, limit) {
      let dropped = 0;
      for (const segment of [...segments]) if (bytes + wanted > limit) dropped += drop(segment);
      return dropped;
    },
    close() {
      isOpen = false;
      clearInterval(adopting);
      clearTimeout(syncing);
      current = null;
      for (const segment of [...segments]) end(segment);
      folder?.release();
    },
  };
}

/** So that a new file is there after a loss of power, where the system can see to that. */
function syncFolder(path: string): void {
  try {
    const descriptor = openSync(path, 'r');
    fsyncSync(descriptor);
    closeSync(descriptor);
  } catch {}
}
