import { SpanKind, traced, traceHeaders } from '../tracing.js';

/** A tenant's notes are sent no more often than this. */
const INTERVAL_MS = 60_000;
const TIMEOUT_MS = 10_000;
const MAX_CONCURRENT = 8;

export interface WitnessOptions {
  url: string;
  onFault: (error: unknown) => void;
  /** By default a minute. */
  intervalMs?: number;
  /** For one note; by default ten seconds. */
  timeoutMs?: number;
}

interface Pending {
  /** The newest note; null once the witness has it. */
  note: string | null;
  /** When the next one may be sent, in milliseconds of performance.now(). */
  nextAt: number;
  /** Since when a note has been waiting, likewise. */
  since: number;
}

/**
 * Sends each tenant's newest signed note to a witness, which the operator cannot make forget it, once a minute at most. If
 * one cannot be delivered, it or its successor is sent a minute later.
 */
export class WitnessClient {
  /** By tenant. */
  private readonly pending = new Map<string, Pending>();
  private readonly timer: NodeJS.Timeout;
  private sending: Promise<void> | null = null;
  private readonly stopping = new AbortController();
  private readonly intervalMs: number;
  private lastAcceptedAt: number | null = null;

  constructor(private readonly options: WitnessOptions) {
    this.intervalMs = options.intervalMs ?? INTERVAL_MS;
    this.timer = setInterval(() => this.sendDue(), Math.max(this.intervalMs / 60, 10));
    this.timer.unref();
  }

  /** Returns at once and never throws: sealing does not depend on the witness. */
  submit(tenantId: string, note: string): void {
    const pending = this.pending.get(tenantId);
    if (pending) {
      if (pending.note === null) pending.since = performance.now();
      pending.note = note;
    } else this.pending.set(tenantId, { note, nextAt: 0, since: performance.now() });
  }

  /** How far it is behind. Times are in seconds since 1970; null before the first note that was accepted. */
  get progress(): { waiting: number; waitingSeconds: number; lastAcceptedAt: number | null } {
    const waiting = [...this.pending.values()].filter(({ note }) => note !== null);
    const now = performance.now();
    const oldest = waiting.reduce((least, { since }) => Math.min(least, since), now);
    return {
      waiting: waiting.length,
      waitingSeconds: (now - oldest) / 1_000,
      lastAcceptedAt: this.lastAcceptedAt,
    };
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.sending;
  }

  private sendDue(): void {
    if (this.sending) return;
    const now = performance.now();
    for (const [tenantId, { note, nextAt }] of this.pending)
      if (note === null && nextAt <= now) this.pending.delete(tenantId);
    const due = [...this.pending.values()].filter(({ note, nextAt }) => note !== null && nextAt <= now);
    if (due.length === 0) return;
    this.sending = this.sendAll(due).finally(() => {
      this.sending = null;
    });
  }

  private async sendAll(due: Pending[]): Promise<void> {
    const sendNext = async () => {
      for (let next = due.pop(); next && !this.stopping.signal.aborted; next = due.pop())
        await this.sendTraced(next);
    };
    await Promise.all(Array.from({ length: MAX_CONCURRENT }, sendNext));
  }

  private sendTraced(pending: Pending): Promise<void> {
    return traced('witness', { kind: SpanKind.CLIENT, isRoot: true }, () => this.send(pending));
  }

  private async send(pending: Pending): Promise<void> {
    const { note } = pending;
    pending.nextAt = performance.now() + this.intervalMs;
    try {
      const response = await fetch(this.options.url, {
        method: 'POST',
        headers: { 'content-type': 'text/plain; charset=utf-8', ...traceHeaders() },
        body: note,
        redirect: 'error',
        signal: AbortSignal.any([
          this.stopping.signal,
          AbortSignal.timeout(this.options.timeoutMs ?? TIMEOUT_MS),
        ]),
      });
      await response.body?.cancel();
      if (!response.ok)
        throw new Error(`REEL_WITNESS_URL: expected a status from 200 to 299, got ${response.status}`);
      this.lastAcceptedAt = Date.now() / 1_000;
      if (pending.note === note) pending.note = null;
      else pending.since = performance.now();
    } catch (error) {
      if (!this.stopping.signal.aborted) this.options.onFault(error);
    }
  }
}
