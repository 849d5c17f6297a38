import { GraphQLError } from 'graphql';
import { createPinia, setActivePinia } from 'pinia';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { type App, createApp, createRenderer, effectScope, isReadonly } from 'vue';
import { createReel, ReelError, type UseReelReturn, useReel, useReelStore } from '../web/reel/index.js';
import { type Asked, evokeOver, FakeTrail, gate } from './web-trail.js';

let trail: FakeTrail;
let evoke: ReturnType<typeof evokeOver>;
beforeEach(() => {
  trail = new FakeTrail(120);
  evoke = evokeOver(trail);
  const pinia = createPinia();
  createApp({}).use(pinia).use(createReel({ evoke }));
  setActivePinia(pinia);
});

const refuse = (code = 'FORBIDDEN', message = 'reel.logs.view is missing') => {
  trail.refusal = new GraphQLError(message, { extensions: { code } });
};
const moduleOf = ({ variables }: Asked) =>
  (variables.filter as { modules?: string[] } | undefined)?.modules?.[0];
const rejected = (promise: Promise<unknown>) => expect(promise).rejects.toBeInstanceOf(ReelError);

/** Vue without a document: enough to mount a component and to unmount it. */
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
  app.mount({});
  return app as unknown as App;
}

describe('the store', () => {
  test('begins empty', () => {
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

  test('walks the pages, and no further than there are', async () => {
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
    const asked = trail.asked.length;
    await store.nextPage();
    await store.goToPage(4);
    await store.goToPage(0);
    expect(trail.asked).toHaveLength(asked);
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
    expect(trail.last.variables.filter).toEqual({ modules: ['guardian'], severities: ['ERROR'] });
    await store.updateFilter('severity', undefined);
    expect(store.activeFiltersCount).toBe(1);
    await store.clearFilters();
    expect(store.filter).toEqual({});
    expect(trail.last.variables.filter).toEqual({});
  });

  test('a refusal rejects, is told in error, and leaves what was shown; a retry loads the filter asked for', async () => {
    const store = useReelStore();
    await store.loadLogs();
    await store.goToPage(2);
    const shown = store.logs;
    refuse();
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
    trail.refusal = null;
    await store.refresh();
    expect(moduleOf(trail.last)).toBe('aurora');
    expect(trail.last.variables.page).toBe(1);
    expect(store).toMatchObject({ error: null, totalLogs: 0, totalPages: 0, hasLogs: false });
  });

  test('of two overlapping loads the later asked wins, whatever order the answers come in', async () => {
    const store = useReelStore();
    const slow = gate();
    trail.before = (asked) => moduleOf(asked) === 'guardian' && slow.opened;
    const first = store.setFilter({ module: 'guardian' });
    const second = store.setFilter({ module: 'aurora' });
    expect(store.isLoading).toBe(true);
    await Promise.all([first, second]);
    slow.open();
    await vi.waitFor(() => expect(trail.asked).toHaveLength(2));
    expect(store).toMatchObject({
      totalLogs: 0,
      isLoading: false,
      error: null,
      filter: { module: 'aurora' },
    });
    expect(evoke.calls.map(({ signal }) => signal?.aborted)).toEqual([true, false]);
  });

  test('an overtaken load that fails later says nothing', async () => {
    const store = useReelStore();
    const slow = gate();
    trail.before = async (asked) => {
      if (moduleOf(asked) !== 'guardian') return;
      await slow.opened;
      refuse();
    };
    const first = store.setFilter({ module: 'guardian' });
    await store.clearFilters();
    slow.open();
    await first;
    expect(store).toMatchObject({ totalLogs: 120, error: null, isLoading: false });
  });

  test('entries, one entry and counts load side by side', async () => {
    const store = useReelStore();
    const held = gate();
    trail.before = () => held.opened;
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

  test('exports what the filter says', async () => {
    const store = useReelStore();
    await store.setFilter({ module: 'guardian' });
    const call = store.exportCurrentLogs('json', true);
    expect(store.isExporting).toBe(true);
    expect((await call).record_count).toBe(120);
    expect(store.isExporting).toBe(false);
    expect(trail.last.variables.input).toEqual({
      filter: { modules: ['guardian'] },
      format: 'JSON',
      includeData: true,
    });
  });

  test('$reset forgets everything and gives up what is under way', async () => {
    const store = useReelStore();
    await store.setFilter({ module: 'guardian' });
    await store.loadStats();
    const held = gate();
    trail.before = () => held.opened;
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
    await vi.waitFor(() => expect(logs.value).toHaveLength(50));
    await setFilter({ module: 'aurora' });
    expect(logs.value).toEqual([]);
  });

  test('autoLoad loads once, with initialFilter and pageSize already applied', async () => {
    const { logs, stats, filter, pageSize } = useReel({
      autoLoad: true,
      autoLoadStats: true,
      initialFilter: { module: 'guardian' },
      pageSize: 20,
    });
    await vi.waitFor(() => expect(logs.value).toHaveLength(20));
    await vi.waitFor(() => expect(stats.value).not.toBeNull());
    expect(trail.asked).toHaveLength(2);
    expect(filter.value).toEqual({ module: 'guardian' });
    expect(pageSize.value).toBe(20);
  });

  test('an autoLoad that fails is told in error, and nowhere else', async () => {
    refuse();
    const { error } = useReel({ autoLoad: true, autoLoadStats: true });
    await vi.waitFor(() => expect(error.value).toBe('reel.logs.view is missing'));
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
    expect(trail.last.variables.filter).toEqual({
      modules: ['guardian'],
      severities: ['ERROR'],
      startDate: '2026-01-01T00:00:00Z',
      endDate: '2026-01-31T00:00:00Z',
    });
    await clearFilters();
    expect(trail.last.variables.filter).toEqual({});
  });

  test('log answers null where it failed, with logErrorMessage set', async () => {
    const { log, isLogging, logErrorMessage, error } = useReel();
    refuse('OVERLOADED', 'Too many entries are waiting');
    const call = log({ module: 'guardian', action: 'user.create' });
    expect(isLogging.value).toBe(true);
    expect(await call).toBeNull();
    expect({ said: logErrorMessage.value, logging: isLogging.value, error: error.value }).toEqual({
      said: 'Too many entries are waiting',
      logging: false,
      error: null,
    });
    trail.refusal = null;
    expect(await log({ module: 'guardian', action: 'user.create' })).not.toBeNull();
    expect(logErrorMessage.value).toBeNull();
  });

  test('logInfo, logWarning and logError name the severity', async () => {
    const { logInfo, logWarning, logError } = useReel();
    expect((await logInfo('m', 'a'))?.severity).toBe('INFO');
    expect((await logWarning('m', 'a', { n: 1 }))?.severity).toBe('WARNING');
    expect((await logError('m', 'a'))?.severity).toBe('ERROR');
  });

  test('loadLog answers undefined and exportLogs null where they failed; the other actions reject', async () => {
    const reel = useReel();
    expect(await reel.loadLog('01940000-0000-7000-8000-000000000007')).toMatchObject({ resource_id: '7' });
    expect((await reel.exportLogs('csv'))?.filename).toMatch(/^logs_/);
    refuse();
    expect(await reel.loadLog('x')).toBeUndefined();
    expect(await reel.exportLogs()).toBeNull();
    expect(reel.error.value).toBe('reel.logs.view is missing');
    for (const name of ['loadLogs', 'loadStats', 'refresh', 'clearFilters'] as const)
      await rejected(reel[name]());
    await rejected(reel.setFilter({}));
    await rejected(reel.goToPage(1));
  });

  test('unmounting aborts the loads it began, never a log(), and no load of another', async () => {
    const held = gate();
    trail.before = () => held.opened;
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

  test('ends with an effect scope too, and works in none', async () => {
    const scope = effectScope();
    const held = gate();
    trail.before = () => held.opened;
    scope.run(() => useReel({ autoLoad: true }));
    scope.stop();
    await vi.waitFor(() => expect(useReelStore().isLoading).toBe(false));
    held.open();
    await useReel().loadLogs();
    expect(useReelStore().totalLogs).toBe(120);
  });
});
