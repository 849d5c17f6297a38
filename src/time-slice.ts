import { setImmediate } from 'node:timers/promises';

const SLICE_MS = 10;

/** For long work done piece by piece, so that the event loop is never held for long. */
export class TimeSlice {
  private end = performance.now() + SLICE_MS;

  /** To be awaited between two pieces: lets others have their turn once the slice is used up. */
  async pass(): Promise<void> {
    if (performance.now() < this.end) return;
    await setImmediate();
    this.end = performance.now() + SLICE_MS;
  }
}
