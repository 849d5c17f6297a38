/** How often a tenant's newest note is sent at the most. */
const EVERY_MS = 60_000;
/** A witness that takes longer counts as away. */
const PATIENCE_MS = 10_000;
/** Sent at once; others wait their turn. */
const AT_ONCE = 8;

export interface WitnessOptions {
  url: string;
  onFault: (error: unknown) => void;
  everyMs?: number;
}

interface Told {
  /** The newest note; null once the witness has it. */
  note: string | null;
  /** When the next one may be sent, milliseconds of a clock that never goes back. */
  nextAt: number;
}

/**
 * Sends each tenant's newest signed note to somebody outside, at most once a minute a tenant, who then holds what the
 * operator cannot take back. A note that did not get there is sent, or its successor, at the next minute.
 */
export class Witness {
  private readonly told = new Map<string, Told>();
  private readonly timer: NodeJS.Timeout;
  private sending: Promise<void> | null = null;
  private readonly stopping = new AbortController();
  private readonly everyMs: number;

  constructor(private readonly options: WitnessOptions) {
    this.everyMs = options.everyMs ?? EVERY_MS;
    this.timer = setInterval(() => this.send(), Math.max(this.everyMs / 60, 10));
    this.timer.unref();
  }

  /** Never waits and never throws: sealing goes on whatever becomes of the witness. */
  tell(tenantId: string, note: string): void {
    const told = this.told.get(tenantId);
    if (told) told.note = note;
    else this.told.set(tenantId, { note, nextAt: 0 });
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.sending;
  }

  private send(): void {
    if (this.sending) return;
    const now = performance.now();
    for (const [tenantId, { note, nextAt }] of this.told)
      if (note === null && nextAt <= now) this.told.delete(tenantId);
    const due = [...this.told.values()].filter(({ note, nextAt }) => note !== null && nextAt <= now);
    if (due.length === 0) return;
    this.sending = this.sendAll(due).finally(() => {
      this.sending = null;
    });
  }

  private async sendAll(due: Told[]): Promise<void> {
    const sendNext = async () => {
      for (let told = due.pop(); told && !this.stopping.signal.aborted; told = due.pop())
        await this.sendOne(told);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, sendNext));
  }

  private async sendOne(told: Told): Promise<void> {
    const { note } = told;
    told.nextAt = performance.now() + this.everyMs;
    try {
      const answer = await fetch(this.options.url, {
        method: 'POST',
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        body: note,
        redirect: 'error',
        signal: AbortSignal.any([this.stopping.signal, AbortSignal.timeout(PATIENCE_MS)]),
      });
      await answer.body?.cancel();
      if (!answer.ok)
        throw new Error(`REEL_WITNESS_URL: expected an answer of success, got ${answer.status}`);
      if (told.note === note) told.note = null;
    } catch (error) {
      if (!this.stopping.signal.aborted) this.options.onFault(error);
    }
  }
}
