/** How many entries have one value. */
export interface ValueCount {
  readonly key: string | null;
  /** Of an actor: what its key is, as in ACTOR_KEYS. */
  readonly kind: number;
  readonly count: number;
}

/** Characters of all values that are kept, each with what it takes itself: some 100,000 ids. */
const MAX_WEIGHT = 10_000_000;
const OWN_WEIGHT = 64;

/**
 * Counts entries by value, in bounded memory: past it the rarer half is forgotten, and a value that comes again counts anew.
 * So no count is ever too high, and without isComplete it may be too low.
 */
export class ValueCounts {
  isComplete = true;
  #values = new Map<string | null, ValueCount>();
  #weight = 0;

  constructor(private readonly maxWeight = MAX_WEIGHT) {}

  add(key: string | null, count: number, kind = 0): void {
    const known = this.#values.get(key);
    if (known) {
      this.#values.set(key, { key, kind: Math.min(kind, known.kind), count: count + known.count });
      return;
    }
    this.#values.set(key, { key, kind, count });
    this.#weight += weightOf(key);
    if (this.#weight > this.maxWeight) this.#forget();
  }

  /** The most frequent, ties by the key's bytes and null last. */
  top(most: number): ValueCount[] {
    return this.#sorted().slice(0, most);
  }

  #sorted(): ValueCount[] {
    return [...this.#values.values()].sort((a, b) => b.count - a.count || compareKeys(a.key, b.key));
  }

  #forget(): void {
    this.isComplete = false;
    const sorted = this.#sorted();
    this.#values = new Map();
    this.#weight = 0;
    for (const value of sorted) {
      if (this.#weight > this.maxWeight / 2) return;
      this.#values.set(value.key, value);
      this.#weight += weightOf(value.key);
    }
  }
}

const weightOf = (key: string | null) => (key?.length ?? 0) + OWN_WEIGHT;

function compareKeys(a: string | null, b: string | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
