import { GraphQLError } from 'graphql';
import { createPinia, setActivePinia } from 'pinia';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { type App, createApp, createRenderer, effectScope, isReadonly } from 'vue';
import { createReel, ReelError, type UseReelReturn, useReel, useReelStore } from '../../web/reel/index.js';
import { evokeClient, FakeBackend, gate, type ReceivedRequest } from '../support/fake-server.js';

let backend: FakeBackend;
let evoke: ReturnType<typeof evokeClient>;
const host = createApp({});
beforeEach(() => {
  backend = new FakeBackend(120);
  evoke = evokeClient(backend);
  host.use(createReel({ evoke }));
  setActivePinia(createPinia());
});

const failWith = (code = 'FORBIDDEN', message = 'reel.logs.view is missing') => {
  backend.error = new GraphQLError(message, { extensions: { code } });
};
const moduleOf = ({ variables }: ReceivedRequest) =>
  (variables.filter as { modules?: string[] } | undefined)?.modules?.[0];
const rejected = (promise: Promise<unknown>) => expect(promise).rejects.toBeInstanceOf(ReelError);

/** Mounts a component without a document. */
function mount(setup: () => void): App {
  const nothing = () => null;
  const { createApp: createBareApp } = createRenderer<object, object>({
    patchProp: nothing,
    insert: nothing,
    remove: nothing,
    createElement: () => ({}),
    createText: () => ({}),
    createComment: () => ({}),
    setText: nothing,
    setElementText: nothing,
    parentNode: nothing,
    nextSibling: nothing,
  });
  const app = createBareApp({
    setup() {
      setup();
      return nothing;
    },
  });
  app.use(createReel({ evoke })).mount({});
  return app as unknown as App;
}

