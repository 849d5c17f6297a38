/** Runs `work` every `intervalMs`, counted from the end of one run to the start of the next, or sooner on request. */
export class Poller {
  private timer: NodeJS.Timeout | null = null;
  private dueAt = Number.POSITIVE_INFINITY;
  private running: Promise<void> | null = null;
  private isStopped = false;

  constructor(
    private readonly work: () => Promise<void>,
    private readonly intervalMs: number,
    private readonly onFault: (error: unknown) => void,
  ) {}

  /** Starts the next run within `delayMs`; no effect during a run, which the next one follows after `intervalMs`. */
  runWithin(delayMs: number): void {
    if (!this.running) this.schedule(delayMs);
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
      this.running = this.work()
        .catch(this.onFault)
        .finally(() => {
          this.running = null;
          this.schedule(this.intervalMs);
        });
    }, delayMs);
  }
}
