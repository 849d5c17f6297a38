import { afterAll, beforeAll, expect, test } from 'vitest';
import { rowsOf, startViewer, type TestViewer, writeSampleEntries } from '../support/viewer.js';

let viewer: TestViewer;
let changed: string;

beforeAll(async () => {
  viewer = await startViewer();
  ({ changed } = await writeSampleEntries(viewer));
});
afterAll(() => viewer?.close());

/** Of the window's width: what the list, its first row and the details take, and what stands beside the page. */
const measured = (page: Awaited<ReturnType<TestViewer['open']>>['page']) =>
  page.evaluate(() => {
    const box = (selector: string) => {
      const { left, right, width, height } =
        document.querySelector(selector)?.getBoundingClientRect() ?? new DOMRect();
      return { left, right, width, height };
    };
    const cells = [...document.querySelectorAll('[data-row="0"] [role=gridcell]')]
      .filter((cell) => getComputedStyle(cell).display !== 'none')
      .map((cell) => cell.getBoundingClientRect().width);
    return {
      overflow: document.documentElement.scrollWidth - innerWidth,
      width: innerWidth,
      list: box('.list'),
      details: box('.details'),
      narrowestCell: Math.min(...cells),
    };
  });

test('the first row begins within 240 px on a laptop, a query applied, and within 45 % on a phone', async () => {
  const { page, go, close } = await viewer.open('', { viewport: { width: 1440, height: 900 } });
  const top = () =>
    rowsOf(page)
      .first()
      .evaluate((row) => row.getBoundingClientRect().top);
  expect(await top()).toBeLessThanOrEqual(240);
  // The number of the chart's scale stands beside the bars, whichever is the tallest.
  const boxOf = async (selector: string) => (await page.locator(selector).first().boundingBox())!;
  await page.locator('.over-time .scale', { hasText: /\d/ }).waitFor();
  const [plot, scale] = [await boxOf('.over-time .plot > svg'), await boxOf('.over-time .scale')];
  expect(scale.x).toBeGreaterThanOrEqual(plot.x + plot.width);
  await go('?q=severity>=INFO -module:nowhere');
  expect(await top()).toBeLessThanOrEqual(240);
  await page.setViewportSize({ width: 390, height: 844 });
  await expect.poll(top).toBeLessThanOrEqual(0.45 * 844);
  await close();
});

test('beside a narrow list of columns, of a resource the end is seen that tells it from others', async () => {
  const { page, close } = await viewer.open('?q=action:jobs.run', { viewport: { width: 1024, height: 768 } });
  const cell = rowsOf(page).first().locator('[data-column=resource]');
  // Too narrow for `document/document-…` at its least width.
  const widthOf = () => cell.evaluate(({ clientWidth }) => clientWidth);
  while ((await widthOf()) > 140)
    await page.getByRole('separator', { name: 'Width of Resource' }).press('ArrowLeft');
  const [type, id] = await cell
    .locator('.type, .id')
    .evaluateAll((parts) => parts.map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth));
  expect(type).toBeGreaterThan(0);
  expect(id).toBeLessThanOrEqual(0);
  await close();
});

test('the list is right at every width from 320 to 3,840 px', async () => {
  const { page, close } = await viewer.open('', { viewport: { width: 320, height: 900 } });
  for (let width = 320; width <= 3840; width += 40) {
    await page.setViewportSize({ width, height: 900 });
    const { overflow, list, narrowestCell } = await measured(page);
    expect(overflow, `${width}`).toBe(0);
    expect(list.width, `${width}`).toBeGreaterThanOrEqual(Math.min(width, 600));
    expect(list.height, `${width}`).toBeGreaterThan(400);
    expect(narrowestCell, `${width}`).toBeGreaterThanOrEqual(40);
  }
  await close();
}, 60_000);

test('so are the details, beside the list or over it', async () => {
  const { page, close } = await viewer.open(`?entry=${changed}`, { viewport: { width: 320, height: 900 } });
  await page.locator('.details tbody').waitFor();
  for (let width = 320; width <= 3840; width += 40) {
    await page.setViewportSize({ width, height: 900 });
    const { overflow, list, details } = await measured(page);
    expect(overflow, `${width}`).toBe(0);
    expect(details.right, `${width}`).toBe(width);
    if (width <= 960) expect(details.width, `${width}`).toBe(width);
    else {
      expect(details.width, `${width}`).toBeGreaterThanOrEqual(380);
      expect(list.width, `${width}`).toBeGreaterThanOrEqual(500);
      expect(list.right, `${width}`).toBeLessThanOrEqual(details.left + 1);
    }
  }
  await close();
}, 60_000);
