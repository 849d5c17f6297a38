/** Makes docs/pictures from the demo's entries: `npm run gen:pictures`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { launchBrowser } from '../support/browser.ts';

interface Picture {
  name: string;
  /** Index of the link that the demo prints: 0 is English, 1 Portuguese. */
  link?: number;
  search?: string;
  /** A page other than the viewer; `act` must then wait for its content. */
  path?: string;
  options?: BrowserContextOptions;
  act?: (page: Page) => Promise<unknown>;
}

const NARROW = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 };
const MEDIUM = { viewport: { width: 1024, height: 768 } };
const query = (page: Page) => page.locator('.query input');

/** Opens the entry of the demo's story: somebody of support deleted an invoice while acting for a customer. */
const openDeletion = async (page: Page) => {
  await page.locator('[data-row]', { hasText: 'Tom Becker' }).first().locator('[data-column=action]').click();
  await page.locator('.details tbody').first().waitFor();
};

const runStarter = async (page: Page) => {
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await page.locator('.graphiql-execute-button').click();
  await page.locator('.result-window', { hasText: '"data"' }).waitFor();
};

const PICTURES: Picture[] = [
  { name: 'list' },
  { name: 'details', search: 'q=action:invoices.delete', act: openDeletion },
  { name: 'details-narrow', search: 'q=action:invoices.delete', options: NARROW, act: openDeletion },
  { name: 'list-narrow', options: NARROW },
  { name: 'list-medium', options: MEDIUM },
  { name: 'details-medium', search: 'q=action:invoices.delete', options: MEDIUM, act: openDeletion },
  {
    name: 'dark',
    search: 'range=7d&q=severity>=WARNING',
    options: { colorScheme: 'dark' },
    act: (page) => page.locator('[data-row="1"] [data-column=action]').click(),
  },
  { name: 'portuguese', link: 1, search: 'range=30d', options: { locale: 'pt-BR' } },
  { name: 'no-match', search: 'q=module:guardian+action:users.teleport&range=24h' },
  {
    name: 'fault',
    act: async (page) => {
      await query(page).fill('module:billing severty:ERROR');
      await page.keyboard.press('Enter');
    },
  },
  { name: 'completion', act: (page) => query(page).pressSequentially('severity>=ERROR inv') },
  { name: 'export', search: 'q=module:billing&range=30d', act: (page) => page.keyboard.press('e') },
  {
    name: 'registered',
    act: async (page) => {
      await query(page).pressSequentially('action:');
      await page.locator('#query-options .found').first().waitFor();
    },
  },
  { name: 'time-range', search: 'range=24h', act: (page) => page.locator('.range > button').click() },
  { name: 'columns', act: (page) => page.locator('.columns > button').click() },
  {
    name: 'wide',
    options: { viewport: { width: 1920, height: 1080 } },
    search: 'q=action:invoices.delete',
    act: openDeletion,
  },
  {
    name: 'evidence',
    search: 'q=action:invoices.delete',
    act: async (page) => {
      await openDeletion(page);
      await page.locator('.sealed summary').click();
      await page.locator('.sealed').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'draft',
    search: 'q=severity>=WARNING+-module:matrix',
    act: async (page) => {
      await query(page).focus();
      await page.keyboard.press('End');
      await query(page).pressSequentially(' tom');
      await page.locator('#query-options li').first().waitFor();
    },
  },
  {
    name: 'last',
    search: 'range=30d',
    act: async (page) => {
      await page.locator('[data-row="0"] [data-column=action]').focus();
      await page.keyboard.press('Control+End');
      await page.locator('.from-end').waitFor();
    },
  },
  {
    name: 'playground-narrow',
    path: 'playground',
    options: NARROW,
    act: runStarter,
  },
  { name: 'playground', path: 'playground', act: runStarter },
  // These record that a view was saved.
  {
    name: 'views',
    act: async (page) => {
      const saved = [
        ['Failures of billing', 'module:billing outcome:failure,denied', '30d', true],
        ['What support deleted', 'action:invoices.* tom', '7d', false],
      ] as const;
      for (const [name, line, range, isShared] of saved) {
        await page.goto(page.url().replace(/\?.*|$/, `?q=${encodeURIComponent(line)}&range=${range}`));
        await page.locator('[data-row], .state:not(.loading)').first().waitFor();
        await page.locator('.views > button').click();
        await page.locator('.views .foot button').last().click();
        await page.locator('dialog input').first().fill(name);
        if (isShared) await page.locator('dialog [type=radio]').last().check();
        await page.keyboard.press('Enter');
        await page.locator('dialog').waitFor({ state: 'detached' });
      }
      await page.locator('.stale').first().waitFor({ state: 'detached' });
      await page.locator('.views > button').click();
      await page.locator('.views ul').nth(1).waitFor();
    },
  },
  {
    name: 'save-view',
    link: 1,
    search: 'q=severity>=ERROR+module:billing&range=7d',
    options: { locale: 'pt-BR' },
    act: async (page) => {
      await page.locator('.views > button').click();
      await page.locator('.views .foot button').last().click();
      await page.locator('dialog input').first().fill('Erros do faturamento');
      await page.locator('dialog [type=radio]').last().check();
    },
  },
];

const folder = join(import.meta.dirname, '..', '..', 'docs', 'pictures');
const data = await mkdtemp(join(tmpdir(), 'reel-pictures-'));
// When started by root, the database runs as another user.
await chmod(data, 0o755);
const demo = spawn(
  process.execPath,
  [join(import.meta.dirname, '..', '..', 'dist', 'development', 'demo.js'), '--still'],
  {
    env: { ...process.env, REEL_PORT: '0', REEL_DATA_DIR: data },
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
try {
  const links = await printedLinks();
  await mkdir(folder, { recursive: true });
  const browser = await launchBrowser();
  /** Of those named on the command line; without any, of all. */
  const chosen = process.argv.slice(2);
  const pictures = PICTURES.filter(({ name }) => chosen.length === 0 || chosen.includes(name));
  for (const { name, link = 0, search = '', path = '', options, act } of pictures) {
    const context = await browser.newContext({
      viewport: { width: 1440, height: 900 },
      locale: 'en-US',
      timezoneId: 'America/Sao_Paulo',
      reducedMotion: 'reduce',
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    const url = new URL(links[link]!);
    await page.goto(`${url.origin}/${path}?${search}${url.hash}`);
    if (path === '') {
      await page.locator('[data-row], .state:not(.loading)').first().waitFor();
      await page.locator('.stale').first().waitFor({ state: 'detached' });
    }
    await act?.(page);
    // Nothing is pointed at that what was done last did not open.
    await page.mouse.move(0, 0);
    // Let the last response render.
    await page.waitForLoadState('networkidle');
    await page.screenshot({ path: join(folder, `${name}.png`) });
    await context.close();
  }
  await browser.close();
} finally {
  demo.kill('SIGTERM');
  await once(demo, 'exit');
  await rm(data, { recursive: true, force: true });
}

async function printedLinks(): Promise<string[]> {
  let output = '';
  for await (const chunk of demo.stdout) {
    output += chunk;
    const links = output.match(/^http\S+#token=\S+$/gm) ?? [];
    if (links.length > 1) return links;
  }
  throw new Error(`expected the demo to print two links, got ${output.slice(0, 200)}`);
}
