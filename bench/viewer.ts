import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { launchBrowser } from '../tests/support/browser.ts';
import type { BenchServer } from './server.ts';
import type { Line } from './table.ts';

const assets = join(resolve(import.meta.dirname, '..'), 'dist', 'stage', 'assets');
const LOADS = 7;
const CHANGES = 40;
const ROWS = 10_000;

/** The viewer in a real browser, over the seeded tenant: first rows, changed filters, a long scroll. */
export async function viewer({ url, viewer: headers }: BenchServer): Promise<Line[]> {
  const token = headers.authorization!.split(' ')[1];
  const browser = await launchBrowser();
  try {
    const first: number[] = [];
    for (let load = 0; load < LOADS; load += 1) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
      const page = await context.newPage();
      const started = performance.now();
      await page.goto(`${url}/#token=${token}`, { waitUntil: 'commit' });
      await page.locator('[data-row]').first().waitFor();
      first.push(performance.now() - started);
      await context.close();
    }
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(`${url}/#token=${token}`);
    await page.locator('[data-row]').first().waitFor();
    const { result: changes, longest: whileChanging } = await watchTasks(page, () => changeFilters(page));
    await page.goto(`${url}/?range=`);
    await page.locator('[data-row]').first().waitFor();
    const { longest: whileScrolling } = await watchTasks(page, () => scroll(page));
    return [
      {
        what: `first rows after navigation, median of ${LOADS}`,
        reel: quantile(first, 0.5),
        unit: 'ms',
        aim: '400',
      },
      {
        what: `changed filter to its first row, median of ${CHANGES}`,
        reel: quantile(changes, 0.5),
        unit: 'ms',
      },
      { what: 'changed filter to its first row, p95', reel: quantile(changes, 0.95), unit: 'ms', aim: '100' },
      { what: 'longest task while filters change', reel: whileChanging, unit: 'ms', aim: '50' },
      {
        what: `longest task while ${ROWS.toLocaleString('en')} rows go by`,
        reel: whileScrolling,
        unit: 'ms',
        aim: '50',
      },
      { what: 'JavaScript and CSS, gzipped, every chunk', reel: gzipped(), unit: 'KiB', aim: '160' },
    ];
  } finally {
    await browser.close();
  }
}

/** Each time another module; from the key press to the frame in which the first row shows it, measured in the page. */
async function changeFilters(page: Page): Promise<number[]> {
  const modules = ['guardian', 'aurora', 'billing', 'matrix', 'mentor'];
  const query = page.locator('.query input');
  const taken: number[] = [];
  for (let change = 0; change < CHANGES; change += 1) {
    const module = modules[change % modules.length]!;
    await query.fill(`module:${module}${change % 2 === 0 ? ' severity>=INFO' : ''}`);
    const shown = page.evaluate(
      (wanted) =>
        new Promise<number>((done) => {
          let began = 0;
          addEventListener('keydown', () => (began = performance.now()), { capture: true, once: true });
          const checkRow = () => {
            const cell = document.querySelector('[data-row="0"] [data-column=module]');
            if (began > 0 && cell?.textContent?.includes(wanted)) done(performance.now() - began);
            else requestAnimationFrame(checkRow);
          };
          checkRow();
        }),
      module,
    );
    await query.press('Enter');
    taken.push(await shown);
  }
  return taken;
}

/** Scrolls until that many rows have gone by. */
async function scroll(page: Page): Promise<void> {
  await page.evaluate(async (rows) => {
    const grid = document.querySelector('[role=grid]')!;
    const last = () => {
      const shown = [...grid.querySelectorAll<HTMLElement>('[data-row]')];
      if (shown.length > 60) throw new Error(`expected at most 60 rows in the document, got ${shown.length}`);
      return Math.max(...shown.map((row) => Number(row.dataset.row)));
    };
    const until = performance.now() + 60_000;
    while (last() < rows && performance.now() < until) {
      grid.scrollTop += 600;
      await new Promise((done) => requestAnimationFrame(done));
    }
    if (last() < rows) throw new Error(`expected to come to row ${rows}, got to ${last()}`);
  }, ROWS);
}

type Watched = { longest?: number; observer?: PerformanceObserver };

/** What `act` resolves with, and the milliseconds of the longest task meanwhile: 0 if none exceeded the 50 ms from which browsers report them. */
async function watchTasks<T>(page: Page, act: () => Promise<T>): Promise<{ result: T; longest: number }> {
  await page.evaluate(() => {
    const watched = globalThis as Watched;
    watched.longest = 0;
    // Held, since an observer that nobody holds is collected.
    watched.observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries())
        watched.longest = Math.max(watched.longest ?? 0, duration);
    });
    watched.observer.observe({ type: 'longtask' });
  });
  const result = await act();
  // The last filter's counts are drawn after its rows.
  await page.locator('.stale').first().waitFor({ state: 'detached' });
  const longest = await page.evaluate(() => (globalThis as Watched).longest ?? 0);
  return { result, longest };
}

const quantile = (values: readonly number[], part: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))]!;

const gzipped = (): number =>
  readdirSync(assets)
    .filter((name) => /\.(js|css)\.gz$/.test(name))
    .reduce((sum, name) => sum + statSync(join(assets, name)).size / 1024, 0);
