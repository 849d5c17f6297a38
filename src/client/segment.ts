import { ReelLogError } from './error.js';
import type { SegmentFile } from './file.js';
import { decodeRecord, encodeRecord, HEADER_BYTES } from './record.js';
import type { Waiter, Waiting } from './store.js';

/**
 * Records, one after the other. In front of them stands up to where they are sent, as the time of a record without payload;
 * where that is unreadable, all are sent once more, under the keys that they were sent with.
 */
export interface Segment {
  file: SegmentFile;
  /** Where the last whole record ends. What stands behind it, of a write that failed, is written over. */
  size: number;
  /** Where what is not yet settled begins. */
  sent: number;
  /** Entries that are not yet settled. */
  count: number;
  /** When the first of them was taken. */
  oldest: number;
  /** Where those of the batch end, and how many they are. */
  taken: { end: number; count: number };
  /** By the place of their record. */
  waiters: Map<number, Waiter>;
}

export const MAX_BATCH_BYTES = 2 ** 20;

export const newSegment = (file: SegmentFile, at = HEADER_BYTES): Segment => ({
  file,
  size: at,
  sent: at,
  count: 0,
  oldest: 0,
  taken: { end: at, count: 0 },
  waiters: new Map(),
});

/** A record that is in the file belongs to it. */
export function grow(segment: Segment, bytes: number, time: number): void {
  if (segment.count === 0) segment.oldest = time;
  segment.size += bytes;
  segment.count += 1;
}

/** Takes the next entries, at most so many, and 1 MiB. */
export function take(segment: Segment, most: number): Waiting[] {
  const { file, size, sent, waiters } = segment;
  const buffer = file.read(sent, Math.min(size - sent, MAX_BATCH_BYTES));
  const entries: Waiting[] = [];
  let at = 0;
  while (entries.length < most) {
    const found = decodeRecord(buffer, at);
    if (!found) break;
    entries.push({ ...found, waiter: waiters.get(sent + at) });
    at += found.record.length;
  }
  segment.taken = { end: sent + at, count: entries.length };
  return entries;
}

export function giveBack(segment: Segment): void {
  segment.taken = { end: segment.sent, count: 0 };
}

/** What was taken is settled. */
export function settle(segment: Segment): void {
  const { file, taken, waiters } = segment;
  for (const at of waiters.keys()) if (at < taken.end) waiters.delete(at);
  segment.sent = taken.end;
  segment.count -= taken.count;
  taken.count = 0;
  // Neither has to succeed: the first keeps a crash from sending again what was sent, the second is a figure.
  try {
    file.write(encodeRecord('', segment.sent), 0);
    segment.oldest = file.read(segment.sent, HEADER_BYTES).readDoubleLE(8);
  } catch {}
}

/** Drops what is not taken; answers how many entries that were. */
export function cut(segment: Segment): number {
  const { file, taken, waiters } = segment;
  const dropped = segment.count - taken.count;
  for (const [at, waiter] of waiters)
    if (at >= taken.end) waiter.reject(new ReelLogError('DROPPED', 'newer entries needed its room'));
  segment.size = taken.end;
  segment.count = taken.count;
  file.truncate(segment.size);
  return dropped;
}

/** Reads what a process that has ended left in a file, and cuts what it did not write whole, which `torn` is told of. */
export async function load(file: SegmentFile, torn: () => void): Promise<Segment> {
  const segment = newSegment(file, decodeRecord(file.read(0, HEADER_BYTES), 0)?.time);
  for (;;) {
    const start = segment.size;
    const buffer = file.read(start, MAX_BATCH_BYTES);
    for (let found = decodeRecord(buffer, 0); found; found = decodeRecord(buffer, segment.size - start))
      grow(segment, found.record.length, found.time);
    if (segment.size === start) {
      if (buffer.length > 0) torn();
      break;
    }
    await new Promise(setImmediate);
  }
  file.truncate(segment.size);
  return segment;
}
