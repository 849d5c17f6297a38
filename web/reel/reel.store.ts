import { defineStore, getActivePinia, type Pinia } from 'pinia';
import { computed, shallowReactive, toRefs } from 'vue';
import { exportLogs, fetchLog, fetchLogStats, fetchLogs } from './api.js';
import { findApp, inApp } from './app.js';
import {
  exportOf,
  type LogEntry,
  type LogExportFormat,
  type LogExportResponse,
  type LogFilter,
  type LogStats,
  pageOf,
} from './wire.js';

let callerSignal: AbortSignal | undefined;

/** Runs a store action whose loads the signal aborts. Loads pick it up as they start, so `action` must start them synchronously. */
export function withSignal<T>(signal: AbortSignal, action: () => T): T {
  callerSignal = signal;
  try {
    return action();
  } finally {
    callerSignal = undefined;
  }
}

export interface ReelState {
  logs: LogEntry[];
  currentLog: LogEntry | null;
  totalLogs: number;
  currentPage: number;
  pageSize: number;
  totalPages: number;
  filter: LogFilter;
  stats: LogStats | null;
  isLoading: boolean;
  isLoadingStats: boolean;
  isExporting: boolean;
  error: string | null;
}

/** Pinias that a page rendered on a server filled with entries, which nothing has loaded again since. */
const filled = new WeakSet<Pinia>();

/** Of the store that was used last. */
export const isFilledByServer = (): boolean => filled.has(getActivePinia()!);

const initialState = () => ({
  logs: [],
  currentLog: null,
  totalLogs: 0,
  currentPage: 1,
  pageSize: 50,
  totalPages: 0,
  filter: {},
  stats: null,
  isLoading: false,
  isLoadingStats: false,
  isExporting: false,
  error: null,
});

/**
 * The list of entries for a host's page. An action that fails rejects and leaves the previous state in place; a load
 * superseded by a later one, or by $reset, resolves without changing anything.
 */
export const useReelStore = defineStore('reel', () => {
  const app = findApp();
  const pinia = getActivePinia()!;
  const given = pinia.state.value.reel as Partial<ReelState> | undefined;
  const state = shallowReactive<ReelState>({ ...initialState(), ...given });
  if (state.logs.length) filled.add(pinia);
  const activeFiltersCount = computed(
    () => Object.values(state.filter).filter((value) => value != null && value !== '').length,
  );

  /** Wraps an operation so that `flag` is true while any is running, and `error` says how the last one failed. */
  function track(flag: 'isLoading' | 'isLoadingStats' | 'isExporting') {
    let running = 0;
    return async <T>(work: () => Promise<T>): Promise<T> => {
      running++;
      state[flag] = true;
      state.error = null;
      try {
        return await work();
      } catch (cause) {
        state.error = (cause as Error).message;
        throw cause;
      } finally {
        state[flag] = --running > 0;
      }
    };
  }

  /** Only the latest load of a kind takes effect: it aborts the one before, which resolves with undefined. */
  function latest(tracked: ReturnType<typeof track>) {
    let controller: AbortController | undefined;
    return {
      abort: () => controller?.abort(),
      load<T>(
        fetch: (signal: AbortSignal) => Promise<T>,
        commit: (result: T) => void,
      ): Promise<T | undefined> {
        controller?.abort();
        controller = new AbortController();
        const signal = callerSignal ? AbortSignal.any([controller.signal, callerSignal]) : controller.signal;
        return tracked(() =>
          inApp(app, () => fetch(signal)).then(
            (result) => {
              if (signal.aborted) return undefined;
              commit(result);
              return result;
            },
            (cause) => {
              if (!signal.aborted) throw cause;
              return undefined;
            },
          ),
        );
      },
    };
  }

  const loading = track('isLoading');
  const exporting = track('isExporting');
  const list = latest(loading);
  const single = latest(loading);
  const counts = latest(track('isLoadingStats'));

  const queryKey = () => JSON.stringify([state.filter, state.pageSize]);
  /** The query of the entries shown. Another query starts at its first page, on a retry too. */
  let shownKey = queryKey();

  async function loadPage(page: number): Promise<void> {
    const key = queryKey();
    filled.delete(pinia);
    await list.load(
      (signal) => fetchLogs(pageOf(state.filter, page, state.pageSize), signal),
      ({ items, total, page, pages }) => {
        shownKey = key;
        Object.assign(state, { logs: items, totalLogs: total, currentPage: page, totalPages: pages });
      },
    );
  }

  const loadLogs = (resetPage = false) =>
    loadPage(resetPage || queryKey() !== shownKey ? 1 : state.currentPage);

  const loadLog = (id: string): Promise<LogEntry | undefined> =>
    single.load(
      (signal) => fetchLog(id, signal),
      (entry) => {
        state.currentLog = entry;
      },
    );

  async function loadStats(): Promise<void> {
    await counts.load(fetchLogStats, (stats) => {
      state.stats = stats;
    });
  }

  /** Any page, as long as the number of pages is not known. */
  async function goToPage(page: number): Promise<void> {
    if (page >= 1 && page <= (state.totalPages || page)) await loadPage(page);
  }

  function setFilter(filter: LogFilter): Promise<void> {
    state.filter = { ...filter };
    return loadLogs(true);
  }

  return {
    ...toRefs(state),
    hasLogs: computed(() => state.logs.length > 0),
    hasMorePages: computed(() => state.currentPage < state.totalPages),
    hasPreviousPage: computed(() => state.currentPage > 1),
    activeFiltersCount,
    hasActiveFilters: computed(() => activeFiltersCount.value > 0),
    loadLogs,
    loadLog,
    loadStats,
    exportCurrentLogs: (format: LogExportFormat = 'csv', includeData = false): Promise<LogExportResponse> =>
      exporting(() => inApp(app, () => exportLogs(exportOf(state.filter, format, includeData)))),
    async nextPage(): Promise<void> {
      if (state.currentPage < state.totalPages) await loadPage(state.currentPage + 1);
    },
    previousPage: () => goToPage(state.currentPage - 1),
    goToPage,
    setFilter,
    updateFilter: <K extends keyof LogFilter>(key: K, value: LogFilter[K]): Promise<void> =>
      setFilter({ ...state.filter, [key]: value }),
    clearFilters: (): Promise<void> => setFilter({}),
    setPageSize(size: number): Promise<void> {
      state.pageSize = size;
      return loadLogs(true);
    },
    /** Loads the current page again, and the counts if they were loaded before. */
    async refresh(): Promise<void> {
      await Promise.all([loadLogs(), state.stats && loadStats()]);
    },
    clearCurrentLog(): void {
      single.abort();
      state.currentLog = null;
    },
    $reset(): void {
      for (const kind of [list, single, counts]) kind.abort();
      Object.assign(state, initialState());
      shownKey = queryKey();
    },
  };
});
