import { createPinia, type Pinia } from 'pinia';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type App, type Component, createApp, createRenderer, createSSRApp, defineComponent, h } from 'vue';
import { renderToString } from 'vue/server-renderer';
import { useLogsQuery } from '../../web/reel/apollo.js';
import {
  createLog,
  createReel,
  fetchLogs,
  ReelError,
  type UseReelReturn,
  useReel,
  useReelStore,
} from '../../web/reel/index.js';
import {
  FakeBackend,
  type FakeServer,
  gate,
  type ReceivedRequest,
  startFakeServer,
} from '../support/fake-server.js';

/** A trail of a tenant's own, at an address of its own, and the credentials that reach it. */
interface Tenant {
  name: string;
  server: FakeServer;
}
let tenants: [Tenant, Tenant];
beforeAll(async () => {
  tenants = (await Promise.all(
    ['aurora', 'infinity'].map(async (name) => {
      const backend = new FakeBackend();
      backend.add({ module: name });
      return { name, server: await startFakeServer(backend) };
    }),
  )) as [Tenant, Tenant];
});
beforeEach(() => {
  for (const { server } of tenants) {
    server.backend.requests.length = 0;
    server.backend.beforeResponse = () => {};
  }
});
afterAll(() => Promise.all(tenants.map(({ server }) => server.close())));

const pluginOf = ({ name, server }: Tenant) =>
  createReel({ url: server.url, headers: async () => ({ authorization: `Bearer ${name}` }) });

/** Lists the modules of the entries, which it loads by itself. */
const List = defineComponent(() => {
  const { logs, error } = useReel({ autoLoad: true, initialFilter: { action: 'user.create' } });
  return () => h('p', error.value ?? logs.value.map(({ module }) => module).join());
});

/** What a server does for one request. */
async function render(
  tenant: Tenant,
  page: Component = List,
  pinia: Pinia = createPinia(),
): Promise<{ app: App; pinia: Pinia; html: string }> {
  const app = createSSRApp(page).use(pinia).use(pluginOf(tenant));
  return { app, pinia, html: await renderToString(app) };
}

const nothing = () => null;
/** For apps that are mounted and unmounted without a document. */
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
function mounted(tenant: Tenant) {
  const app = createBareApp({ render: nothing }).use(createPinia()).use(pluginOf(tenant));
  app.mount({});
  return app;
}

const moduleOf = async () => (await fetchLogs()).items[0]?.module;
const tokens = (tenant: Tenant) => tenant.server.headers().authorization;

// Before the tests that render on a server, whose apps are never unmounted.
describe('outside a setup and runWithContext', () => {
  test('the one app that there is serves; where there are several, none does', async () => {
    const [aurora, infinity] = tenants;
    await expect(fetchLogs()).rejects.toThrow('Call app.use(createReel()) first');
    const first = mounted(aurora);
    expect(await moduleOf()).toBe('aurora');
    const second = mounted(infinity);
    for (const call of [
      () => fetchLogs(),
      () => createLog({ module: 'm', action: 'a' }),
      async () => useReel(),
    ])
      await expect(call()).rejects.toThrow(/^Several apps use createReel\(\)/);
    expect(await first.runWithContext(moduleOf)).toBe('aurora');
    expect(await second.runWithContext(moduleOf)).toBe('infinity');
    expect([tokens(aurora), tokens(infinity)]).toEqual(['Bearer aurora', 'Bearer infinity']);
    first.unmount();
    expect(await moduleOf()).toBe('infinity');
    second.unmount();
    await expect(fetchLogs()).rejects.toThrow('Call app.use(createReel()) first');
  });

  test('an app without the module does not use another’s', async () => {
    const own = mounted(tenants[0]);
    const without = createApp({});
    await expect(without.runWithContext(moduleOf)).rejects.toThrow('Call app.use(createReel()) first');
    expect(() => without.runWithContext(() => useReel())).toThrow(ReelError);
    expect(await moduleOf()).toBe('aurora');
    own.unmount();
  });

  test('what an app is given later replaces what it had, for its stores too', async () => {
    const [aurora, infinity] = tenants;
    const app = mounted(aurora);
    const store = app.runWithContext(() => useReelStore());
    await store.loadLogs();
    expect(store.logs[0]?.module).toBe('aurora');
    app.use(pluginOf(infinity));
    await store.loadLogs();
    expect([store.logs[0]?.module, await moduleOf()]).toEqual(['infinity', 'infinity']);
    app.unmount();
  });

  test('what useReel and the store return stay with their app, whatever there is later', async () => {
    const [aurora, infinity] = tenants;
    const apps = [mounted(aurora), mounted(infinity)];
    const [one, other] = apps.map((app) => app.runWithContext(() => useReel())) as [
      UseReelReturn,
      UseReelReturn,
    ];
    const stores = apps.map((app) => app.runWithContext(() => useReelStore()));
    await Promise.all([one.loadLogs(), other.loadLogs()]);
    expect([one.logs.value[0]?.module, other.logs.value[0]?.module]).toEqual(['aurora', 'infinity']);
    await Promise.all(stores.map((store) => store.refresh()));
    expect(stores.map(({ logs }) => logs[0]?.module)).toEqual(['aurora', 'infinity']);
    expect(await other.log({ module: 'told', action: 'a' })).toMatchObject({ module: 'told' });
    expect(infinity.server.backend.entries.pop()).toMatchObject({ module: 'told' });
    for (const app of apps) app.unmount();
  });
});

