/** How far this machine's clock may be from the database's. */
const TOLERANCE_US = 5_000_000;

export interface Clocks {
  /** This machine's time in Unix microseconds; it may be set while the process runs. */
  wall?: () => number;
  /** Milliseconds of a clock that nobody sets. */
  monotonic?: () => number;
}

/**
 * The time that entries are stamped with: this machine's, as long as it is at most five seconds from the database's, which is
 * known from the last answer and carried on by the monotonic clock, so that a step of either is noticed at once; else the
 * database's. All times are Unix microseconds.
 */
export class DatabaseClock {
  private readonly wall: () => number;
  private readonly monotonic: () => number;
  /** The database's time when its answer arrived: at least `micros`, at most `spread` more. */
  private sample: { micros: number; spread: number; at: number } | null = null;

  constructor({ wall = systemMicroseconds, monotonic = () => performance.now() }: Clocks = {}) {
    this.wall = wall;
    this.monotonic = monotonic;
  }

  /** For `observe`, when the question is sent. */
  sendingAt(): number {
    return this.monotonic();
  }

  /** `micros`: what the database answered, to a question that was sent at `sentAt`. */
  observe(micros: number, sentAt: number): void {
    const at = this.monotonic();
    this.sample = { micros, spread: (at - sentAt) * 1000, at };
  }

  now(): number {
    return this.apartMicros() === 0 ? Math.min(this.wall(), this.latest()) : this.earliestNow()!;
  }

  /** No entry may be stamped past this. */
  latest(): number {
    return (this.earliestNow() ?? this.wall()) + TOLERANCE_US;
  }

  /** Seconds that this machine's clock is ahead of the database's, or negative; 0 where they are at most 5 s apart. */
  get apartSeconds(): number {
    return this.apartMicros() / 1_000_000;
  }

  private apartMicros(): number {
    const earliest = this.earliestNow();
    if (earliest === null) return 0;
    const wall = this.wall();
    const ahead = wall - (earliest + this.sample!.spread);
    const behind = earliest - wall;
    if (ahead > TOLERANCE_US) return ahead;
    return behind > TOLERANCE_US ? -behind : 0;
  }

  /** What the database's clock shows at least; null before its first answer. */
  private earliestNow(): number | null {
    if (this.sample === null) return null;
    const { micros, at } = this.sample;
    return micros + Math.round((this.monotonic() - at) * 1000);
  }
}

/** The system's time, with microseconds from the process's monotonic clock. */
export function systemMicroseconds(): number {
  const milliseconds = Date.now();
  const past = Math.floor((performance.timeOrigin + performance.now() - milliseconds) * 1000);
  return milliseconds * 1000 + Math.min(Math.max(past, 0), 999);
}
