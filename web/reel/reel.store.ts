import { defineStore } from 'pinia';
import { computed, shallowReactive, toRefs } from 'vue';
import { exportLogs, fetchLog, fetchLogStats, fetchLogs } from './api.js';
import {
  exportOf,
  type LogEntry,
  type LogExportFormat,
  type LogExportResponse,
  type LogFilter,
  type LogStats,
  pageOf,
} from './wire.js';

let leaving: AbortSignal | undefined;

/** Starts an action whose loads end when the signal does. They take it when they begin, so `act` must begin them at once. */
export function until<T>(signal: AbortSignal, act: () => T): T {
  leaving = signal;
  try {
    return act();
  } finally {
    leaving = undefined;
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

const untouched = () => ({
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
 * The list as a page of a host shows it. Actions reject where the server refuses and leave what was shown before in
 * place; a load that a later one or $reset overtook resolves with nothing done.
 */
export const useReelStore = defineStore('reel', () => {
  const state = shallowReactive<ReelState>(untouched());
  const activeFiltersCount = computed(
    () => Object.values(state.filter).filter((value) => value != null && value !== '').length,
  );

  function watching(flag: 'isLoading' | 'isLoadingStats' | 'isExporting') {
    let underWay = 0;
    return async <T>(work: () => Promise<T>): Promise<T> => {
      underWay++;
      state[flag] = true;
      state.error = null;
      try {
        return await work();
      } catch (cause) {
        state.error = (cause as Error).message;
        throw cause;
      } finally {
        state[flag] = --underWay > 0;
      }
    };
  }

  /** Of one kind of load only the one asked for last counts: it aborts the one before, which then resolves with undefined. */
  function latest(watch: ReturnType<typeof watching>) {
    let newest: AbortController | undefined;
    return {
      abort: () => newest?.abort(),
      load<T>(ask: (signal: AbortSignal) => Promise<T>, keep: (answer: T) => void): Promise<T | undefined> {
        newest?.abort();
        newest = new AbortController();
        const signal = leaving ? AbortSignal.any([newest.signal, leaving]) : newest.signal;
        return watch(() =>
          ask(signal).then(
            (answer) => {
              if (signal.aborted) return undefined;
              keep(answer);
              return answer;
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

  const loading = watching('isLoading');
  const exporting = watching('isExporting');
  const list = latest(loading);
  const single = latest(loading);
  const counts = latest(watching('isLoadingStats'));

  const view = () => JSON.stringify([state.filter, state.pageSize]);
  /** What the entries shown answer to: another filter starts at its first page, also on a retry. */
  let shown = view();

  async function loadPage(page: number): Promise<void> {
    const asked = view();
    await list.load(
      (signal) => fetchLogs(pageOf(state.filter, page, state.pageSize), signal),
      ({ items, total, page, pages }) => {
        shown = asked;
        Object.assign(state, { logs: items, totalLogs: total, currentPage: page, totalPages: pages });
      },
    );
  }

  const loadLogs = (resetPage = false) => loadPage(resetPage || view() !== shown ? 1 : state.currentPage);

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

  /** Where nothing is known of the pages yet, any may be asked for. */
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
      exporting(() => exportLogs(exportOf(state.filter, format, includeData))),
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
    /** The page shown again, and the counts where they were loaded before. */
    async refresh(): Promise<void> {
      await Promise.all([loadLogs(), state.stats && loadStats()]);
    },
    clearCurrentLog(): void {
      single.abort();
      state.currentLog = null;
    },
    $reset(): void {
      for (const kind of [list, single, counts]) kind.abort();
      Object.assign(state, untouched());
      shown = view();
    },
  };
});
