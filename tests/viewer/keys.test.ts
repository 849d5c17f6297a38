import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rowsOf, searchParams, startViewer, type TestViewer, writeSampleEntries } from '../support/viewer.js';

const root = join(import.meta.dirname, '..', '..');
let viewer: TestViewer;

beforeAll(async () => {
  viewer = await startViewer();
  await writeSampleEntries(viewer);
});
afterAll(() => viewer?.close());

const rowIndexesFrom = (first: number, length: number) => Array.from({ length }, (_, at) => `${first + at}`);

/** Row and column of the focused cell. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const cell = document.activeElement as HTMLElement;
    return [Number(cell.closest<HTMLElement>('[data-row]')?.dataset.row), cell.dataset.column];
  });

describe('keys', () => {
  test('move along rows and cells and open and close an entry, and the focus is never lost', async () => {
    const { page, close } = await viewer.open();
    await page.keyboard.press('j');
    await expect.poll(() => focused(page)).toEqual([1, 'time']);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('k');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => focused(page)).toEqual([2, 'module']);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('j');
    await expect.poll(() => focused(page)).toEqual([3, 'severity']);
    await page.keyboard.press('Enter');
    const details = page.getByRole('complementary', { name: 'Log details' });
    await details.getByText('invoices.delete').first().waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toMatch(
      /^Ana Souza.+deleted invoice\/invoice-7\.$/,
    );
    const first = searchParams(page).get('entry');
    await page.keyboard.press('j');
    await expect.poll(() => searchParams(page).get('entry')).not.toBe(first);
    await expect.poll(() => focused(page)).toEqual([4, 'severity']);
    await page.keyboard.press('Escape');
    await expect.poll(() => details.count()).toBe(0);
    await expect.poll(() => focused(page)).toEqual([4, 'severity']);
    await expect
      .poll(async () => {
        await page.locator('[role=grid]').evaluate((grid) => grid.scrollTo(0, 4_000));
        return page.locator('[data-row="135"]').count();
      })
      .toBe(1);
    await expect.poll(async () => (await focused(page))[0]).toBe(4);
    await close();
  });

  test('Ctrl+End goes to the very last entry with one request, Ctrl+Home back, and between them pages are joined', async () => {
    const { page, close } = await viewer.open();
    const grid = page.getByRole('grid');
    await expect.poll(() => grid.getAttribute('aria-rowcount')).toBe('241');
    const asked: unknown[] = [];
    page.on('request', (request) => {
      const { query, variables } = JSON.parse(request.postData() ?? '{}');
      if (/query Rows/.test(query)) asked.push(variables);
    });
    await page.keyboard.press('j');
    expect(asked).toEqual([]);
    const idOf = () =>
      page.evaluate(() => document.activeElement?.closest('[role=row]')?.querySelector('a')?.search);
    const rowIndex = () =>
      page.evaluate(() => document.activeElement?.closest('[role=row]')?.getAttribute('aria-rowindex'));
    await page.keyboard.press('Control+End');
    await expect.poll(rowIndex).toBe('241');
    expect(asked).toMatchObject([{ last: 100, before: null }]);
    await page.getByText('The oldest entries').waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('document/document-0');
    // Upwards the pages before come without a jump, to the very first.
    const last = await idOf();
    for (let step = 0; step < 30; step += 1) await page.keyboard.press('PageUp');
    await expect.poll(rowIndex).toBe('2');
    expect(asked.length).toBe(3);
    const indexes = await rowsOf(page).evaluateAll((rows) =>
      rows.map((row) => row.getAttribute('aria-rowindex')),
    );
    expect(indexes).toEqual(rowIndexesFrom(2, indexes.length));
    await page.keyboard.press('Control+End');
    await expect.poll(idOf).toBe(last);
    expect(asked.length).toBe(3);
    // Where the server cannot say, that is said, and what was there stays.
    await page.reload();
    await rowsOf(page).first().waitFor();
    await page.keyboard.press('j');
    await page.route('**/graphql', (route) =>
      /"last":100/.test(route.request().postData() ?? '')
        ? route.fulfill({ json: { errors: [{ message: 'x', extensions: { code: 'OVERLOADED' } }] } })
        : route.fallback(),
    );
    await page.keyboard.press('Control+End');
    await page.locator('[role=status]', { hasText: 'The last entries could not be loaded.' }).waitFor();
    expect(await rowIndex()).toBe('3');
    await page.unroute('**/graphql');
    await page.keyboard.press('Control+End');
    await expect.poll(rowIndex).toBe('241');
    await page.getByRole('button', { name: 'Back to the newest' }).click();
    await expect.poll(rowIndex).toBe('2');
    expect(await page.getByText('The oldest entries').count()).toBe(0);
    await close();
  });

  test.each(['', '?sort=oldest'])(
    'with %j, a page upwards that fails is missed where it would stand',
    async (search) => {
      const { page, close } = await viewer.open(search);
      await page.route('**/graphql', (route) =>
        /"before":"/.test(route.request().postData() ?? '')
          ? route.fulfill({
              json: { errors: [{ message: 'x', extensions: { code: 'INTERNAL_SERVER_ERROR' } }] },
            })
          : route.fallback(),
      );
      await page.keyboard.press('j');
      await page.keyboard.press('Control+End');
      const rowIndex = () =>
        page.evaluate(() => document.activeElement?.closest('[role=row]')?.getAttribute('aria-rowindex'));
      await expect.poll(rowIndex).toBe('241');
      for (let step = 0; step < 10; step += 1) await page.keyboard.press('PageUp');
      const missing = page.getByText('The entries above could not be loaded.');
      await missing.waitFor();
      const [message, grid] = [await missing.boundingBox(), await page.getByRole('grid').boundingBox()];
      expect(message!.y + message!.height).toBeLessThanOrEqual(grid!.y);
      expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(1);
      expect(await rowIndex()).toBe('142');
      await page.unroute('**/graphql');
      await page.getByRole('button', { name: 'Try again' }).press('Enter');
      await expect.poll(() => missing.count()).toBe(0);
      // Who pressed it by a key goes on from the row where they were.
      await expect.poll(rowIndex).toBe('142');
      await page.locator('[aria-rowindex="141"]').waitFor();
      await page.keyboard.press('ArrowUp');
      await expect.poll(rowIndex).toBe('141');
      await close();
    },
  );

  test('f filters by the cell, x excludes its value, / focuses the query', async () => {
    const { page, close } = await viewer.open();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('f');
    await expect.poll(() => searchParams(page).get('q')).toBe('module:billing');
    await page.locator('[role=status]', { hasText: '61 entries' }).waitFor();
    await expect.poll(() => focused(page)).toEqual([0, 'module']);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('x');
    await expect.poll(() => searchParams(page).get('q')).toBe('module:billing -action:invoices.archive');
    await page.keyboard.press('/');
    expect(await page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('combobox');
    await page.keyboard.type(' jkfxelt?');
    expect(await page.locator('.query input').inputValue()).toContain(' jkfxelt?');
    expect(await page.getByRole('dialog').count()).toBe(0);
    await close();
  });

  test('e, l, t and ? work; a switch turns single-letter keys off, for later visits too', async () => {
    const { page, close } = await viewer.open('', { colorScheme: 'light' });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.keyboard.press('t');
    expect(await ground()).toBe('rgb(20, 23, 27)');
    await page.reload();
    await rowsOf(page).first().waitFor();
    expect(await ground()).toBe('rgb(20, 23, 27)');
    await page.keyboard.press('l');
    expect(await page.getByRole('button', { name: 'Live' }).getAttribute('aria-pressed')).toBe('true');
    expect(searchParams(page).get('live')).toBe('1');
    await page.keyboard.press('e');
    await page.getByRole('dialog', { name: 'Export' }).waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).getByRole('switch').uncheck();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
    await page.keyboard.press('e');
    await page.keyboard.press('?');
    await page.keyboard.press('j');
    expect(await page.getByRole('dialog').count()).toBe(0);
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => focused(page)).toEqual([1, 'time']);
    await page.getByRole('button', { name: 'Keys' }).click();
    expect(await page.getByRole('switch').isChecked()).toBe(false);
    // From there on to the playground, signed in.
    await page.getByRole('link', { name: 'Ask by GraphQL in the playground' }).click();
    await page.getByText('Signed in as Ana Souza').waitFor();
    await close();
  });

  test('theme and language can be chosen from their menus', async () => {
    const { page, close } = await viewer.open();
    await page.getByRole('button', { name: 'Theme' }).press('Enter');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark');
    await page.getByRole('button', { name: 'Language' }).click();
    await page.getByRole('menuitemradio', { name: /Portugu/ }).click();
    await page.getByRole('button', { name: 'Exportar' }).waitFor();
    expect(searchParams(page).get('lang')).toBe('pt-BR');
    await page.goto(viewer.reel.url);
    await page.getByRole('button', { name: 'Exportar' }).waitFor();
    await close();
  });
});

