import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { grant, person } from '../support/reel.js';
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
  // What is applied stays readable while something else is typed and completed.
  await page.keyboard.press('Enter');
  await page.locator('[role=status]', { hasText: /^6\d entries$/ }).waitFor();
  await box.pressSequentially(' act');
  await page.locator('#query-options li').first().waitFor();
  const boxOf = async (selector: string) => (await page.locator(selector).boundingBox())!;
  const [chips, popup] = [await boxOf('.chips'), await boxOf('.completions')];
  expect(popup.y).toBeGreaterThanOrEqual(chips.y + chips.height);
  expect(await page.locator('.completions .shown').textContent()).toMatch(/6\d entries$/);
  expect(await page.locator('.query mark').textContent()).toBe('act');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  expect(await box.inputValue()).toBe('module:billing');
  await box.fill('');
  await page.keyboard.press('Enter');
  await expect.poll(() => searchParams(page).has('q')).toBe(false);
  await box.fill('module:billing');
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

test('what is shown is saved under a name, opened by its link, changed and removed, also by the keyboard', async () => {
  const { tenantId, ana, bob } = await newcomers();
  const { page, watched, go, close } = await viewer.open('', { token: ana });
  await page.locator(query).fill('module:billing');
  await page.keyboard.press('Enter');
  await chooseRange(page, '7 days');
  await page.getByRole('button', { name: 'Columns' }).click();
  await page.getByRole('checkbox', { name: 'Module' }).uncheck();
  await page.keyboard.press('Escape');
  // Typed and not applied: it is saved with the rest.
  await page.locator(query).fill('module:billing -action:rare.visit');
  const headers = page.getByRole('grid').getByRole('columnheader');
  const button = page.getByRole('button', { name: /^Views/ });
  const menu = page.getByRole('dialog', { name: 'Views' });
  await button.click();
  await menu.getByRole('button', { name: 'Save this view' }).press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Save this view' });
  await dialog.getByText('Time, Severity, Action, Actor, Resource').waitFor();
  await dialog.getByText('module:billing -action:rare.visit').waitFor();
  await dialog.getByLabel('Name').fill('Billing <b>now</b>');
  await page.keyboard.press('Enter');
  await page.locator('[role=status]', { hasText: 'View saved' }).waitFor();
  await expect.poll(() => [...searchParams(page).keys()]).toEqual(['v']);
  expect(await button.evaluate((element) => element === document.activeElement)).toBe(true);
  expect(await page.title()).toBe('Billing <b>now</b> · Reel');

  // Alone, the link shows what was saved; what is then changed stands beside it.
  const { search } = new URL(page.url());
  await page.evaluate(() => localStorage.clear());
  await go(search);
  await expect.poll(() => page.locator(query).inputValue()).toBe('module:billing -action:rare.visit');
  expect(await headers.count()).toBe(5);
  await page.getByRole('button', { name: 'Time range: 7 days' }).waitFor();
  await page.locator(query).fill('');
  await page.keyboard.press('Enter');
  await expect.poll(() => searchParams(page).get('q')).toBe('');
  expect(searchParams(page).get('range')).toBe('7d');
  await button.getByText('changed').waitFor();
  await page.reload();
  await rowsOf(page).first().waitFor();
  expect(await page.locator(query).inputValue()).toBe('');
  await button.click();
  await menu.getByRole('button', { name: 'Save the changes' }).click();
  await expect.poll(() => [...searchParams(page).keys()]).toEqual(['v']);

  // Back is what was asked before, with one's own columns.
  await button.click();
  await menu.getByRole('link', { name: /Deletions/ }).click();
  await expect.poll(() => searchParams(page).has('v')).toBe(false);
  expect(await headers.count()).toBe(6);
  await page.goBack();
  await expect.poll(() => searchParams(page).has('v')).toBe(true);
  expect(await headers.count()).toBe(5);

  await button.click();
  await menu.getByRole('button', { name: 'Change Billing' }).click();
  const change = page.getByRole('dialog', { name: 'Change this view' });
  await change.getByLabel('Name').fill('Ours');
  await change.getByLabel('All who may view this account').check();
  await change.getByRole('button', { name: 'Save', exact: true }).click();
  await expect.poll(() => change.count()).toBe(0);
  await expect.poll(() => page.title()).toBe('Ours · Reel');

  // Who views one client sees it, and may not change it; what the server refuses all the same is told.
  const other = await viewer.open(new URL(page.url()).search, { token: bob });
  await rowsOf(other.page).first().waitFor();
  await other.page.getByRole('button', { name: 'Views: Ours' }).click();
  const theirs = other.page.getByRole('dialog', { name: 'Views' });
  await theirs.getByRole('link', { name: /Ours Shared/ }).waitFor();
  expect(await theirs.getByRole('button', { name: /^(Change|Remove)/ }).count()).toBe(0);
  const views = await viewer.reel.graphql(ana, '{ views { name } }', {}, { 'x-tenant-id': tenantId });
  expect(views.body.data.views).toEqual([{ name: 'Ours' }]);
  await other.close();

  await page.route('**/graphql', (route) =>
    route.request().postData()?.includes('removeView')
      ? route.fulfill({
          json: { errors: [{ message: 'no', extensions: { code: 'FORBIDDEN' } }], data: null },
        })
      : route.fallback(),
  );
  await button.click();
  await menu.getByRole('button', { name: 'Remove Ours' }).click();
  const removal = page.getByRole('dialog', { name: 'Remove Ours?' });
  await removal.getByText('no entry of the audit log', { exact: false }).waitFor();
  await removal.getByRole('button', { name: 'Remove the view' }).click();
  await removal.getByRole('alert').getByText('Only who saved this view').waitFor();
  await page.unroute('**/graphql');
  const gone = new URL(page.url()).search;
  await removal.getByRole('button', { name: 'Remove the view' }).click();
  await expect.poll(() => searchParams(page).has('v')).toBe(false);
  expect(searchParams(page).get('range')).toBe('7d');
  await go(gone);
  await page.getByRole('heading', { name: 'This view is not here' }).waitFor();
  await page.getByRole('button', { name: 'Show all entries' }).click();
  await rowsOf(page).first().waitFor();
  expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
  await close();
});

/** Of a tenant of their own: who views all of it, and who views one client. */
async function newcomers() {
  const tenantId = randomUUID();
  await viewer.write([
    { tenantId, module: 'billing', clientId: CLIENT },
    { tenantId, module: 'billing', action: 'rare.visit' },
  ]);
  const [ana, bob] = await Promise.all([
    person({ grants: [grant(tenantId, 'reel.logs.view:ACCOUNT')] }),
    person({ grants: [grant(tenantId, `reel.logs.view:CLIENT:${CLIENT}`)] }),
  ]);
  return { tenantId, ana, bob };
}

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
