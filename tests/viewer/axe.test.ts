import { randomUUID } from 'node:crypto';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { grant, person } from '../support/reel.js';
import {
  axeViolations,
  rowsOf,
  startViewer,
  type TestViewer,
  writeSampleEntries,
} from '../support/viewer.js';

let viewer: TestViewer;
let changed: string;

beforeAll(async () => {
  viewer = await startViewer();
  ({ changed } = await writeSampleEntries(viewer));
});
afterAll(() => viewer?.close());

const dialogKey = (key: string) => async (page: Page) => {
  await page.keyboard.press(key);
  await page.getByRole('dialog').waitFor();
};

/** The list itself is checked with all its rows; beside details, under a menu or a dialog one row is enough. */
const ONE_ROW = 'q=action:invoices.archive';

/** Each state, with its URL and the actions that lead to it. */
const STATES: [name: string, search: () => string, act?: (page: Page) => Promise<unknown>][] = [
  ['list', () => '?sort=oldest'],
  [
    'details',
    () => `?entry=${changed}&q=action:invoices.delete`,
    (page) => page.locator('.details tbody').waitFor(),
  ],
  ['no match', () => '?q=module:nowhere&range=24h'],
  ['query error', () => '?q=modul:x'],
  [
    'completion and table',
    () => `?range=7d&${ONE_ROW}`,
    async (page) => {
      await page
        .getByRole('button', { name: 'Table of' })
        .or(page.getByRole('button', { name: 'Tabela dos' }))
        .click();
      await page.locator('.query input').pressSequentially(' gua');
      await page.locator('#query-options li').first().waitFor();
      await page.keyboard.press('ArrowDown');
    },
  ],
  ['columns', () => `?range=1h&${ONE_ROW}`, (page) => page.locator('.columns > button').click()],
  ['time range', () => `?range=1h&${ONE_ROW}`, (page) => page.locator('.range > button').click()],
  [
    'views and a draft',
    () => `?${ONE_ROW}`,
    async (page) => {
      await page.locator('.query input').pressSequentially(' x');
      await page.locator('.views > button').click();
    },
  ],
  [
    'saved views',
    () => `?range=7d&sort=oldest&${ONE_ROW}`,
    async (page) => {
      await page.locator('.views > button').click();
      await page.locator('.views .foot button').last().click();
      await page.locator('dialog input').first().fill('Archived invoices');
      await page.locator('dialog [type=radio]').last().check();
      expect.soft(await axeViolations(page), 'saving').toEqual([]);
      await page.keyboard.press('Enter');
      await page.locator('dialog').waitFor({ state: 'detached' });
      await page.locator('.query input').fill('');
      await page.keyboard.press('Enter');
      await page.locator('.views > button').click();
      await page.locator('.views .foot .primary').waitFor();
    },
  ],
  ['export', () => `?range=30d&${ONE_ROW}`, dialogKey('e')],
  ['keys and live', () => `?live=1&${ONE_ROW}`, dialogKey('?')],
];

/** Dark mode changes only colours, so only contrast is checked again. */
async function violationsInBoth(page: Page): Promise<string[]> {
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  const light = await axeViolations(page);
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  return [
    ...light,
    ...(await axeViolations(page, ['color-contrast'])).map((violation) => `dark ${violation}`),
  ];
}

test.each(['en-US', 'pt-BR'])(
  'axe-core finds no violation in any state, light or dark, %s',
  async (locale) => {
    const { page, watched, go, close } = await viewer.open('', { locale });
    for (const [name, search, act] of STATES) {
      await go(search());
      await act?.(page);
      expect.soft(await violationsInBoth(page), name).toEqual([]);
    }
    expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
    await close();
    const away = await viewer.open('', { locale, token: null });
    expect(await violationsInBoth(away.page), 'sign-in').toEqual([]);
    await away.close();
  },
  180_000,
);

