import { computed, shallowRef } from 'vue';
import { askReel, type LogFilterInput, ReelError } from '../../reel/index.js';
import { type RowFragment, RowsDocument } from '../generated.js';

/** `data` where a column shows some of it. */
export type Row = RowFragment & { data?: Record<string, unknown> | null };

const FIRST_PAGE = 50;
const NEXT_PAGE = 100;
const RETRYABLE = ['NETWORK', 'UNAVAILABLE', 'OVERLOADED', 'TOO_MANY_REQUESTS'];
const MIN_RETRY_MS = 2_000;
const MAX_RETRY_MS = 30_000;

export type ListState = 'loading' | 'shown' | 'failed';

/** What the list answers. */
interface Question {
  filter: LogFilterInput;
  oldest: boolean;
  /** Of times without an offset in the query line. */
  timeZone: string;
  /** Whether a column shows some of it. */
  withData: boolean;
}

/** The pages of the list loaded so far. Rows stay until the next response replaces them. `reload` is called to retry a failed list. */
export function useEntries(reload: () => void) {
  const rows = shallowRef<readonly Row[]>([]);
  const state = shallowRef<ListState>('loading');
  /** The next page. `stopped`: the last one stopped before it was full, since looking took its time; only the user goes on. */
  const more = shallowRef<'none' | 'available' | 'stopped' | 'loading' | 'failed'>('none');
  /** Where it stopped: the time up to which every entry has been looked at. */
  const searchedUntil = shallowRef<string | null>(null);
  const error = shallowRef<ReelError | null>(null);
  const query = shallowRef<Question>({ filter: {}, oldest: false, timeZone: 'UTC', withData: false });
  /** Incremented whenever the list should scroll to its top. */
  const version = shallowRef(0);
  let cursor: string | null = null;
  let controller: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;

  /** False where a later request superseded this one. */
  async function fetchPage(first: number, after: string | null): Promise<boolean> {
    controller?.abort();
    clearTimeout(timer);
    controller = new AbortController();
    const { signal } = controller;
    const { filter, oldest, timeZone, withData } = query.value;
    try {
      const { logs } = await askReel(
        RowsDocument,
        { filter, orderBy: oldest ? 'OLDEST_FIRST' : 'NEWEST_FIRST', first, after, timeZone, withData },
        signal,
      );
      if (signal.aborted) return false;
      const known = new Set(after === null ? [] : rows.value.map(({ id }) => id));
      rows.value =
        after === null ? logs.nodes : [...rows.value, ...logs.nodes.filter(({ id }) => !known.has(id))];
      cursor = logs.pageInfo.endCursor;
      searchedUntil.value = logs.pageInfo.searchedUntil ?? null;
      more.value = searchedUntil.value ? 'stopped' : logs.pageInfo.hasNextPage ? 'available' : 'none';
      error.value = null;
      failures = 0;
      return true;
    } catch (cause) {
      if (signal.aborted) return false;
      error.value = cause as ReelError;
      if (RETRYABLE.includes(error.value.code))
        timer = setTimeout(retry, Math.min(MIN_RETRY_MS * 2 ** failures++, MAX_RETRY_MS));
      throw cause;
    }
  }

  /** Loads the first page. False where it failed or was superseded. */
  async function load(question: Question): Promise<boolean> {
    query.value = question;
    state.value = 'loading';
    try {
      if (!(await fetchPage(FIRST_PAGE, null))) return false;
      state.value = 'shown';
      version.value++;
      return true;
    } catch {
      rows.value = [];
      more.value = 'none';
      state.value = 'failed';
      return false;
    }
  }

  async function loadMore(): Promise<void> {
    if (state.value !== 'shown' || more.value === 'none' || more.value === 'loading') return;
    more.value = 'loading';
    try {
      await fetchPage(NEXT_PAGE, cursor);
    } catch {
      more.value = 'failed';
    }
  }

  function retry(): void {
    if (state.value === 'failed') reload();
    else if (more.value === 'failed') void loadMore();
  }

  /** Shows an error that is known without a request. */
  function fail(cause: ReelError): void {
    controller?.abort();
    clearTimeout(timer);
    error.value = cause;
    rows.value = [];
    more.value = 'none';
    state.value = 'failed';
  }

  /** Adds entries that arrived live, in order, and updates those already listed. Returns how many were added. */
  function insert(arrived: readonly Row[]): number {
    const { oldest } = query.value;
    const byId = new Map(rows.value.map((row) => [row.id, row]));
    const last = rows.value.at(-1);
    let added = 0;
    for (const row of arrived) {
      if (!byId.has(row.id)) {
        // Beyond the pages loaded so far: scrolling will load it.
        if (more.value !== 'none' && last && (oldest ? row.id > last.id : row.id < last.id)) continue;
        added++;
      }
      byId.set(row.id, row);
    }
    const sign = oldest ? 1 : -1;
    rows.value = [...byId.values()].sort((a, b) => (a.id < b.id ? -sign : a.id > b.id ? sign : 0));
    return added;
  }

  return {
    rows,
    state,
    more,
    searchedUntil,
    error,
    version,
    isEmpty: computed(() => state.value === 'shown' && rows.value.length === 0 && more.value === 'none'),
    load,
    loadMore,
    fail,
    insert,
  };
}

export type Entries = ReturnType<typeof useEntries>;
