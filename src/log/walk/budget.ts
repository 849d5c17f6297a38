/** What looking may take. Tests give smaller ones, and a clock of their own. */
export interface LookingBounds {
  /** Milliseconds for a page or a count that may stop short. */
  readonly searchMs: number;
  /** Milliseconds for one statement of a count that must be exact. */
  readonly statementMs: number;
  /** Milliseconds for such a count as a whole. */
  readonly exactMs: number;
  /** Candidates that the first stretch takes, and the fewest and the most of any other; fewer where those take too long. */
  readonly candidates: { readonly first: number; readonly least: number; readonly most: number };
  /** More candidates than this are not sorted by id: of so many, a walk along the key soon comes to some. */
  readonly gathered: number;
  /** Milliseconds that a stretch should take; its number of candidates adapts. */
  readonly stretchMs: number;
  /** Milliseconds that a statement may run past the budget before it is cancelled. */
  readonly graceMs: number;
  /** In milliseconds; only differences count. */
  readonly clock: () => number;
}

export const LOOKING_BOUNDS: LookingBounds = {
  searchMs: 2_000,
  statementMs: 15_000,
  exactMs: 60_000,
  candidates: { first: 500, least: 16, most: 20_000 },
  gathered: 10_000,
  stretchMs: 100,
  graceMs: 250,
  clock: () => performance.now(),
};

/** Time that is spent from its creation on. */
export class Budget {
  private readonly end: number;

  constructor(
    milliseconds: number,
    private readonly clock: () => number,
  ) {
    this.end = clock() + milliseconds;
  }

  /** Milliseconds, 0 once it is spent. */
  get left(): number {
    return Math.max(0, this.end - this.clock());
  }

  get isSpent(): boolean {
    return this.left === 0;
  }
}
