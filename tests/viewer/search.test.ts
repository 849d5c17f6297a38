import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ANA,
  CLIENT,
  chooseRange,
  rowsOf,
  searchParams,
  startViewer,
  type TestViewer,
  writeSampleEntries,
} from '../support/viewer.js';

let viewer: TestViewer;

beforeAll(async () => {
  viewer = await startViewer();
  await writeSampleEntries(viewer);
  await viewer.write([{ action: 'rare.visit', actorId: 'p-1', actorName: 'Zuleika Dobson' }]);
});
afterAll(() => viewer?.close());

const query = '.query input';

test('what is typed is marked as not applied, is never lost, and is applied by any other action', async () => {
  const { page, close } = await viewer.open();
  const box = page.getByRole('combobox', { name: 'Query' });
  await box.fill('module:billing');
  expect(await box.getAttribute('aria-description')).toBe('Not applied');
  await page.getByRole('button', { name: 'Not applied' }).waitFor();
  expect(searchParams(page).has('q')).toBe(false);
  await chooseRange(page, '7 days');
  expect(searchParams(page).get('q')).toBe('module:billing');
  expect(searchParams(page).get('range')).toBe('7d');
  expect(await box.getAttribute('aria-description')).toBeNull();
  // A fault is no filter, and stays where it was typed.
  await box.fill('module:billing severty:ERROR');
  await chooseRange(page, '30 days');
  expect(searchParams(page).get('q')).toBe('module:billing');
  expect(await box.inputValue()).toBe('module:billing severty:ERROR');
  await page.goBack();
  expect(await box.inputValue()).toBe('module:billing severty:ERROR');
  expect(await box.getAttribute('aria-description')).toBe('Not applied');
  await close();
});

test('applied terms are chips in words, with names, to take out or to edit', async () => {
  const { page, close } = await viewer.open(`?q=severity:ERROR -actor:${ANA} client:${CLIENT} declined`);
  const chips = page.getByRole('list', { name: 'Conditions' }).getByRole('listitem');
  await expect
    .poll(() => chips.evaluateAll((all) => all.map((chip) => chip.textContent!.trim())))
    .toEqual(['Severity:Error', 'notActor:Ana Souza', 'Client:Loja Centro', '“declined”']);
  await page.getByRole('button', { name: 'Take out: not Actor: Ana Souza' }).click();
  await expect.poll(() => searchParams(page).get('q')).toBe(`severity:ERROR client:${CLIENT} declined`);
  await chips.getByText('Error', { exact: true }).click();
  const selected = await page
    .locator(query)
    .evaluate((input: HTMLInputElement) => input.value.slice(input.selectionStart!, input.selectionEnd!));
  expect(selected).toBe('severity:ERROR');
  await close();
});

test('people are completed by name, and inserted as what finds them; so are paths into data', async () => {
  const { page, close } = await viewer.open();
  await page.locator(query).pressSequentially('zule');
  await page.getByRole('option', { name: /Zuleika Dobson/ }).click();
  expect(await page.locator(query).inputValue()).toBe('actor:p-1');
  await page.keyboard.press('Enter');
  await expect.poll(() => rowsOf(page).count()).toBe(1);
  await page.locator(query).fill('');
  await page.locator(query).pressSequentially('data.sta');
  await page.getByRole('option', { name: 'data.after.state' }).waitFor();
  await close();
});

test('views that everybody has are one click, and links', async () => {
  const { page, close } = await viewer.open();
  await page.getByRole('button', { name: 'Views' }).click();
  const views = page.getByRole('dialog', { name: 'Views' });
  await views.getByRole('link', { name: /What I did/ }).waitFor();
  await views.getByRole('link', { name: /Deletions this week/ }).click();
  await expect.poll(() => searchParams(page).get('q')).toBe('action:invoices.delete');
  expect(searchParams(page).get('range')).toBe('7d');
  await expect.poll(() => rowsOf(page).count()).toBe(1);
  await close();
});

test('columns of any field or value in data, in any order and width, are kept', async () => {
  const { page, close } = await viewer.open('?q=action:invoices.issue');
  await page.getByRole('button', { name: 'Columns' }).click();
  const panel = page.getByRole('dialog', { name: 'Columns' });
  await panel.getByRole('checkbox', { name: 'IP address' }).check();
  await panel.getByRole('button', { name: 'Move IP address towards the start' }).click();
  await panel.getByLabel('A value in data, by its path').fill('nested.text');
  await panel.getByRole('button', { name: 'Add', exact: true }).click();
  await page.keyboard.press('Escape');
  const headers = () =>
    page
      .getByRole('grid')
      .getByRole('columnheader')
      .evaluateAll((all) => all.map((each) => each.getAttribute('data-column')));
  const expected = ['time', 'severity', 'module', 'action', 'actor', 'ip', 'resource', 'data.nested.text'];
  expect(await headers()).toEqual(expected);
  await rowsOf(page)
    .first()
    .locator('[data-column="data.nested.text"]')
    .getByText(/^text \d+$/)
    .waitFor();
  const handle = page.getByRole('separator', { name: 'Width of Module' });
  const width = () =>
    page.locator('[role=columnheader][data-column=module]').evaluate((header) => header.clientWidth);
  const before = await width();
  await handle.press('ArrowRight');
  await expect.poll(width).toBe(before + 16);
  await page.reload();
  await rowsOf(page).first().waitFor();
  expect(await headers()).toEqual(expected);
  expect(await width()).toBe(before + 16);
  await rowsOf(page).first().locator('[data-column="data.nested.text"]').click();
  await page.keyboard.press('Escape');
  await page.keyboard.press('f');
  await expect
    .poll(() => searchParams(page).get('q'))
    .toMatch(/^action:invoices\.issue data\.nested\.text:"text \d+"$/);
  await close();
});
