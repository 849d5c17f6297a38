import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

/** Each state by its address and what is done there. */
const STATES: [name: string, search: () => string, act?: (page: Page) => Promise<unknown>][] = [
  ['list', () => ''],
  ['details', () => `?entry=${changed}`, (page) => page.getByText('/state').waitFor()],
  ['no match', () => '?q=module:nowhere&range=24h'],
  ['fault', () => '?q=modul:x'],
  [
    'completion',
    () => '',
    async (page) => {
      await page.locator('.query input').pressSequentially('gua');
      await page.locator('#query-options li').first().waitFor();
      await page.keyboard.press('ArrowDown');
    },
  ],
  ['table', () => '?range=7d', (page) => page.locator('.over-time button').click()],
  ['columns', () => '', (page) => page.locator('.tools .menu button').first().click()],
  ['export', () => '', dialogKey('e')],
  ['keys', () => '', dialogKey('?')],
  ['live', () => '?live=1', (page) => page.locator('.lamp[data-state=live]').waitFor()],
];

describe.each(['light', 'dark'] as const)('%s', (colorScheme) => {
  test.each(['en-US', 'pt-BR'])('no fault of axe-core in any state, %s', async (locale) => {
    for (const [name, search, act] of STATES) {
      const { page, watched, close } = await house.open(search(), { locale, colorScheme });
      await act?.(page);
      expect.soft(await faultsOf(page), name).toEqual([]);
      expect.soft(watched, name).toEqual({ foreign: [], violations: [], errors: [] });
      await close();
    }
    const away = await house.open('', { locale, colorScheme, token: null });
    expect.soft(await faultsOf(away.page), 'way in').toEqual([]);
    await away.close();
  });

  test('no fault of axe-core where it is narrow', async () => {
    const { page, close } = await house.open('', { colorScheme, viewport: { width: 320, height: 640 } });
    expect.soft(await faultsOf(page), 'list').toEqual([]);
    await rowsOf(page).nth(3).locator('[data-cell="3"]').click();
    await page.getByRole('complementary', { name: 'Log details' }).getByText('/state').waitFor();
    expect.soft(await faultsOf(page), 'details').toEqual([]);
    await close();
  });
});
