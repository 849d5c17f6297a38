import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ANA,
  CLIENT,
  chooseRange,
  OTHER_CLIENT,
  REQUEST,
  rowsOf,
  SCRIPT,
  searchParams,
  startViewer,
  TENANT,
  type TestViewer,
  writeSampleEntries,
} from '../support/viewer.js';

let viewer: TestViewer;
let changed: string;
let scripted: string;

beforeAll(async () => {
  viewer = await startViewer();
  ({ changed, scripted } = await writeSampleEntries(viewer));
});
afterAll(() => viewer?.close());

const query = '.query input';
const status = '[role=status]';

describe('sign-in', () => {
  test('a token is removed from the URL, stays in this tab, and opens the linked view', async () => {
    const { page, watched, close } = await viewer.open('?q=module:billing&range=24h');
    expect(page.url()).toBe(`${viewer.reel.url}/?q=module:billing&range=24h`);
    expect(await page.evaluate(() => Object.values(localStorage).join())).not.toContain(viewer.token);
    await page.reload();
    await rowsOf(page).first().waitFor();
    expect(await page.locator(query).inputValue()).toBe('module:billing');
    expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
    const other = await page.context().newPage();
    await other.goto(page.url());
    await rowsOf(other).first().waitFor();
    await page.close();
    const later = await other.context().browser()!.newPage();
    await later.goto(other.url());
    await later.getByText('Sign in to see the audit log').waitFor();
    await later.close();
    await close();
  });

  test('without a token the page says how to sign in, and opens the linked view afterwards', async () => {
    const { page, close } = await viewer.open(`?q=module:aurora&entry=${changed}`, { token: null });
    await page.getByText('npm run -s reel -- link').waitFor();
    await page.getByRole('textbox').fill('no token');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    await page
      .getByRole('textbox')
      .fill(`${viewer.reel.url}/#token=${viewer.token}&tenant=${TENANT}&client=${CLIENT}`);
    await page.keyboard.press('Enter');
    await page.getByRole('complementary', { name: 'Log details' }).waitFor();
    expect(searchParams(page).get('q')).toBe('module:aurora');
    expect(searchParams(page).get('client')).toBe(CLIENT);
    await close();
  });
});

