/**
 * What Reel writes into a tenant's trail about what it did to it, as module `reel`. Verification takes these entries,
 * which are sealed as any others, as the only excuse for an entry that is gone or blank.
 */
export const OWN_ACTIONS = {
  /** Entries were removed. `data.before`: an instant; every entry whose id is from before it may be missing. */
  cleanup: 'reel.logs.removed',
  /** Entries were erased. `data.erasedAt`: their erased_at, with six digits. */
  erase: 'reel.logs.erased',
  /** A legal hold was added, or released. */
  hold: 'reel.holds.added',
  release: 'reel.holds.released',
} as const;
