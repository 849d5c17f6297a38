import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rowsOf, searchParams, startViewer, type TestViewer, writeSampleEntries } from '../support/viewer.js';

let viewer: TestViewer;

beforeAll(async () => {
  viewer = await startViewer();
  await writeSampleEntries(viewer);
});
afterAll(() => viewer?.close());

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
    expect(await focused(page)).toEqual([1, 'time']);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('k');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await focused(page)).toEqual([2, 'module']);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('j');
    expect(await focused(page)).toEqual([3, 'severity']);
    await page.keyboard.press('Enter');
    const details = page.getByRole('complementary', { name: 'Log details' });
    await details.getByText('invoices.delete').first().waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toMatch(
      /^Ana Souza.+deleted invoice\/invoice-7\.$/,
    );
    const first = searchParams(page).get('entry');
    await page.keyboard.press('j');
    await expect.poll(() => searchParams(page).get('entry')).not.toBe(first);
    expect(await focused(page)).toEqual([4, 'severity']);
    await page.keyboard.press('Escape');
    await expect.poll(() => details.count()).toBe(0);
    await expect.poll(() => focused(page)).toEqual([4, 'severity']);
    await page.keyboard.press('Control+End');
    await expect.poll(async () => (await focused(page))[0]).toBeGreaterThan(40);
    await page.locator('[role=grid]').evaluate((grid) => grid.scrollTo(0, 0));
    await page.locator('[data-row="0"]').waitFor();
    expect((await focused(page))[0]).toBeGreaterThan(40);
    await close();
  });

  test('f filters by the cell, x excludes its value, / focuses the query', async () => {
    const { page, close } = await viewer.open();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('f');
    await expect.poll(() => searchParams(page).get('q')).toBe('module:billing');
    await page.locator('[role=status]', { hasText: '61 entries' }).waitFor();
    expect(await focused(page)).toEqual([0, 'module']);
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
    expect(await focused(page)).toEqual([1, 'time']);
    await page.getByRole('button', { name: 'Keys' }).click();
    expect(await page.getByRole('switch').isChecked()).toBe(false);
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
  test('the first view takes at most 160 KiB of JavaScript and CSS, gzipped', () => {
    const folder = join(import.meta.dirname, '..', '..', 'dist', 'stage', 'assets');
    const sizes = readdirSync(folder)
      .filter((name) => /\.(js|css)$/.test(name))
      .map((name) => gzipSync(readFileSync(join(folder, name))).length);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(160 * 1024);
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
