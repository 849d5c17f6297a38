import { HASH_BYTES, nodeHash } from './merkle.js';
import { decodeBase64 } from './note.js';

/** Where a walk up a path stands: RFC 9162's fn and sn, and the hash so far. */
interface Step {
  readonly fn: number;
  readonly sn: number;
  readonly hash: Buffer;
}

const half = (count: number): number => Math.floor(count / 2);

/**
 * Audit paths in base64 from leaves to one root. Leaves that are near each other share the upper part of their paths: a walk
 * that comes to where the one before it was, with the same path ahead, need not be walked again.
 */
export class AuditPaths {
  private path: readonly string[] = [];
  /** Of the last walk that came to the root; one more than its path has steps. */
  private steps: readonly Step[] = [];

  constructor(
    private readonly size: number,
    private readonly root: Buffer,
  ) {}

  /** RFC 9162, section 2.1.3.2. */
  holds(leaf: Buffer, index: number, path: readonly string[]): boolean {
    if (!Number.isSafeInteger(index) || index < 0 || index >= this.size) return false;
    const known = this.known(path);
    const steps: Step[] = [];
    let [fn, sn, hash] = [index, this.size - 1, leaf];
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
      const next = decodeBase64(path[at]!);
      if (sn === 0 || next?.length !== HASH_BYTES) return false;
      if (fn % 2 === 1 || fn === sn) {
        hash = nodeHash(next, hash);
        while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
      } else hash = nodeHash(hash, next);
      [fn, sn] = [half(fn), half(sn)];
    }
    if (sn !== 0 || !hash.equals(this.root)) return false;
    this.steps = steps;
    this.path = path;
    return true;
  }

  /** How many of the last hashes of the path are those of the walk before. */
  private known(path: readonly string[]): number {
    const most = Math.min(path.length, this.path.length);
    let count = 0;
    while (count < most && path[path.length - 1 - count] === this.path[this.path.length - 1 - count])
      count += 1;
    return count;
  }
}