describe('rendered on a server', () => {
  test('two requests at once have their own credentials and state, in whatever order answers come', async () => {
    const [aurora, infinity] = tenants;
    for (const slow of [aurora, infinity]) {
      const fast = slow === aurora ? infinity : aurora;
      const held = gate();
      slow.server.backend.beforeResponse = () => held.opened;
      const first = render(slow);
      const second = await render(fast);
      await vi.waitFor(() => expect(slow.server.backend.requests).toHaveLength(1), 60_000);
      held.open();
      expect([(await first).html, second.html]).toEqual([`<p>${slow.name}</p>`, `<p>${fast.name}</p>`]);
      expect([tokens(slow), tokens(fast)]).toEqual([`Bearer ${slow.name}`, `Bearer ${fast.name}`]);
      const states = [(await first).pinia, second.pinia].map(({ state }) => state.value.reel?.logs);
      expect(states.map((logs) => logs[0].module)).toEqual([slow.name, fast.name]);
      for (const { server } of tenants) server.backend.requests.length = 0;
    }
  });

  test('a hundred requests of two tenants, interleaved', async () => {
    const pages = await Promise.all(Array.from({ length: 100 }, (_, n) => render(tenants[n % 2]!)));
    expect(pages.map(({ html }) => html)).toEqual(pages.map((_, n) => `<p>${tenants[n % 2]!.name}</p>`));
  });

  test('one request does not begin to use another’s credentials by calling outside of its app', async () => {
    await Promise.all(tenants.map((tenant) => render(tenant)));
    for (const { server } of tenants) server.backend.requests.length = 0;
    await expect(fetchLogs()).rejects.toThrow(/^Several apps use createReel/);
    expect(tenants.flatMap(({ server }) => server.backend.requests)).toEqual([]);
  });

  test('what a component asks for with Apollo is its app’s, and not in the other’s cache', async () => {
    const Query = defineComponent(() => {
      const { result } = useLogsQuery({ first: 1 });
      return () => h('p', result.value?.logs.nodes[0]?.module);
    });
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    const pages = await Promise.all(tenants.map((tenant) => render(tenant, Query)));
    expect(pages.map(({ html }) => html)).toEqual(tenants.map(({ name }) => `<p>${name}</p>`));
  });

  test('a load that fails is shown, and breaks no page', async () => {
    const app = createSSRApp(List).use(createPinia());
    app.use(createReel({ evoke: { post: () => Promise.reject(new Error('no route')) } }));
    expect(await renderToString(app)).toBe('<p>No answer: no route</p>');
  });

  test('the browser goes on with what the server loaded, and does not load it again', async () => {
    const [aurora] = tenants;
    const { pinia, html } = await render(aurora);
    const state = JSON.stringify(pinia.state.value);
    const { requests } = aurora.server.backend;
    requests.length = 0;

    const browser = createPinia();
    browser.state.value = JSON.parse(state);
    const again = await render(aurora, List, browser);
    expect([again.html, requests]).toEqual([html, []]);
    const store = again.app.runWithContext(() => useReelStore());
    await store.refresh();
    expect(requests.map((request: ReceivedRequest) => request.variables.page)).toEqual([1]);
    // A second visit of the page in the same browser does load.
    await render(aurora, List, browser);
    expect(requests).toHaveLength(2);
  });

  test('other filters than the server’s are loaded', async () => {
    const [aurora] = tenants;
    const { pinia } = await render(aurora);
    const browser = createPinia();
    browser.state.value = JSON.parse(JSON.stringify(pinia.state.value));
    const Other = defineComponent(() => {
      const { logs } = useReel({ autoLoad: true, initialFilter: { module: 'nobody' } });
      return () => h('p', String(logs.value.length));
    });
    expect((await render(aurora, Other, browser)).html).toBe('<p>0</p>');
  });
});
