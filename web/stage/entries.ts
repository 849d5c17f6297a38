import { computed, shallowRef } from 'vue';
import { askReel, type LogFilterInput, ReelError } from '../reel/index.js';
import { type RowFragment, RowsDocument } from './generated.js';

export type Row = RowFragment;

const FIRST_PAGE = 50;
const NEXT_PAGE = 100;
/** Refusals that may pass by themselves, and how long to wait before asking again, growing. */
const PASSING = ['NETWORK', 'UNAVAILABLE', 'OVERLOADED', 'TOO_MANY_REQUESTS'];
const RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 30_000;

export type ListState = 'loading' | 'shown' | 'failed';

/** The list as far as it was fetched. What was shown stays until an answer takes its place. `again` loads a failed list anew. */
export function useEntries(again: () => void) {
  const rows = shallowRef<readonly Row[]>([]);
  const state = shallowRef<ListState>('loading');
  const more = shallowRef<'none' | 'waiting' | 'loading' | 'failed'>('none');
  const error = shallowRef<ReelError | null>(null);
  const asked = shallowRef<{ filter: LogFilterInput; oldest: boolean }>({ filter: {}, oldest: false });
  /** Counts lists, so that what leads back to the top of a new one can watch it. */
  const edition = shallowRef(0);
  let cursor: string | null = null;
  let under: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;

  async function ask(first: number, after: string | null): Promise<boolean> {
    under?.abort();
    clearTimeout(timer);
    const mine = new AbortController();
    under = mine;
    const { filter, oldest } = asked.value;
    try {
      const { logs } = await askReel(
        RowsDocument,
        { filter, orderBy: oldest ? 'OLDEST_FIRST' : 'NEWEST_FIRST', first, after },
        mine.signal,
      );
      if (mine.signal.aborted) return false;
      const seen = new Set(after === null ? [] : rows.value.map(({ id }) => id));
      rows.value =
        after === null ? logs.nodes : [...rows.value, ...logs.nodes.filter(({ id }) => !seen.has(id))];
      cursor = logs.pageInfo.endCursor;
      more.value = logs.pageInfo.hasNextPage ? 'waiting' : 'none';
      error.value = null;
      tries = 0;
      return true;
    } catch (cause) {
      if (mine.signal.aborted) return false;
      error.value = cause as ReelError;
      if (PASSING.includes(error.value.code))
        timer = setTimeout(retry, Math.min(RETRY_MS * 2 ** tries++, LONGEST_RETRY_MS));
      throw cause;
    }
  }

  /** Asks for the list from its top. True where this answer is the one shown, false where it failed or a later one was asked for. */
  async function load(filter: LogFilterInput, oldest: boolean): Promise<boolean> {
    asked.value = { filter, oldest };
    state.value = 'loading';
    try {
      if (!(await ask(FIRST_PAGE, null))) return false;
      state.value = 'shown';
      edition.value++;
      return true;
    } catch {
      rows.value = [];
      more.value = 'none';
      state.value = 'failed';
      return false;
    }
  }

  async function loadMore(): Promise<void> {
    if (state.value !== 'shown' || (more.value !== 'waiting' && more.value !== 'failed')) return;
    more.value = 'loading';
    try {
      if (!(await ask(NEXT_PAGE, cursor))) return;
    } catch {
      more.value = 'failed';
    }
  }

  function retry(): void {
    if (state.value === 'failed') again();
    else if (more.value === 'failed') void loadMore();
  }

  /** A failure known without asking. */
  function fail(cause: ReelError): void {
    under?.abort();
    clearTimeout(timer);
    Object.assign(error, { value: cause });
    rows.value = [];
    more.value = 'none';
    state.value = 'failed';
  }

  /** Puts entries that came in live where the order has them; what is known already is brought up to date. Answers how many were new. */
  function insert(fresh: readonly Row[]): number {
    const { oldest } = asked.value;
    const known = new Map(rows.value.map((row) => [row.id, row]));
    let added = 0;
    const last = rows.value.at(-1);
    for (const row of fresh) {
      if (!known.has(row.id)) {
        // Beyond what was fetched: scrolling will bring it.
        if (more.value !== 'none' && last && (oldest ? row.id > last.id : row.id < last.id)) continue;
        added++;
      }
      known.set(row.id, row);
    }
    const sign = oldest ? 1 : -1;
    rows.value = [...known.values()].sort((a, b) => (a.id < b.id ? -sign : a.id > b.id ? sign : 0));
    return added;
  }

  return {
    rows,
    state,
    more,
    error,
    edition,
    isEmpty: computed(() => state.value === 'shown' && rows.value.length === 0),
    load,
    loadMore,
    fail,
    insert,
  };
}

export type Entries = ReturnType<typeof useEntries>;
