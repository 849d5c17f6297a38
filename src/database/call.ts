import type { ReadDatabase } from './database.js';

/** What is used of an AbortSignal. */
export interface CallSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** A signal cheap enough for every request: Node's own makes an event even where nobody listens. Listeners must not throw. */
export class CallEnd implements CallSignal {
  aborted = false;
  reason: unknown;
  private readonly listeners = new Set<() => void>();

  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const told = [...this.listeners];
    this.listeners.clear();
    for (const listener of told) listener();
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    if (!this.aborted) this.listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }
}

/** A request whose answer is being made: what is read for it. */
export interface Call {
  /** Aborts where nobody waits for the answer any more, or it must not be made: its reason is the error that reads end in. */
  readonly signal: CallSignal;
  /** To be told the bytes of each row that is read. Aborts the signal where it is too much. */
  took(bytes: number): void;
}

/** The same database, read for one call: its statements are cancelled with it, and its rows are counted. */
export const during = (database: ReadDatabase, call: Call): ReadDatabase => ({
  ...(database.copy && {
    copy: (tenantId, work, options) => database.copy!(tenantId, work, { ...options, call }),
  }),
  read: (tenantId, work, options) => database.read(tenantId, work, { ...options, call }),
  get isDistributed() {
    return database.isDistributed;
  },
  query: (tenantId, statement, options) => database.query(tenantId, statement, { ...options, call }),
});
