/**
 * Actions of the entries, of module `reel`, in which Reel records what it did to a tenant's trail. They are sealed like any
 * others, and verification accepts a missing or blank entry only if one of them records it.
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
