import { storeToRefs } from 'pinia';
import {
  type ComputedRef,
  computed,
  getCurrentInstance,
  onScopeDispose,
  onServerPrefetch,
  type Ref,
  ref,
} from 'vue';
import { createLog } from './api.js';
import { currentApp, inApp } from './app.js';
import type { LogSeverity } from './generated.js';
import { isFilledByServer, useReelStore, withSignal } from './reel.store.js';
import {
  dateRange,
  type LogEntry,
  type LogEntryCreate,
  type LogExportFormat,
  type LogExportResponse,
  type LogFilter,
  type LogStats,
} from './wire.js';

export interface UseReelOptions {
  /**
   * Loads the list immediately, with initialFilter and pageSize applied. A server renders the component when it has come;
   * a page that got it so, with the Pinia's state, does not load it again.
   */
  autoLoad?: boolean;
  autoLoadStats?: boolean;
  initialFilter?: LogFilter;
  /** 1 to 100; 50 by default. */
  pageSize?: number;
}

type Data = Record<string, unknown>;
type LogFunction = (module: string, action: string, data?: Data) => Promise<LogEntry | null>;

export interface UseReelReturn {
  logs: ComputedRef<LogEntry[]>;
  currentLog: ComputedRef<LogEntry | null>;
  totalLogs: ComputedRef<number>;
  currentPage: ComputedRef<number>;
  pageSize: ComputedRef<number>;
  totalPages: ComputedRef<number>;
  filter: ComputedRef<LogFilter>;
  stats: ComputedRef<LogStats | null>;
  isLoading: ComputedRef<boolean>;
  isLoadingStats: ComputedRef<boolean>;
  isExporting: ComputedRef<boolean>;
  error: ComputedRef<string | null>;
  hasLogs: ComputedRef<boolean>;
  hasMorePages: ComputedRef<boolean>;
  hasPreviousPage: ComputedRef<boolean>;
  activeFiltersCount: ComputedRef<number>;
  hasActiveFilters: ComputedRef<boolean>;
  /** These reject with ReelError on failure and set `error`. */
  loadLogs(resetPage?: boolean): Promise<void>;
  loadStats(): Promise<void>;
  refresh(): Promise<void>;
  setFilter(filter: LogFilter): Promise<void>;
  updateFilter<K extends keyof LogFilter>(key: K, value: LogFilter[K]): Promise<void>;
  clearFilters(): Promise<void>;
  filterByModule(module: string): Promise<void>;
  filterBySeverity(severity: LogSeverity): Promise<void>;
  filterByDateRange(start: string, end: string): Promise<void>;
  nextPage(): Promise<void>;
  previousPage(): Promise<void>;
  goToPage(page: number): Promise<void>;
  /** Undefined on failure, with `error` set. */
  loadLog(id: string): Promise<LogEntry | undefined>;
  /** Exports the entries that match the filter; null on failure, with `error` set. */
  exportLogs(format?: LogExportFormat, includeData?: boolean): Promise<LogExportResponse | null>;
  /** Records an action. Never rejects, so it cannot break the page: null on failure, with `logErrorMessage` set. */
  log(entry: LogEntryCreate): Promise<LogEntry | null>;
  logInfo: LogFunction;
  logWarning: LogFunction;
  logError: LogFunction;
  isLogging: Readonly<Ref<boolean>>;
  logErrorMessage: Readonly<Ref<string | null>>;
}

type State = {
  [K in keyof UseReelReturn as UseReelReturn[K] extends ComputedRef ? K : never]: UseReelReturn[K];
};
type Action =
  | 'loadLogs'
  | 'loadStats'
  | 'refresh'
  | 'setFilter'
  | 'updateFilter'
  | 'clearFilters'
  | 'nextPage'
  | 'previousPage'
  | 'goToPage';

/**
 * The store for one component. Unmounting aborts the loads that the component started, but never a log(). Throws ReelError
 * where the app has no createReel().
 */
export function useReel(options: UseReelOptions = {}): UseReelReturn {
  const app = currentApp();
  const store = useReelStore();
  const unmounted = new AbortController();
  onScopeDispose(() => unmounted.abort(), true);

  const state = Object.fromEntries(
    Object.entries(storeToRefs(store)).map(([name, source]) => [name, computed(() => source.value)]),
  ) as State;
  const load = <T>(work: () => T): T => inApp(app, () => withSignal(unmounted.signal, work));
  const action = <K extends Action>(name: K) =>
    ((...args: never[]) => {
      const run: (...args: never[]) => Promise<void> = store[name];
      return load(() => run(...args));
    }) as UseReelReturn[K];

  const pending = ref(0);
  const logErrorMessage = ref<string | null>(null);

  async function log(entry: LogEntryCreate): Promise<LogEntry | null> {
    pending.value++;
    logErrorMessage.value = null;
    try {
      return await inApp(app, () => createLog(entry));
    } catch (cause) {
      logErrorMessage.value = (cause as Error).message;
      return null;
    } finally {
      pending.value--;
    }
  }
  const logWith =
    (severity: LogSeverity): LogFunction =>
    (module, action, data) =>
      log({ module, action, severity, data });

  const loadLogs = action('loadLogs');
  const loadStats = action('loadStats');
  const setFilter = action('setFilter');
  const updateFilter = action('updateFilter');

  const query = () => JSON.stringify([store.filter, store.pageSize]);
  const queryBefore = query();
  if (options.initialFilter) store.filter = { ...options.initialFilter };
  if (options.pageSize) store.pageSize = options.pageSize;
  const isFilled = options.autoLoad && isFilledByServer() && query() === queryBefore;
  const loaded = Promise.allSettled([
    options.autoLoad && !isFilled && loadLogs(true),
    options.autoLoadStats && !(isFilled && store.stats) && loadStats(),
  ]);
  if (getCurrentInstance()) onServerPrefetch(() => loaded);

  return {
    ...state,
    loadLogs,
    loadStats,
    refresh: action('refresh'),
    setFilter,
    updateFilter,
    clearFilters: action('clearFilters'),
    filterByModule: (module) => updateFilter('module', module),
    filterBySeverity: (severity) => updateFilter('severity', severity),
    filterByDateRange: (start, end) => setFilter({ ...store.filter, ...dateRange(start, end) }),
    nextPage: action('nextPage'),
    previousPage: action('previousPage'),
    goToPage: action('goToPage'),
    loadLog: (id) => load(() => store.loadLog(id)).catch(() => undefined),
    exportLogs: (format, includeData) =>
      inApp(app, () => store.exportCurrentLogs(format, includeData)).catch(() => null),
    log,
    logInfo: logWith('INFO'),
    logWarning: logWith('WARNING'),
    logError: logWith('ERROR'),
    isLogging: computed(() => pending.value > 0),
    logErrorMessage: computed(() => logErrorMessage.value),
  };
}
