import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { App } from 'vue';
import type {
  LogEntry,
  LogEntryList,
  LogStats,
  ReelErrorCode,
  UseReelTailReturn,
} from '../../web/reel/index.js';
import { grant, person, startReel, type TestReel } from '../support/reel.js';
import { blocksOf, pageText, root } from './pages.js';

/** Within the project, so that what is imported there is found. */
const directory = join(root, '.cache', `docs-${randomUUID()}`);
let reel: TestReel;
beforeAll(async () => {
  await mkdir(directory, { recursive: true });
  reel = await startReel();
});
afterAll(async () => {
  await reel?.close();
  await rm(directory, { recursive: true, force: true });
});

/** What a host's App.vue may be: it shows the actions. */
const APP = `const App = {
  setup() {
    const { logs } = useReel({ autoLoad: true, initialFilter: { module: 'billing' } });
    return () => logs.value.map(({ action }) => action).join();
  },
};`;

/** Runs the TypeScript blocks of a page as one module of a host; `prelude` is what else the host has. Answers its named values. */
async function runBlocks<T>(page: string, prelude: string, names: readonly (keyof T & string)[]): Promise<T> {
  // What has a label runs elsewhere.
  const blocks = blocksOf(page).filter(({ language, label }) => language === 'ts' && label === '');
  const source = [prelude, ...blocks.map(({ text }) => text), `export { ${names.join(', ')} };`]
    .join('\n')
    .replaceAll("'@/reel'", JSON.stringify(join(root, 'web/reel/index.ts')))
    .replaceAll("'@/reel/apollo'", JSON.stringify(join(root, 'web/reel/apollo.ts')))
    .replace(/^import App from .*$/m, APP)
    .replace(/^app\.mount\(.*$/m, '')
    .replaceAll("'/graphql'", JSON.stringify(`${reel.url}/graphql`));
  // Each host is a page of its own.
  vi.resetModules();
  const file = join(directory, `${page.replaceAll('/', '-')}.ts`);
  await writeFile(file, source);
  return import(/* @vite-ignore */ file);
}

async function session(): Promise<string> {
  const [tenantId, clientId] = [randomUUID(), randomUUID()];
  return person({
    grants: [
      grant(tenantId, 'reel.logs.view:ACCOUNT'),
      grant(tenantId, `reel.logs.export:CLIENT:${clientId}`),
    ],
  });
}

/** What the blocks of docs/module.md make. */
interface Host {
  entry: LogEntry;
  again: LogEntry;
  page: LogEntryList;
  stats: LogStats;
  record_count: number;
  file: Blob;
  code: string | null;
  totalLogs: { value: number };
  error: { value: string | null };
  logErrorMessage: { value: string | null };
  tail: UseReelTailReturn;
  rendered: { html: string; state: string };
  other: App;
  fetchLogStats(): Promise<LogStats>;
  i18n: { global: { t(key: string): string } };
}

test('the examples of docs/module.md run in a host', async () => {
  const prelude = `
    const session = { token: ${JSON.stringify(await session())} };
    const endpoint = '/graphql';`;
  const host = await runBlocks<Host>('docs/module.md', prelude, [
    ...(['entry', 'again', 'page', 'stats', 'record_count', 'file', 'code'] as const),
    ...([
      'totalLogs',
      'error',
      'logErrorMessage',
      'tail',
      'rendered',
      'other',
      'i18n',
      'fetchLogStats',
    ] as const),
  ]);
  const { sequence: _, ...entry } = host.entry;
  expect(host.again).toMatchObject(entry);
  expect(host.page).toMatchObject({ total: 1, items: [{ action: 'invoices.view', origin: 'BROWSER' }] });
  expect(host.stats).toMatchObject({ total_entries: 1 });
  expect(host.record_count).toBe(0);
  expect(await host.file.text()).toMatch(/^id,/);
  expect(host.code).toBe('BAD_USER_INPUT');
  expect([host.totalLogs.value, host.error.value, host.logErrorMessage.value]).toEqual([1, null, null]);
  await expect
    .poll(() => host.tail.entries.value.map(({ action }) => action))
    .toEqual(['invoices.print', 'invoices.view']);
  host.tail.stop();
  expect(host.rendered.html).toBe('invoices.print,invoices.view');
  expect(JSON.parse(host.rendered.state)).toMatchObject({ reel: { totalLogs: 2, isLoading: false } });
  // Its client has no token.
  const asked = host.other.runWithContext(() => host.fetchLogStats());
  await expect(asked).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(host.i18n.global.t('reel.title')).toBe('Audit log');
});

test('the host of README.md reports and lists', async () => {
  const prelude = `
    import { createPinia } from 'pinia';
    import { createApp } from 'vue';
    import { createReel, useReel } from '@/reel';
    const app = createApp({});
    const token = () => ${JSON.stringify(await session())};
    const id = '42';`;
  const { logs } = await runBlocks<{ logs: { value: LogEntry[] } }>('README.md', prelude, ['logs']);
  expect(logs.value).toEqual([]);
});

test('docs/module.md names every export that a host calls', async () => {
  const page = pageText('docs/module.md');
  const { default: _, ...exported }: Record<string, unknown> = {
    ...(await import('../../web/reel/index.js')),
    ...(await import('../../web/reel/apollo.js')),
  };
  // For the viewer, which sends operations of its own.
  delete exported.askReel;
  for (const name of Object.keys(exported)) expect(page).toMatch(new RegExp(`\\b${name}\\b`));
  const own: ReelErrorCode[] = ['NETWORK', 'ABORTED'];
  for (const code of own) expect(page).toContain(`\`${code}\``);
});
