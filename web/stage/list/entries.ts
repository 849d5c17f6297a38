import { computed, shallowRef } from 'vue';
import { askReel, type LogFilterInput, ReelError } from '../../reel/index.js';
import { type RowFragment, RowsDocument } from '../generated.js';

/** `data` where a column shows some of it. */
export type Row = RowFragment & { data?: Record<string, unknown> | null };

const FIRST_PAGE = 50;
const NEXT_PAGE = 100;
/** More than come within the second that sealing takes. */
const NEWEST = 50;
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
  /** Incremented whenever the list should scroll to its top; where it is loaded from its end, to that. */
  const version = shallowRef(0);
  /** Whether the pages loaded are the last ones: then more of them come before. */
  const isFromEnd = shallowRef(false);
  /** How many rows came before those that were there. */
  const prepended = shallowRef({ rows: 0 });
  let cursor: string | null = null;
  let controller: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;

  /** False where a later request superseded this one. `after`: goes on from there, downwards or, from the end, upwards; null: begins. */
  async function fetchPage(size: number, after: string | null, fromEnd: boolean): Promise<boolean> {
    controller?.abort();
    clearTimeout(timer);
    controller = new AbortController();
    const { signal } = controller;
    const { filter, oldest, timeZone, withData } = query.value;
    const place = fromEnd ? { last: size, before: after } : { first: size, after };
    try {
      const { logs } = await askReel(
        RowsDocument,
        { filter, orderBy: oldest ? 'OLDEST_FIRST' : 'NEWEST_FIRST', timeZone, withData, ...place },
        signal,
      );
      if (signal.aborted) return false;
      const { pageInfo } = logs;
      const hasMore = fromEnd ? pageInfo.hasPreviousPage : pageInfo.hasNextPage;
      add(logs.nodes, after !== null, fromEnd);
      if (after === null) version.value++;
      cursor = fromEnd ? pageInfo.startCursor : pageInfo.endCursor;
      searchedUntil.value = pageInfo.searchedUntil ?? null;
      more.value = searchedUntil.value ? 'stopped' : hasMore ? 'available' : 'none';
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

  function add(nodes: readonly Row[], isMore: boolean, fromEnd: boolean): void {
    isFromEnd.value = fromEnd;
    if (!isMore) {
      rows.value = nodes;
      return;
    }
    const known = new Set(rows.value.map(({ id }) => id));
    const added = nodes.filter(({ id }) => !known.has(id));
    rows.value = fromEnd ? [...added, ...rows.value] : [...rows.value, ...added];
    if (fromEnd) prepended.value = { rows: added.length };
  }

  /** Loads the first page. False where it failed or was superseded. */
  async function load(question: Question): Promise<boolean> {
    query.value = question;
    state.value = 'loading';
    try {
      if (!(await fetchPage(FIRST_PAGE, null, false))) return false;
      state.value = 'shown';
      return true;
    } catch {
      rows.value = [];
      more.value = 'none';
      state.value = 'failed';
      return false;
    }
  }

  /** Loads the last page by itself, in place of the rows that are there, which stay where that fails. Null where it was superseded. */
  async function loadEnd(): Promise<boolean | null> {
    const before = more.value;
    more.value = 'loading';
    try {
      if (!(await fetchPage(NEXT_PAGE, null, true))) return null;
      return true;
    } catch {
      clearTimeout(timer);
      more.value = before;
      return false;
    }
  }

  /** The newest entries that match, wherever the list has come to. Rejects with ReelError. */
  async function newest(): Promise<readonly Row[]> {
    const { filter, timeZone } = query.value;
    const variables = { filter, timeZone, withData: false, first: NEWEST, orderBy: 'NEWEST_FIRST' } as const;
    return (await askReel(RowsDocument, variables)).logs.nodes;
  }

  async function loadMore(): Promise<void> {
    if (state.value !== 'shown' || more.value === 'none' || more.value === 'loading') return;
    more.value = 'loading';
    try {
      await fetchPage(NEXT_PAGE, cursor, isFromEnd.value);
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
    isFromEnd.value = false;
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
    const sign = oldest ? 1 : -1;
    const edge = rows.value.at(isFromEnd.value ? 0 : -1);
    const isBeyond = ({ id }: Row) =>
      edge !== undefined && (isFromEnd.value ? -sign : sign) * (id < edge.id ? -1 : 1) > 0;
    let added = 0;
    for (const row of arrived) {
      if (!byId.has(row.id)) {
        // Beyond the pages loaded so far: scrolling will load it.
        if (more.value !== 'none' && isBeyond(row)) continue;
        added++;
      }
      byId.set(row.id, row);
    }
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
    isFromEnd,
    prepended,
    isEmpty: computed(() => state.value === 'shown' && rows.value.length === 0 && more.value === 'none'),
    load,
    loadMore,
    loadEnd,
    newest,
    fail,
    insert,
  };
}

export type Entries = ReturnType<typeof useEntries>;