describe('requirements', () => {
  test('all of the page takes at most 160 KiB of JavaScript and CSS, gzipped, in each language', () => {
    const folder = join(root, 'dist', 'stage', 'assets');
    const languages = readdirSync(join(root, 'web', 'stage', 'locales')).map((name) =>
      basename(name, '.json'),
    );
    const isOf = (language: string) => (name: string) => name.startsWith(`${language}-`);
    const files = readdirSync(folder).filter((name) => /\.(js|css)$/.test(name));
    const bytesOf = (names: string[]) =>
      names.reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0);
    const page = bytesOf(files.filter((name) => !languages.some((language) => isOf(language)(name))));
    for (const language of languages) {
      const texts = files.filter(isOf(language));
      expect(texts.length).toBeGreaterThan(0);
      expect(page + bytesOf(texts)).toBeLessThan(160 * 1024);
    }
  });

  test('a third language is one file', async () => {
    // A copy of the page's sources, with that file, is built.
    const copy = await mkdtemp(join(tmpdir(), 'reel-language-'));
    for (const folder of ['web', 'src/query-line'])
      await cp(join(root, folder), join(copy, folder), { recursive: true });
    await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
    const { app, query: texts } = JSON.parse(
      await readFile(join(root, 'web', 'stage', 'locales', 'en.json'), 'utf8'),
    );
    const spanish = {
      app: { ...app, language: 'Idioma' },
      query: { ...texts, label: 'Consulta' },
      reel: { title: 'Registro de auditoría' },
    };
    await writeFile(join(copy, 'web', 'stage', 'locales', 'es.json'), JSON.stringify(spanish));
    await promisify(execFile)(process.execPath, [
      join(root, 'node_modules', 'vite', 'bin', 'vite.js'),
      ...['build', '--config', join(copy, 'web', 'stage', 'vite.config.ts'), '--logLevel', 'error'],
    ]);
    const { page, close } = await viewer.open('', { locale: 'en-US' });
    await page.route('**/*', async (route) => {
      const { pathname } = new URL(route.request().url());
      const path = join(copy, 'dist', 'stage', pathname === '/' ? 'index.html' : pathname);
      return existsSync(path) ? route.fulfill({ path }) : route.fallback();
    });
    await page.reload();
    await page.getByRole('button', { name: 'Language' }).click();
    expect(await page.getByRole('menuitemradio').allTextContents()).toEqual([
      'English',
      'Español',
      'Português (Brasil)',
    ]);
    await page.getByRole('menuitemradio', { name: 'Español' }).click();
    await page.getByRole('combobox', { name: 'Consulta' }).waitFor();
    expect(searchParams(page).get('lang')).toBe('es');
    expect(await page.locator('html').getAttribute('lang')).toBe('es');
    expect(await page.title()).toBe('Registro de auditoría · Reel');
    // What it does not say is said in English.
    await page.getByRole('button', { name: 'Copy link' }).waitFor();
    await page.getByRole('columnheader', { name: 'Severity' }).first().waitFor();
    expect(await page.locator('[data-column=severity]').nth(1).textContent()).toMatch(/Info|Error/);
    await close();
    await rm(copy, { recursive: true, force: true });
  });

  test('the Content-Security-Policy allows no inline code, no eval and no other host', async () => {
    const { headers } = await fetch(viewer.reel.url);
    const policy = headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  });

  test('times are in the chosen zone, and have the exact instant as a title', async () => {
    const { page, close } = await viewer.open('?tz=Asia/Kathmandu');
    const [shown, exact, title] = await rowsOf(page)
      .first()
      .locator('time')
      .evaluate((time) => [time.textContent!, time.getAttribute('datetime')!, time.getAttribute('title')]);
    expect(exact).toMatch(/\.\d{6}Z$/);
    expect(title).toBe(exact);
    const there = new Date(Date.parse(exact!) + 345 * 60_000).toISOString();
    expect(shown).toContain(there.slice(11, 23));
    await close();
  });
});
