import { bytesOf, type GrowingBytes } from '../log/entry/growing-bytes.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import type { Delivered } from './kinds/kind.js';

/** An entry in format reel, written as bytes. */
class WrittenEntry implements Delivered {
  constructor(
    readonly entry: LogEntry,
    readonly bytes: Buffer,
  ) {}

  get text(): string {
    return this.bytes.toString();
  }

  get value(): Delivered['value'] {
    return JSON.parse(this.text) as Record<string, unknown>;
  }
}

/** Entries, each as `write` writes it, in one piece of memory. Errors: those of `write`. */
export function writtenEntries(
  entries: readonly LogEntry[],
  write: (out: GrowingBytes, entry: LogEntry) => void,
): Delivered[] {
  const ends: number[] = [];
  const whole = bytesOf((out) => {
    for (const entry of entries) {
      write(out, entry);
      ends.push(out.length);
    }
  });
  return entries.map((entry, at) => new WrittenEntry(entry, whole.subarray(ends[at - 1] ?? 0, ends[at])));
}
