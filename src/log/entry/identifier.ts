import { randomBytes } from 'node:crypto';
import { v7 } from 'uuid';

/** An entry's id and the instant that it contains. */
export interface Identity {
  id: string;
  /** `2026-01-05T10:00:00.123456Z`. */
  createdAt: string;
}

/**
 * Generates strictly increasing instants, at least one microsecond apart, and UUIDv7s in their order (RFC 9562, sections
 * 5.7 and 6.2, method 3: the bits after the milliseconds are the microsecond). If the clock is set back, time continues
 * from the last instant.
 */
export class Identifier {
  private last = 0;

  /** `clock` returns Unix microseconds. */
  constructor(private readonly clock: () => number = microseconds) {}

  next(): Identity {
    this.last = Math.max(this.last + 1, this.clock());
    const milliseconds = Math.floor(this.last / 1000);
    const microsecond = this.last % 1000;
    // uuid's 32 bits of `seq` are the 12 of rand_a and the 20 after the variant: ten for the microsecond, the rest random.
    const random = randomBytes(16);
    const seq = ((microsecond << 22) | (random.readUInt32BE(0) & 0x3fffff)) >>> 0;
    return {
      id: v7({ msecs: milliseconds, seq, random }),
      createdAt: `${new Date(milliseconds).toISOString().slice(0, 23)}${String(microsecond).padStart(3, '0')}Z`,
    };
  }
}

/** The system's time, with microseconds from the process's monotonic clock. */
function microseconds(): number {
  const milliseconds = Date.now();
  const past = Math.floor((performance.timeOrigin + performance.now() - milliseconds) * 1000);
  return milliseconds * 1000 + Math.min(Math.max(past, 0), 999);
}
