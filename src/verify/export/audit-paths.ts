import { HASH_BYTES, nodeHash } from '../../seal/merkle.js';

/** Where a walk up a path stands: RFC 9162's fn and sn, and the hash so far. */
interface Step {
  readonly fn: number;
  readonly sn: number;
  readonly hash: Buffer;
}

const half = (count: number): number => Math.floor(count / 2);

/**
 * Audit paths from leaves to one root. Leaves that are near each other share the upper part of their paths: a walk
 * that comes to where the one before it was, with the same path ahead, need not be walked again.
 */
export class AuditPaths {
  private path: readonly Buffer[] = [];
  /** Of the last walk that came to the root; one more than its path has steps. */
  private steps: readonly Step[] = [];

  constructor(
    private readonly size: number,
    private readonly root: Buffer,
  ) {}

  /** RFC 9162, section 2.1.3.2. */
  holds(leaf: Buffer, index: number, path: readonly Buffer[]): boolean {
    if (!Number.isSafeInteger(index) || index < 0 || index >= this.size) return false;
    const known = this.known(path);
    const steps: Step[] = [];
    let fn = index;
    let sn = this.size - 1;
    let hash = leaf;
    for (let at = 0; ; at += 1) {
      const before =
        path.length - at <= known ? this.steps[this.steps.length - 1 - (path.length - at)] : null;
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

  /** How many of the last hashes of the path are those of the walk before. */
  private known(path: readonly Buffer[]): number {
    const most = Math.min(path.length, this.path.length);
    let count = 0;
    for (; count < most; count += 1) {
      const one = path[path.length - 1 - count]!;
      const other = this.path[this.path.length - 1 - count]!;
      if (one !== other && !one.equals(other)) break;
    }
    return count;
  }
}
