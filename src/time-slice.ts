const SLICE_MS = 10;

/** Those that wait for their next slice, in the order in which they get it: one in each turn of the event loop. */
const waiting: (() => void)[] = [];

function giveSlice(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(giveSlice);
}

/**
 * For long work done piece by piece, so that the event loop is never held for long: however many do so at once, each turn of
 * the loop has one slice, and short work need not wait for all of them.
 */
export class TimeSlice {
  private end = performance.now() + SLICE_MS;

  /** Whether `pass` would wait. */
  get isUsed(): boolean {
    return performance.now() >= this.end;
  }

  /** To be awaited between two pieces: lets others have their turn once the slice is used up. */
  async pass(): Promise<void> {
    if (!this.isUsed) return;
    await new Promise<void>((resume) => {
      if (waiting.push(resume) === 1) setImmediate(giveSlice);
    });
    this.end = performance.now() + SLICE_MS;
  }
}
