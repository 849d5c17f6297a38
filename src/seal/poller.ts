/** So long as a run took there is rest after it, so that work gathers, but no longer than this. */
const MOST_REST_MS = 100;

/**
 * Runs `work` every `intervalMs`, counted from the end of one run to the start of the next, or sooner on request; but on a
 * request during a run no sooner than after as long as it took, or after MOST_REST_MS.
 */
export class Poller {
  private timer: NodeJS.Timeout | null = null;
  private dueAt = Number.POSITIVE_INFINITY;
  private running: Promise<void> | null = null;
  /** The delay after which a run was asked for during the one under way. */
  private requestedMs = Number.POSITIVE_INFINITY;
  private isStopped = false;

  constructor(
    private readonly work: () => Promise<void>,
    private readonly intervalMs: number,
    private readonly onFault: (error: unknown) => void,
  ) {}

  /** Starts the next run within `delayMs`, of now or of the end of the run under way. */
  runWithin(delayMs: number): void {
    if (this.running) this.requestedMs = Math.min(this.requestedMs, delayMs);
    else this.schedule(delayMs);
  }

  /** Resolves once the run under way has ended; there is none after it. */
  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer) clearTimeout(this.timer);
    await this.running;
  }

  private schedule(delayMs: number): void {
    const dueAt = performance.now() + delayMs;
    if (this.isStopped || (this.timer && this.dueAt <= dueAt)) return;
    if (this.timer) clearTimeout(this.timer);
    this.dueAt = dueAt;
    this.timer = setTimeout(() => {
      this.timer = null;
      const startedAt = performance.now();
      this.running = this.work()
        .catch(this.onFault)
        .finally(() => {
          this.running = null;
          const tookMs = Math.min(performance.now() - startedAt, MOST_REST_MS);
          const requestedMs = Math.max(this.requestedMs, tookMs);
          this.requestedMs = Number.POSITIVE_INFINITY;
          this.schedule(Math.min(this.intervalMs, requestedMs));
        });
    }, delayMs);
  }
}
