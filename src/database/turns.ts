import type { CallSignal } from './call.js';

export interface TurnBounds {
  /** Turns taken at once. */
  readonly atOnce: number;
  /** Of these, one key's. */
  readonly atOncePerKey: number;
  /** How many of one key may wait for their turn; further ones are refused. */
  readonly waitingPerKey: number;
  /** The longest that one may wait before it is refused, in milliseconds; none: as long as it takes. */
  readonly waitMs?: number;
}

export interface TakeOptions {
  /** Leaves the line when it aborts; `take` then rejects with its reason. */
  readonly signal?: CallSignal | undefined;
  /** Waits as long as it takes, however many of the key's do: for work whose number is bounded elsewhere. */
  readonly isBounded?: boolean | undefined;
}

/** Ends a turn; calls after the first have no effect. */
export type EndTurn = () => void;

interface Line {
  taken: number;
  /** In order of arrival. Each starts the turn of one that waits. */
  readonly waiting: Set<() => void>;
}

/**
 * Gives turns at something scarce to keys that compete for it, such as reading connections to tenants. A turn that becomes
 * free goes round among the keys that wait for one: while a key waits and is within its own bound, no other gets more than
 * one turn before it. Within a key, first come, first served.
 */
export class Turns {
  private readonly lines = new Map<string, Line>();
  /** Those that wait and may take a turn, in the order in which they will. */
  private readonly ring = new Map<string, Line>();
  private taken = 0;
  private inLine = 0;

  /** `refuse` makes the error for one that would have to wait, or has waited, past the bounds. */
  constructor(
    private readonly bounds: TurnBounds,
    private readonly refuse: () => Error,
  ) {}

  /** Those that wait for a turn, of all keys. */
  get waiting(): number {
    return this.inLine;
  }

  /** Turns taken, by all keys. */
  get atOnce(): number {
    return this.taken;
  }

  /** Runs `work` in a turn of its own. Errors: those of `take` and of `work`. */
  async run<T>(key: string, work: () => Promise<T>, options: TakeOptions = {}): Promise<T> {
    const end = await this.take(key, options);
    try {
      return await work();
    } finally {
      end();
    }
  }

  /** Resolves when it is the key's turn. */
  take(key: string, { signal, isBounded = false }: TakeOptions = {}): Promise<EndTurn> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const line = this.lines.get(key) ?? { taken: 0, waiting: new Set() };
      if (!this.isFree(line) && !isBounded && line.waiting.size >= this.bounds.waitingPerKey)
        return reject(this.refuse());
      this.lines.set(key, line);
      let timer: NodeJS.Timeout | undefined;
      const leave = (error: unknown) => {
        if (line.waiting.delete(start)) this.inLine -= 1;
        unwatch();
        this.settle(key, line);
        reject(error);
      };
      const hangUp = () => leave(signal?.reason);
      const unwatch = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', hangUp);
      };
      const start = () => {
        unwatch();
        resolve(this.endOf(key, line));
      };
      line.waiting.add(start);
      this.inLine += 1;
      this.settle(key, line);
      this.dispatch();
      if (!line.waiting.has(start)) return;
      signal?.addEventListener('abort', hangUp);
      const { waitMs } = this.bounds;
      if (waitMs !== undefined && !isBounded) timer = setTimeout(() => leave(this.refuse()), waitMs);
    });
  }

  /** A turn without waiting; null where none is free. */
  takeNow(key: string): EndTurn | null {
    const line = this.lines.get(key) ?? { taken: 0, waiting: new Set() };
    if (!this.isFree(line)) return null;
    this.lines.set(key, line);
    line.taken += 1;
    this.taken += 1;
    return this.endOf(key, line);
  }

  private isFree({ taken, waiting }: Line): boolean {
    const { atOnce, atOncePerKey } = this.bounds;
    return this.taken < atOnce && taken < atOncePerKey && waiting.size === 0;
  }

  private endOf(key: string, line: Line): EndTurn {
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      line.taken -= 1;
      this.taken -= 1;
      this.settle(key, line);
      this.dispatch();
    };
  }

  /** Puts a key that waits and may take a turn at the end of the ring, unless it is in it, and takes any other out. */
  private settle(key: string, line: Line): void {
    if (line.waiting.size === 0 || line.taken >= this.bounds.atOncePerKey) this.ring.delete(key);
    else if (!this.ring.has(key)) this.ring.set(key, line);
    if (line.taken === 0 && line.waiting.size === 0) this.lines.delete(key);
  }

  private dispatch(): void {
    while (this.taken < this.bounds.atOnce) {
      const [next] = this.ring;
      if (!next) return;
      const [key, line] = next;
      const [start] = line.waiting;
      if (!start) return;
      line.waiting.delete(start);
      this.inLine -= 1;
      line.taken += 1;
      this.taken += 1;
      this.ring.delete(key);
      this.settle(key, line);
      start();
    }
  }
}