test.each(['en-US', 'pt-BR'])(
  'axe-core finds no violation while loading, in an empty list, after a failure and when the session ends, %s',
  async (locale) => {
    const tenantId = randomUUID();
    const views = (minutes: number) =>
      person({ grants: [grant(tenantId, 'reel.logs.view:ACCOUNT')], minutes });
    // Opened first, so that the session ends while the other pages are checked.
    const ending = await viewer.open('', { locale, token: await views(6 / 60) });
    const empty = await viewer.open('', { locale, token: await views(10) });
    expect.soft(await violationsInBoth(empty.page), 'empty').toEqual([]);
    await empty.page.route('**/graphql', (route) => route.abort());
    await empty.go('?q=module:a');
    await empty.page.locator('.state:not(.loading)').first().waitFor();
    expect.soft(await violationsInBoth(empty.page), 'failed').toEqual([]);
    await empty.page.unroute('**/graphql');
    await empty.page.route('**/graphql', () => {});
    await empty.page.goto(`${viewer.reel.url}/?q=module:b`);
    await empty.page.locator('.state.loading').waitFor();
    expect.soft(await violationsInBoth(empty.page), 'loading').toEqual([]);
    await empty.close();
    await ending.page.getByRole('dialog').waitFor();
    expect.soft(await violationsInBoth(ending.page), 'session ended').toEqual([]);
    await ending.close();
  },
  180_000,
);

test('at 400 % zoom, as on a narrow screen, axe-core finds no violation, nothing overflows, and what opens is seen whole', async () => {
  // 1280 x 1024 at 400 %.
  const { page, close } = await viewer.open('', { viewport: { width: 320, height: 256 } });
  const beside = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect.soft(await violationsInBoth(page), 'list').toEqual([]);
  expect(await beside()).toBe(0);
  await page.locator('.views > button').click();
  await page.locator('.views .foot button').last().click();
  expect.soft(await violationsInBoth(page), 'saving a view').toEqual([]);
  expect(await beside()).toBe(0);
  const box = (await page.locator('dialog').boundingBox())!;
  expect([box.x >= 0, box.y >= 0, box.x + box.width <= 320, box.y + box.height <= 256]).toEqual(
    Array(4).fill(true),
  );
  await page.locator('dialog [type=submit]').scrollIntoViewIfNeeded();
  await page.keyboard.press('Escape');
  await rowsOf(page).nth(3).locator('[data-column=action]').click();
  await page.getByRole('complementary', { name: 'Log details' }).locator('h2').waitFor();
  expect.soft(await violationsInBoth(page), 'details').toEqual([]);
  expect(await beside()).toBe(0);
  await close();
});

test("in the system's own colours, axe-core finds no violation, and what is chosen is told from what is not", async () => {
  const { page, close } = await viewer.open(`?range=30d&${ONE_ROW}`, { forcedColors: 'active' });
  expect.soft(await axeViolations(page), 'list').toEqual([]);
  const colours = (selector: string) =>
    page
      .locator(selector)
      .first()
      .evaluate((element) => {
        const { backgroundColor, outlineStyle } = getComputedStyle(element);
        return `${backgroundColor} ${outlineStyle}`;
      });
  await page.locator('.live').click();
  const pressed = await colours('.live');
  await page.locator('.live').click();
  expect(pressed).not.toBe(await colours('.live'));
  await page.locator('.range > button').click();
  expect(await colours('.choices [aria-pressed=true]')).not.toBe(
    await colours('.choices [aria-pressed=false]'),
  );
  await page.keyboard.press('Escape');
  await page.locator('.query input').fill('');
  await page.keyboard.press('Enter');
  await rowsOf(page).nth(3).locator('[data-column=action]').click();
  expect(await colours('[data-row][aria-selected=true]')).not.toBe(
    await colours('[data-row][aria-selected=false]:not(.active)'),
  );
  await page.getByRole('complementary', { name: 'Log details' }).locator('h2').waitFor();
  expect.soft(await axeViolations(page), 'details').toEqual([]);
  await close();
});

test.each(['reduce', 'no-preference'] as const)(
  'with the preference %s for motion',
  async (reducedMotion) => {
    const { page, close } = await viewer.open('?live=1', { reducedMotion });
    await page.locator('.indicator[data-state=live]').waitFor();
    const moving = () => page.evaluate(() => document.getAnimations().length);
    if (reducedMotion === 'reduce') expect(await moving()).toBe(0);
    else await expect.poll(moving).toBeGreaterThan(0);
    await page.route('**/graphql', () => {});
    await page.goto(`${viewer.reel.url}/?q=module:b`);
    await page.locator('.state.loading').waitFor();
    if (reducedMotion === 'reduce') expect(await moving()).toBe(0);
    else await expect.poll(moving).toBeGreaterThan(0);
    await close();
  },
);
