import { HASH_BYTES, nodeHash } from '../../seal/merkle.js';

/** A step of verifying an audit path: fn, sn and r of RFC 9162, section 2.1.3.2. */
interface Step {
  readonly fn: number;
  readonly sn: number;
  readonly hash: Buffer;
}

const half = (count: number): number => Math.floor(count / 2);

/**
 * Verifies inclusion proofs against one root. Adjacent leaves share the upper part of their audit paths: once a proof
 * reaches a node that the last valid one passed, with the same hashes ahead, it is valid too.
 */
export class InclusionCheck {
  /** Of the last valid proof. */
  private path: readonly Buffer[] = [];
  /** Of the last valid proof; one more than its path has hashes. */
  private steps: readonly Step[] = [];

  constructor(
    private readonly size: number,
    private readonly root: Buffer,
  ) {}

  /** RFC 9162, section 2.1.3.2. */
  isValid(leafHash: Buffer, index: number, path: readonly Buffer[]): boolean {
    if (!Number.isSafeInteger(index) || index < 0 || index >= this.size) return false;
    const shared = this.sharedHashes(path);
    const steps: Step[] = [];
    let fn = index;
    let sn = this.size - 1;
    let hash = leafHash;
    for (let at = 0; ; at += 1) {
      const before =
        path.length - at <= shared ? this.steps[this.steps.length - 1 - (path.length - at)] : null;
      if (before && before.fn === fn && before.sn === sn && before.hash.equals(hash)) {
        this.steps = [...steps, ...this.steps.slice(this.steps.indexOf(before))];
        this.path = path;
        return true;
      }
      steps.push({ fn, sn, hash });
      if (at === path.length) break;
      const next = path[at]!;
      if (sn === 0 || next.length !== HASH_BYTES) return false;
      if (fn % 2 === 1 || fn === sn) {
        hash = nodeHash(next, hash);
        while (fn % 2 === 0 && fn !== 0) {
          fn = half(fn);
          sn = half(sn);
        }
      } else hash = nodeHash(hash, next);
      fn = half(fn);
      sn = half(sn);
    }
    if (sn !== 0 || !hash.equals(this.root)) return false;
    this.steps = steps;
    this.path = path;
    return true;
  }

  /** How many hashes at the end of the path are those of the last valid one. */
  private sharedHashes(path: readonly Buffer[]): number {
    const max = Math.min(path.length, this.path.length);
    let count = 0;
    for (; count < max; count += 1) {
      const one = path[path.length - 1 - count]!;
      const other = this.path[this.path.length - 1 - count]!;
      if (one !== other && !one.equals(other)) break;
    }
    return count;
  }
}
