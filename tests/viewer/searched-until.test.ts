import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storeMany } from '../support/many-entries.js';
import { CLIENT, rowsOf, startViewer, TENANT, type TestViewer } from '../support/viewer.js';

let viewer: TestViewer;

beforeAll(async () => {
  viewer = await startViewer({ REEL_SEARCH_MS: '50' });
  const newest = new Date(Date.now() - 3_600_000);
  await storeMany(viewer.reel.own, { tenantId: TENANT, clientId: CLIENT, count: 50_000, newest });
}, 120_000);
afterAll(() => viewer?.close());

test('a list that stops at its budget says how far it got and goes on when asked', async () => {
  // Only the oldest entry, by a value that no index serves.
  const { page, watched, close } = await viewer.open('?q=data.n:1');
  const status = page.getByText(/^Searched back to .+\d.*\.$/);
  await status.waitFor();
  expect(await page.getByRole('heading', { name: 'No entry matches' }).count()).toBe(0);
  const goOn = page.getByRole('button', { name: 'Go on' });
  for (let pages = 0; (await rowsOf(page).count()) === 0; pages += 1) {
    expect(pages).toBeLessThan(500);
    await Promise.race([goOn.click().catch(() => {}), rowsOf(page).first().waitFor()]);
  }
  expect(await rowsOf(page).count()).toBe(1);
  expect(watched.errors).toEqual([]);
  await close();
}, 120_000);

test('to the end of what matches nothing, and only then says that nothing matches', async () => {
  const { page, close } = await viewer.open(`?q=data.n:${randomUUID()}`);
  const nothing = page.getByRole('heading', { name: 'No entry matches' });
  await page.getByRole('button', { name: 'Go on' }).waitFor();
  expect(await nothing.count()).toBe(0);
  for (let pages = 0; (await nothing.count()) === 0; pages += 1) {
    expect(pages).toBeLessThan(500);
    await Promise.race([
      page
        .getByRole('button', { name: 'Go on' })
        .click()
        .catch(() => {}),
      nothing.waitFor(),
    ]);
  }
  await close();
}, 120_000);