describe('link', () => {
  test('the canonical query is in the URL, and back and forward restore it', async () => {
    const { page, close } = await viewer.open();
    expect(new URL(page.url()).search).toBe('');
    await page.locator(query).fill('  severity:error,CRITICAL   module:billing,guardian ');
    await page.keyboard.press('Enter');
    await page.locator(status, { hasText: /\d/ }).waitFor();
    expect(searchParams(page).get('q')).toBe('module:billing,guardian severity:ERROR,CRITICAL');
    expect(await page.locator(query).inputValue()).toBe('module:billing,guardian severity:ERROR,CRITICAL');
    await chooseRange(page, '24 hours');
    expect(searchParams(page).get('range')).toBe('24h');
    await rowsOf(page).first().locator('[data-cell="3"]').click();
    expect(searchParams(page).get('entry')).toMatch(/^[0-9a-f-]{36}$/);
    await page.goBack();
    await page.goBack();
    expect(new URL(page.url()).searchParams.has('range')).toBe(false);
    await page.getByRole('button', { name: 'Time range: All time' }).waitFor();
    await page.goBack();
    await expect.poll(() => page.locator(query).inputValue()).toBe('');
    await page.goForward();
    await expect.poll(() => page.locator(query).inputValue()).toContain('billing,guardian');
    await close();
  });

  test('a link has order, entry, language, zone and time; defaults are left out', async () => {
    const { page, close } = await viewer.open(
      `?sort=oldest&entry=${changed}&lang=pt-BR&tz=Asia/Kolkata&from=2020-01-01T00:00:00Z`,
    );
    await page.getByRole('complementary', { name: 'Detalhes do registro' }).waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('pt-BR');
    await page.locator('.range > button').click();
    expect(await page.getByLabel('De', { exact: true }).inputValue()).toBe('01/01/2020 05:30:00');
    await page.keyboard.press('Escape');
    const times = await rowsOf(page)
      .locator('time')
      .evaluateAll((all) => all.map((each) => each.getAttribute('datetime')!));
    expect(times).toEqual([...times].sort());
    await page.getByRole('grid').getByRole('columnheader').first().getByRole('button').click();
    await expect.poll(() => searchParams(page).has('sort')).toBe(false);
    await close();
  });

  test('Copy link writes from and to', async () => {
    const { page, close } = await viewer.open('?q=module:billing&range=24h&live=1', {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    await page.getByRole('button', { name: 'Copy link' }).click();
    await page.locator(status, { hasText: 'Link copied' }).waitFor();
    const link = new URL(await page.evaluate(() => navigator.clipboard.readText()));
    expect([...link.searchParams.keys()]).toEqual(['q', 'from', 'to']);
    const [from, to] = [link.searchParams.get('from')!, link.searchParams.get('to')!].map((at) =>
      Date.parse(at),
    );
    expect(to! - from!).toBe(86_400_000);
    await close();
  });
});

describe('components', () => {
  test('the query completes values that occur, and its errors are marked and translated', async () => {
    const { page, close } = await viewer.open('', { locale: 'pt-BR' });
    const combobox = page.getByRole('search').getByRole('combobox', { name: 'Consulta' });
    await combobox.pressSequentially('gua');
    await page.getByRole('option', { name: /module:guardian/ }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    expect(await combobox.inputValue()).toBe('module:guardian');
    await combobox.pressSequentially(' severity>=e');
    await page.getByRole('option', { name: /severity>=ERROR/ }).click();
    await page.keyboard.press('Enter');
    await expect.poll(() => searchParams(page).get('q')).toBe('module:guardian severity>=ERROR');
    await combobox.fill('module:guardian modul:x');
    await page.keyboard.press('Enter');
    expect(await page.getByRole('alert').textContent()).toContain('O campo em modul:x não existe.');
    expect(await page.locator('.query mark').textContent()).toBe('modul:x');
    expect(await combobox.getAttribute('aria-invalid')).toBe('true');
    expect(searchParams(page).get('q')).toBe('module:guardian severity>=ERROR');
    await page.getByRole('button', { name: 'Você quis dizer module:guardian,x' }).click();
    await expect.poll(() => searchParams(page).get('q')).toBe('module:guardian,x');
    expect(await page.getByRole('alert').count()).toBe(0);
    await close();
  });

  test('dates in the query line are of the time zone shown', async () => {
    const { page, close } = await viewer.open('', { timezoneId: 'America/Sao_Paulo' });
    const asked = page.waitForRequest((request) => `${request.postData()}`.includes('since:2026-01-05'));
    await page.locator(query).fill('since:2026-01-05');
    await page.keyboard.press('Enter');
    expect(JSON.parse(`${(await asked).postData()}`).variables).toMatchObject({
      filter: { query: 'since:2026-01-05' },
      timeZone: 'America/Sao_Paulo',
    });
    expect(searchParams(page).get('q')).toBe('since:2026-01-05');
    await close();
  });

  test('date-time inputs and dragging over the timeline set the range', async () => {
    const { page, close } = await viewer.open('', { timezoneId: 'UTC' });
    await page.getByRole('button', { name: 'Time range: All time' }).click();
    const range = page.getByRole('dialog', { name: 'Time range' });
    await range.getByLabel('From').fill('2026-01-05 10:00');
    await range.getByLabel('To').fill('2026-01-04');
    await range.getByText('“From” is after “To”.').waitFor();
    await range.getByLabel('To').fill('');
    await range.getByRole('button', { name: 'Apply' }).click();
    await expect.poll(() => searchParams(page).get('from')).toBe('2026-01-05T10:00:00Z');
    await page.getByRole('button', { name: 'Time range: Since Jan 05, 2026, 10:00' }).waitFor();
    await chooseRange(page, 'All time');
    await expect.poll(() => searchParams(page).has('from')).toBe(false);
    const figure = page.getByRole('figure', { name: 'Entries over time' });
    await figure.locator('svg path.bar').first().waitFor();
    const sums = () => figure.locator('tbody td:last-child').allTextContents();
    await expect.poll(async () => (await sums()).reduce((sum, each) => sum + Number(each), 0)).toBe(240);
    await figure.locator('.plot:not(.stale)').waitFor();
    const box = (await figure.locator('svg[viewBox^="0 0"]:has(.base)').boundingBox())!;
    await page.mouse.move(box.x + 5, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + 60, box.y + 40);
    await page.mouse.up();
    await expect.poll(() => searchParams(page).has('from') && searchParams(page).has('to')).toBe(true);
    await close();
  });

  test('the breakdown counts, adds to the query line and excludes from it', async () => {
    const { page, close } = await viewer.open();
    const breakdown = page.getByRole('complementary', { name: 'Breakdown' });
    await breakdown.getByRole('button', { name: /^aurora/ }).click();
    await expect.poll(() => searchParams(page).get('q')).toBe('module:aurora');
    await breakdown.getByRole('button', { name: /^matrix/ }).click();
    await expect.poll(() => searchParams(page).get('q')).toBe('module:aurora,matrix');
    await breakdown.getByRole('button', { name: 'Exclude jobs.run' }).click();
    await expect.poll(() => searchParams(page).get('q')).toBe('module:aurora,matrix -action:jobs.run');
    await breakdown.getByRole('button', { name: 'Exclude Critical' }).click();
    await expect.poll(() => searchParams(page).get('q')).toContain('-severity:CRITICAL');
    await breakdown.getByRole('button', { name: /^Ana Souza/ }).click();
    await expect.poll(() => searchParams(page).get('q')).toContain(`actor:${ANA}`);
    // What a bound leaves out is not excluded by name, and what the query names has a count, if it is none.
    await page.locator(query).fill('severity>=ERROR -module:aurora action:invoices.*,nothing.done');
    await page.keyboard.press('Enter');
    const pressed = (name: string) =>
      breakdown.getByRole('button', { name, exact: true }).getAttribute('aria-pressed');
    await expect.poll(() => pressed('Exclude aurora')).toBe('true');
    expect(await pressed('Exclude Info')).toBe('false');
    await breakdown.getByRole('button', { name: 'nothing.done 0', exact: true }).waitFor();
    await breakdown.getByRole('button', { name: /^invoices\.\* [1-9]/ }).waitFor();
    expect(await breakdown.getByText('without this filter').count()).toBe(3);
    await close();
  });

  test('the grid renders few rows at any depth and loads more; columns can be hidden', async () => {
    const { page, close } = await viewer.open();
    const grid = page.getByRole('grid', { name: 'Log entries' });
    await expect.poll(() => grid.getAttribute('aria-rowcount')).toBe('241');
    expect(await page.locator(status).textContent()).toBe('240 entries');
    for (let depth = 0; depth < 12; depth++) {
      await grid.evaluate((element) => element.scrollBy(0, 900));
      await page.waitForTimeout(30);
      expect(await grid.getByRole('row').count()).toBeLessThanOrEqual(60);
    }
    await expect.poll(() => page.locator('[data-row="239"]').count()).toBe(1);
    expect(await page.locator('[data-row="239"]').getAttribute('aria-rowindex')).toBe('241');
    expect(await grid.locator('.end').textContent()).toBe('No older entries');
    expect(await grid.getByRole('columnheader').allTextContents()).toEqual([
      'Time',
      'Severity',
      'Module',
      'Action',
      'Actor',
      'Resource',
    ]);
    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByRole('checkbox', { name: 'Module' }).uncheck();
    expect(await grid.getByRole('columnheader').count()).toBe(5);
    await page.reload();
    await rowsOf(page).first().waitFor();
    expect(await grid.getByRole('columnheader').count()).toBe(5);
    await close();
  });

  test('the details show fields to copy and filter by, changes, data, related entries and the sequence', async () => {
    const { page, close } = await viewer.open('', { permissions: ['clipboard-read', 'clipboard-write'] });
    await page.getByRole('gridcell', { name: 'invoices.delete' }).click();
    const details = page.getByRole('complementary', { name: 'Log details' });
    await details.getByRole('row', { name: /state.*open.*deleted/ }).waitFor();
    await details.getByRole('row', { name: /reason.*added.*duplicate/ }).waitFor();
    await details.getByText(/^Unchanged since it was sealed: place 237 of 24\d$/).waitFor();
    await details.getByRole('button', { name: 'Copy Request' }).click();
    await page.locator(status, { hasText: 'Copied' }).waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(REQUEST);
    expect(await details.getByText('duplicate', { exact: true }).count()).toBe(1);
    await details.getByRole('button', { name: 'after' }).click();
    expect(await details.getByText('duplicate', { exact: true }).count()).toBe(2);
    await details.getByRole('button', { name: 'JSON', exact: true }).click();
    expect(JSON.parse((await details.locator('pre').textContent())!)).toMatchObject({
      after: { state: 'deleted' },
    });
    await details.getByRole('button', { name: 'Filter by IP address' }).click();
    await expect.poll(() => searchParams(page).get('q')).toBe('ip:10.1.2.3');
    await details.getByRole('link', { name: /invoices.archive/ }).click();
    await expect.poll(() => searchParams(page).get('entry')).not.toBe(changed);
    await close();
  });

  test('HTML in an entry is shown as text', async () => {
    const { page, watched, close } = await viewer.open(`?entry=${scripted}`);
    const details = page.getByRole('complementary', { name: 'Log details' });
    await details.getByRole('table').waitFor();
    expect(await details.getByText(SCRIPT).count()).toBeGreaterThan(8);
    await details.getByRole('button', { name: 'JSON', exact: true }).click();
    // Beside details the breakdown is shown where it is asked for.
    await page.getByRole('button', { name: 'Breakdown' }).click();
    await page.locator('.breakdown').getByText(SCRIPT).first().waitFor();
    await page.locator(query).pressSequentially('<im');
    await page.getByRole('option', { name: SCRIPT }).first().waitFor();
    expect(await page.locator('b, img').count()).toBe(0);
    expect(await page.title()).toBe('Audit log · Reel');
    expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
    await close();
  });

  test('the client picker narrows to one client, which an export needs', async () => {
    const { page, close } = await viewer.open();
    await page.getByLabel('Client', { exact: true }).selectOption(OTHER_CLIENT);
    await page.locator(status, { hasText: '118 entries' }).waitFor();
    expect(searchParams(page).get('client')).toBe(OTHER_CLIENT);
    const names = page.getByLabel('Client', { exact: true }).locator('option');
    expect(await names.allTextContents()).toEqual(['All clients', OTHER_CLIENT, 'Loja Centro']);
    expect(await page.title()).toBe(`Audit log · ${OTHER_CLIENT} · Reel`);
    await page.getByLabel('Client', { exact: true }).selectOption('');
    await page.locator(status, { hasText: '240 entries' }).waitFor();
    await page.getByRole('button', { name: 'Export' }).click();
    const dialog = page.getByRole('dialog', { name: 'Export' });
    await dialog.getByText('240 entries match, of all clients.').waitFor();
    await dialog.getByLabel('Client to export').selectOption(OTHER_CLIENT);
    await dialog.getByText('118 entries to export').waitFor();
    // Proofs bring their format with them, and leave with it.
    await dialog.getByLabel('With proofs').check();
    expect(await dialog.getByLabel('NDJSON').isChecked()).toBe(true);
    await dialog.getByLabel('CSV').check();
    expect(await dialog.getByLabel('With proofs').isChecked()).toBe(false);
    await dialog.getByLabel('NDJSON').check();
    await dialog.getByRole('button', { name: 'Prepare export' }).click();
    expect(searchParams(page).has('client')).toBe(false);
    const url = await dialog.getByRole('link', { name: 'Download' }).getAttribute('href');
    const lines = (await (await fetch(url!)).text()).trim().split('\n');
    expect(lines).toHaveLength(118);
    expect(JSON.parse(lines[0]!)).toHaveProperty('data.number');
    await page.keyboard.press('Escape');
    await expect.poll(() => dialog.count()).toBe(0);
    await close();
  });

  test('an empty result and an invalid query each say what to do', async () => {
    const { page, go, close } = await viewer.open('?q=module:nowhere action:jobs.run&range=1h');
    await page.getByRole('heading', { name: 'No entry matches' }).waitFor();
    // Which of the conditions it is.
    const without = page.locator('.loosened').getByRole('listitem');
    await expect
      .poll(() => without.locator('.total').allTextContents())
      .toEqual(['59 entries', 'No entries', 'No entries']);
    await page
      .locator('.loosened')
      .getByRole('button', { name: 'Search without it: Action: jobs.run' })
      .click();
    await expect.poll(() => searchParams(page).get('q')).toBe('module:nowhere');
    await page.getByRole('button', { name: 'Search all time' }).click();
    await page.locator('.state').getByRole('button', { name: 'Clear the query' }).click();
    await rowsOf(page).first().waitFor();
    expect(new URL(page.url()).search).toBe('');
    await go('?q=severity:loud');
    await page.getByRole('heading', { name: 'The query has a fault' }).waitFor();
    expect(await page.locator('.query mark').textContent()).toBe('severity:loud');
    // A fault that was typed in place of an answer is given up for that.
    await go('?q=action:jobs.run');
    await page.locator(query).fill('action:jobs.run severity:loud');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Show the list as it was' }).click();
    await rowsOf(page).first().waitFor();
    expect(await page.locator(query).inputValue()).toBe('action:jobs.run');
    await close();
  });
});