describe('the store', () => {
  test('starts empty', () => {
    const store = useReelStore();
    expect(store.$id).toBe('reel');
    expect(store.$state).toEqual({
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
    expect(store).toMatchObject({
      hasLogs: false,
      hasMorePages: false,
      hasPreviousPage: false,
      activeFiltersCount: 0,
      hasActiveFilters: false,
    });
  });

  test('walks the pages, and not beyond the last one', async () => {
    const store = useReelStore();
    await store.loadLogs();
    expect(store).toMatchObject({
      totalLogs: 120,
      totalPages: 3,
      currentPage: 1,
      hasLogs: true,
      hasMorePages: true,
    });
    await store.nextPage();
    await store.nextPage();
    expect(store).toMatchObject({ currentPage: 3, hasMorePages: false, hasPreviousPage: true });
    expect(store.logs).toHaveLength(20);
    const before = backend.requests.length;
    await store.nextPage();
    await store.goToPage(4);
    await store.goToPage(0);
    expect(backend.requests).toHaveLength(before);
    await store.previousPage();
    expect(store.currentPage).toBe(2);
    await store.loadLogs();
    expect(store.currentPage).toBe(2);
    await store.loadLogs(true);
    expect(store.currentPage).toBe(1);
    await store.goToPage(3);
    await store.setPageSize(100);
    expect(store).toMatchObject({ currentPage: 1, pageSize: 100, totalPages: 2 });
    expect(store.logs).toHaveLength(100);
  });

  test('a filter starts at the first page; empty conditions do not count', async () => {
    const store = useReelStore();
    await store.loadLogs();
    await store.goToPage(3);
    await store.setFilter({ module: 'guardian', action: '', search: null });
    expect(store).toMatchObject({ currentPage: 1, activeFiltersCount: 1, hasActiveFilters: true });
    await store.updateFilter('severity', 'ERROR');
    expect(store.filter).toMatchObject({ module: 'guardian', severity: 'ERROR' });
    expect(backend.lastRequest.variables.filter).toEqual({ modules: ['guardian'], severities: ['ERROR'] });
    await store.updateFilter('severity', undefined);
    expect(store.activeFiltersCount).toBe(1);
    await store.clearFilters();
    expect(store.filter).toEqual({});
    expect(backend.lastRequest.variables.filter).toEqual({});
  });

  test('a failed action rejects, sets error and keeps the previous rows; a retry uses the new filter', async () => {
    const store = useReelStore();
    await store.loadLogs();
    await store.goToPage(2);
    const shown = store.logs;
    failWith();
    await rejected(store.setFilter({ module: 'aurora' }));
    expect(store).toMatchObject({
      error: 'reel.logs.view is missing',
      currentPage: 2,
      totalLogs: 120,
      totalPages: 3,
      isLoading: false,
      filter: { module: 'aurora' },
    });
    expect(store.logs).toBe(shown);
    await rejected(store.nextPage());
    expect(store.currentPage).toBe(2);
    await rejected(store.loadLog('x'));
    await rejected(store.loadStats());
    await rejected(store.exportCurrentLogs('csv', false));
    await rejected(store.refresh());
    backend.error = null;
    await store.refresh();
    expect(moduleOf(backend.lastRequest)).toBe('aurora');
    expect(backend.lastRequest.variables.page).toBe(1);
    expect(store).toMatchObject({ error: null, totalLogs: 0, totalPages: 0, hasLogs: false });
  });

  test('of two overlapping loads the later one wins, whatever the order of the responses', async () => {
    const store = useReelStore();
    const slow = gate();
    backend.beforeResponse = (request) => moduleOf(request) === 'guardian' && slow.opened;
    const first = store.setFilter({ module: 'guardian' });
    const second = store.setFilter({ module: 'aurora' });
    expect(store.isLoading).toBe(true);
    await Promise.all([first, second]);
    slow.open();
    await vi.waitFor(() => expect(backend.requests).toHaveLength(2), 60_000);
    expect(store).toMatchObject({
      totalLogs: 0,
      isLoading: false,
      error: null,
      filter: { module: 'aurora' },
    });
    expect(evoke.calls.map(({ signal }) => signal?.aborted)).toEqual([true, false]);
  });

  test('a superseded load that fails is ignored', async () => {
    const store = useReelStore();
    const slow = gate();
    backend.beforeResponse = async (request) => {
      if (moduleOf(request) !== 'guardian') return;
      await slow.opened;
      failWith();
    };
    const first = store.setFilter({ module: 'guardian' });
    await store.clearFilters();
    slow.open();
    await first;
    expect(store).toMatchObject({ totalLogs: 120, error: null, isLoading: false });
  });

  test('entries, one entry and counts load in parallel', async () => {
    const store = useReelStore();
    const held = gate();
    backend.beforeResponse = () => held.opened;
    const calls = [
      store.loadLogs(),
      store.loadLog('01940000-0000-7000-8000-000000000007'),
      store.loadStats(),
    ];
    expect(store).toMatchObject({ isLoading: true, isLoadingStats: true });
    held.open();
    await Promise.all(calls);
    expect(store).toMatchObject({ isLoading: false, isLoadingStats: false, totalLogs: 120 });
    expect(store.currentLog?.resource_id).toBe('7');
    expect(store.stats?.total_entries).toBe(120);
    expect(await store.loadLog('01940000-0000-7000-8000-000000000008')).toMatchObject({ resource_id: '8' });
    store.clearCurrentLog();
    expect(store.currentLog).toBeNull();
  });

  test('exports the entries that match the filter', async () => {
    const store = useReelStore();
    await store.setFilter({ module: 'guardian' });
    const call = store.exportCurrentLogs('json', true);
    expect(store.isExporting).toBe(true);
    expect((await call).record_count).toBe(120);
    expect(store.isExporting).toBe(false);
    expect(backend.lastRequest.variables.input).toEqual({
      filter: { modules: ['guardian'] },
      format: 'JSON',
      includeData: true,
    });
  });

  test('$reset clears everything and aborts running loads', async () => {
    const store = useReelStore();
    await store.setFilter({ module: 'guardian' });
    await store.loadStats();
    const held = gate();
    backend.beforeResponse = () => held.opened;
    const load = store.nextPage();
    store.$reset();
    await load;
    held.open();
    expect(store.$state).toEqual({
      ...store.$state,
      logs: [],
      stats: null,
      filter: {},
      totalLogs: 0,
      isLoading: false,
    });
  });
});

describe('useReel', () => {
  test('the first edition’s snippet: log', async () => {
    const { log } = useReel();
    const entry = await log({
      module: 'guardian',
      action: 'user.create',
      severity: 'INFO',
      resource_type: 'user',
      resource_id: '42',
      data: { email: 'ana@example.com' },
    });
    expect(entry).toMatchObject({ action: 'user.create', resource_id: '42' });
  });

  test('the first edition’s snippet: autoLoad with setFilter', async () => {
    const { logs, isLoading, setFilter } = useReel({ autoLoad: true });
    expect(isLoading.value).toBe(true);
    await vi.waitFor(() => expect(logs.value).toHaveLength(50), 60_000);
    await setFilter({ module: 'aurora' });
    expect(logs.value).toEqual([]);
  });

  test('autoLoad loads once, with initialFilter and pageSize applied', async () => {
    const { logs, stats, filter, pageSize } = useReel({
      autoLoad: true,
      autoLoadStats: true,
      initialFilter: { module: 'guardian' },
      pageSize: 20,
    });
    await vi.waitFor(() => expect(logs.value).toHaveLength(20), 60_000);
    await vi.waitFor(() => expect(stats.value).not.toBeNull(), 60_000);
    expect(backend.requests).toHaveLength(2);
    expect(filter.value).toEqual({ module: 'guardian' });
    expect(pageSize.value).toBe(20);
  });

  test('a failing autoLoad only sets error', async () => {
    failWith();
    const { error } = useReel({ autoLoad: true, autoLoadStats: true });
    await vi.waitFor(() => expect(error.value).toBe('reel.logs.view is missing'), 60_000);
  });

  test('state and getters are readonly refs', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const reel = useReel();
    for (const name of [
      'logs',
      'totalLogs',
      'filter',
      'error',
      'hasLogs',
      'activeFiltersCount',
      'isLogging',
    ] as const) {
      expect(isReadonly(reel[name]), name).toBe(true);
      (reel[name] as { value: unknown }).value = 'x';
      expect(reel[name].value, name).not.toBe('x');
    }
    warn.mockRestore();
  });

  test('filters by module, severity and range together', async () => {
    const { filterByModule, filterBySeverity, filterByDateRange, clearFilters } = useReel();
    await filterByModule('guardian');
    await filterBySeverity('ERROR');
    await filterByDateRange('2026-01-01', '2026-01-31');
    expect(backend.lastRequest.variables.filter).toEqual({
      modules: ['guardian'],
      severities: ['ERROR'],
      startDate: '2026-01-01T00:00:00Z',
      endDate: '2026-01-31T00:00:00Z',
    });
    await clearFilters();
    expect(backend.lastRequest.variables.filter).toEqual({});
  });

  test('log returns null on failure, with logErrorMessage set', async () => {
    const { log, isLogging, logErrorMessage, error } = useReel();
    failWith('OVERLOADED', 'Too many entries are waiting');
    const call = log({ module: 'guardian', action: 'user.create' });
    expect(isLogging.value).toBe(true);
    expect(await call).toBeNull();
    expect({ message: logErrorMessage.value, logging: isLogging.value, error: error.value }).toEqual({
      message: 'Too many entries are waiting',
      logging: false,
      error: null,
    });
    backend.error = null;
    expect(await log({ module: 'guardian', action: 'user.create' })).not.toBeNull();
    expect(logErrorMessage.value).toBeNull();
  });

  test('logInfo, logWarning and logError set the severity', async () => {
    const { logInfo, logWarning, logError } = useReel();
    expect((await logInfo('m', 'a'))?.severity).toBe('INFO');
    expect((await logWarning('m', 'a', { n: 1 }))?.severity).toBe('WARNING');
    expect((await logError('m', 'a'))?.severity).toBe('ERROR');
  });

  test('on failure loadLog returns undefined and exportLogs null; the other actions reject', async () => {
    const reel = useReel();
    expect(await reel.loadLog('01940000-0000-7000-8000-000000000007')).toMatchObject({ resource_id: '7' });
    expect((await reel.exportLogs('csv'))?.filename).toMatch(/^logs_/);
    failWith();
    expect(await reel.loadLog('x')).toBeUndefined();
    expect(await reel.exportLogs()).toBeNull();
    expect(reel.error.value).toBe('reel.logs.view is missing');
    for (const name of ['loadLogs', 'loadStats', 'refresh', 'clearFilters'] as const)
      await rejected(reel[name]());
    await rejected(reel.setFilter({}));
    await rejected(reel.goToPage(1));
  });

  test('unmounting aborts the component’s own loads, but no log() and no other load', async () => {
    const held = gate();
    backend.beforeResponse = () => held.opened;
    const stats = useReelStore().loadStats();
    let reel: UseReelReturn | undefined;
    let logged: Promise<unknown> | undefined;
    let loaded: Promise<unknown> | undefined;
    const app = mount(() => {
      reel = useReel({ autoLoad: true });
      loaded = reel.loadLog('01940000-0000-7000-8000-000000000007');
      logged = reel.log({ module: 'guardian', action: 'page.leave' });
    });
    app.unmount();
    expect(await loaded).toBeUndefined();
    expect(evoke.calls.map(({ signal }) => signal?.aborted)).toEqual([false, true, true, undefined]);
    expect(useReelStore()).toMatchObject({ isLoading: false, isLoadingStats: true, error: null });
    held.open();
    await stats;
    expect(await logged).toMatchObject({ action: 'page.leave' });
    expect(useReelStore().logs).toEqual([]);
    expect(useReelStore().stats).not.toBeNull();
  });

  test('also stops with an effect scope, and works outside of one', async () => {
    const scope = effectScope();
    const held = gate();
    backend.beforeResponse = () => held.opened;
    scope.run(() => useReel({ autoLoad: true }));
    scope.stop();
    await vi.waitFor(() => expect(useReelStore().isLoading).toBe(false), 60_000);
    held.open();
    await useReel().loadLogs();
    expect(useReelStore().totalLogs).toBe(120);
  });
});
