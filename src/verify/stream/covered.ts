/** A set of positive integers as ranges that neither touch nor overlap, in order. */
export class Covered {
  private readonly ranges: [number, number][] = [];

  /** Both inclusive. */
  add(first: number, last: number): void {
    if (last < first) return;
    // Mostly it goes on where the last one ends.
    const end = this.ranges.at(-1);
    if (end && first >= end[0] && first <= end[1] + 1) {
      end[1] = Math.max(end[1], last);
      return;
    }
    const at = this.indexAfter(first - 1);
    let [from, until] = [first, last];
    let count = 0;
    for (let next = this.ranges[at]; next && next[0] <= until + 1; next = this.ranges[at + count]) {
      from = Math.min(from, next[0]);
      until = Math.max(until, next[1]);
      count += 1;
    }
    this.ranges.splice(at, count, [from, until]);
  }

  addAll({ ranges }: Covered): void {
    for (const [first, last] of ranges) this.add(first, last);
  }

  has(value: number): boolean {
    const range = this.ranges[this.indexAfter(value)];
    return range !== undefined && range[0] <= value && value <= range[1];
  }

  get first(): number {
    return this.ranges[0]?.[0] ?? 0;
  }

  get last(): number {
    return this.ranges.at(-1)?.[1] ?? 0;
  }

  get size(): number {
    return this.ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  }

  /** What lies between the ranges. */
  gaps(): [number, number][] {
    return this.ranges.slice(1).map(([first], at) => [this.ranges[at]![1] + 1, first - 1]);
  }

  /** The first range that does not end before a value. */
  private indexAfter(value: number): number {
    let [low, high] = [0, this.ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ranges[middle]![1] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
