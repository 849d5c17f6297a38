import { v7 } from 'uuid';
import { systemMicroseconds } from '../../database/clock.js';
import { random } from './random.js';

/** An entry's id and the instant that it contains. */
export interface Identity {
  id: string;
  /** `2026-01-05T10:00:00.123456Z`. */
  createdAt: string;
}

/** In Unix microseconds. */
export interface EntryClock {
  now(): number;
  /** No instant may be past this. */
  latest(): number;
}

/** How far instants may run ahead of a clock that was set back. */
const AHEAD_US = 5_000_000;

const systemClock: EntryClock = {
  now: systemMicroseconds,
  latest: () => systemMicroseconds() + AHEAD_US,
};

/**
 * Generates increasing instants, at least one microsecond apart, and UUIDv7s in their order (RFC 9562, sections 5.7 and 6.2,
 * method 3: the bits after the milliseconds are the microsecond). If the clock is set back by some seconds, time continues
 * from the last instant; if by more, that instant was wrong, and time goes on from the clock.
 */
export class Identifier {
  private last = 0;
  private second = Number.NaN;
  private secondText = '';

  constructor(private readonly clock: EntryClock = systemClock) {}

  next(): Identity {
    const now = this.clock.now();
    const next = Math.max(this.last + 1, now);
    this.last = next > this.clock.latest() ? now : next;
    const milliseconds = Math.floor(this.last / 1000);
    const microsecond = this.last % 1000;
    // uuid's 32 bits of `seq` are the 12 of rand_a and the 20 after the variant: ten for the microsecond, the rest random.
    const bits = random(16);
    const seq = ((microsecond << 22) | (bits.readUInt32BE(0) & 0x3fffff)) >>> 0;
    return {
      id: v7({ msecs: milliseconds, seq, random: bits }),
      createdAt: `${this.secondOf(milliseconds)}${String(this.last % 1_000_000).padStart(6, '0')}Z`,
    };
  }

  /** `2026-01-05T10:00:00.` */
  private secondOf(milliseconds: number): string {
    const second = Math.floor(milliseconds / 1000);
    if (second !== this.second) {
      this.second = second;
      this.secondText = new Date(1000 * second).toISOString().slice(0, 20);
    }
    return this.secondText;
  }
}
