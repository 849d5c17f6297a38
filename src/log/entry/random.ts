import { randomBytes } from 'node:crypto';

/** Asked for at once: each call of randomBytes takes some microseconds, however few bytes it is for. */
const POOL_BYTES = 4_096;

let pool = Buffer.alloc(0);
let used = 0;

/** So many random bytes, at most 4,096, which nobody else is given. */
export function random(bytes: number): Buffer {
  if (used + bytes > pool.length) {
    pool = randomBytes(POOL_BYTES);
    used = 0;
  }
  used += bytes;
  return pool.subarray(used - bytes, used);
}
