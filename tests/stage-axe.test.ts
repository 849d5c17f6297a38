import { randomUUID } from 'node:crypto';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { grant, person } from './reel.js';
import { faultsOf, openStage, rowsOf, type StageHouse, writeTrail } from './stage-house.js';

let house: StageHouse;
let changed: string;

beforeAll(async () => {
  house = await openStage();
  ({ changed } = await writeTrail(house));
});
afterAll(() => house?.close());

const dialogKey = (key: string) => async (page: Page) => {
  await page.keyboard.press(key);
  await page.getByRole('dialog').waitFor();
};

/** Rows are looked at in the list; behind what opens over them one is enough. */
const ONE_ROW = 'q=action:invoices.archive';

/** Each state by its address and what is done there. */
const STATES: [name: string, search: () => string, act?: (page: Page) => Promise<unknown>][] = [
  ['list', () => '?sort=oldest'],
  ['details', () => `?entry=${changed}`, (page) => page.getByText('/state').waitFor()],
  ['no match', () => '?q=module:nowhere&range=24h'],
  ['fault', () => '?q=modul:x'],
  [
    'completion and table',
    () => '?range=7d',
    async (page) => {
      await page.locator('.over-time button').click();
      await page.locator('.query input').pressSequentially('gua');
      await page.locator('#query-options li').first().waitFor();
      await page.keyboard.press('ArrowDown');
    },
  ],
  ['columns', () => `?range=1h&${ONE_ROW}`, (page) => page.locator('.tools .menu button').first().click()],
  ['export', () => `?range=30d&${ONE_ROW}`, dialogKey('e')],
  ['keys and live', () => `?live=1&${ONE_ROW}`, dialogKey('?')],
];

/** Dark differs in nothing but its colours. */
async function faultsInBoth(page: Page): Promise<string[]> {
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  const light = await faultsOf(page);
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  return [...light, ...(await faultsOf(page, ['color-contrast'])).map((fault) => `dark ${fault}`)];
}

test.each(['en-US', 'pt-BR'])(
  'no fault of axe-core in any state, light and dark, %s',
  async (locale) => {
    const { page, watched, go, close } = await house.open('', { locale });
    for (const [name, search, act] of STATES) {
      await go(search());
      await act?.(page);
      expect.soft(await faultsInBoth(page), name).toEqual([]);
    }
    expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
    await close();
    const away = await house.open('', { locale, token: null });
    expect(await faultsInBoth(away.page), 'way in').toEqual([]);
    await away.close();
  },
  60_000,
);

test.each(['en-US', 'pt-BR'])(
  'no fault of axe-core while it loads, where there is nothing, where it failed and when the session ends, %s',
  async (locale) => {
    const tenantId = randomUUID();
    const views = (minutes: number) =>
      person({ grants: [grant(tenantId, 'reel.logs.view:ACCOUNT')], minutes });
    // Its end is waited for while the others are looked at.
    const ending = await house.open('', { locale, token: await views(6 / 60) });
    const empty = await house.open('', { locale, token: await views(10) });
    expect.soft(await faultsInBoth(empty.page), 'empty').toEqual([]);
    await empty.page.route('**/graphql', (route) => route.abort());
    await empty.go('?q=module:a');
    await empty.page.locator('.state:not(.loading)').first().waitFor();
    expect.soft(await faultsInBoth(empty.page), 'failed').toEqual([]);
    await empty.page.unroute('**/graphql');
    await empty.page.route('**/graphql', () => {});
    await empty.page.goto(`${house.reel.url}/?q=module:b`);
    await empty.page.locator('.state.loading').waitFor();
    expect.soft(await faultsInBoth(empty.page), 'loading').toEqual([]);
    await empty.close();
    await ending.page.getByRole('dialog').waitFor();
    expect.soft(await faultsInBoth(ending.page), 'session ended').toEqual([]);
    await ending.close();
  },
  60_000,
);

test('no fault of axe-core, and nothing beside the screen, where it is narrow', async () => {
  const { page, close } = await house.open('', { viewport: { width: 320, height: 256 } });
  const beside = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect.soft(await faultsInBoth(page), 'list').toEqual([]);
  expect(await beside()).toBe(0);
  await rowsOf(page).nth(3).locator('[data-column=action]').click();
  await page.getByRole('complementary', { name: 'Log details' }).getByText('/state').waitFor();
  expect.soft(await faultsInBoth(page), 'details').toEqual([]);
  expect(await beside()).toBe(0);
  await close();
});
