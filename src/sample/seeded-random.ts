import { type Cipheriv, createCipheriv, createHash } from 'node:crypto';
import { v4 } from 'uuid';

const KEY_STREAM_BYTES = 65_536;

/** Random values that are the same for the same seed: the key stream of AES-256 in counter mode. Not for secrets. */
export class SeededRandom {
  private readonly cipher: Cipheriv;
  private stream = Buffer.alloc(0);
  private offset = 0;

  constructor(seed: string) {
    const key = createHash('sha256').update(seed).digest();
    this.cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  }

  bytes(length: number): Buffer {
    if (this.offset + length > this.stream.length) {
      this.stream = this.cipher.update(Buffer.alloc(KEY_STREAM_BYTES));
      this.offset = 0;
    }
    this.offset += length;
    return this.stream.subarray(this.offset - length, this.offset);
  }

  /** From 0 inclusive to 1 exclusive. */
  fraction(): number {
    return this.bytes(4).readUInt32LE() / 2 ** 32;
  }

  /** An integer, both ends inclusive. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)]!;
  }

  /** Picks early items far more often than late ones, as a few people do most of the work. */
  pickEarly<T>(items: readonly T[]): T {
    return items[Math.floor(this.fraction() ** 2 * items.length)]!;
  }

  uuid(): string {
    return v4({ random: this.bytes(16) });
  }

  hex(length: number): string {
    return this.bytes(Math.ceil(length / 2))
      .toString('hex')
      .slice(0, length);
  }
}

/** Picks an item in proportion to its weight. */
export function weighted<T extends { weight: number }>(items: readonly T[]): (random: SeededRandom) => T {
  let sum = 0;
  const upTo = items.map(({ weight }) => (sum += weight));
  return (random) => {
    const at = random.fraction() * sum;
    return items[upTo.findIndex((end) => at < end)]!;
  };
}
