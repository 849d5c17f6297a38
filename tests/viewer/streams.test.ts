import { randomUUID } from 'node:crypto';
import type { Page } from 'playwright-core';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { batchOf, Receiver } from '../support/receiver.js';
import { grant, moduleToken, person } from '../support/reel.js';
import { manager, StreamCalls, store } from '../support/streams.js';
import { axeViolations, searchParams, startViewer, TENANT, type TestViewer } from '../support/viewer.js';

let viewer: TestViewer;
let module: string;
beforeAll(async () => {
  viewer = await startViewer();
  module = await moduleToken();
});
afterAll(() => viewer?.close());

let receiver: Receiver;
let tenant: string;
let token: string;
let calls: StreamCalls;
beforeEach(async () => {
  receiver = await Receiver.start();
  tenant = randomUUID();
  token = await manager(tenant);
  calls = await StreamCalls.of(viewer.reel, tenant);
});
afterEach(() => receiver.close());

/** The page looks each three seconds, and machines may be slow. */
const SOON = { timeout: 30_000, interval: 50 };

async function open(search = '?page=streams', options: Parameters<TestViewer['open']>[1] = {}) {
  const opened = await viewer.open(search, { token, ...options });
  opened.page.setDefaultTimeout(SOON.timeout);
  return opened;
}
const write = (count: number) =>
  store(
    viewer.reel,
    module,
    tenant,
    Array.from({ length: count }, (_, index) => ({ resource_id: `invoice-${index}` })),
  );
const sequences = () =>
  receiver.requests.flatMap((request) => batchOf(request).entries.map(({ sequence }) => sequence));
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const details = (page: Page) => page.getByRole('complementary', { name: 'Stream details' });
const beside = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

describe('the page of streams', () => {
  test('is shown to those who may manage streams, and to nobody else', async () => {
    const { page, watched, close } = await open('');
    await page.getByRole('link', { name: 'Streams', exact: true }).click();
    await page.getByText('No streams yet.').waitFor();
    expect(searchParams(page).get('page')).toBe('streams');
    await page.getByRole('link', { name: 'Audit log' }).click();
    await page.getByRole('search').waitFor();
    await page.goBack();
    await page.getByText('No streams yet.').waitFor();
    expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
    await close();

    const viewing = await viewer.open('');
    await viewing.page.locator('.breakdown').waitFor();
    // Who the person is has been asked by now, since the choices are loaded together.
    await viewing.page.waitForLoadState('networkidle');
    expect(await viewing.page.getByRole('link', { name: 'Streams', exact: true }).count()).toBe(0);
    await viewing.go('?page=streams');
    await viewing.page.getByText('You may not manage streams here.').waitFor();
    expect(await axeViolations(viewing.page)).toEqual([]);
    await viewing.close();
  });

  test('sets up a webhook by its form, whose entries then arrive, signed and without the secret shown again', async () => {
    await write(3);
    const { page, watched, close } = await open();
    await button(page, 'Add a stream').click();
    await page.getByLabel('Name').fill('Warehouse');
    await page.getByLabel('URL').fill(`${receiver.url}/in`);
    await button(page, 'Generate').click();
    const secret = await page.getByLabel('Signing secret', { exact: true }).inputValue();
    expect(secret).toMatch(/^whsec_/);
    await button(page, 'Add header').click();
    await page.getByLabel('Header', { exact: true }).fill('x-team');
    await page.getByLabel('Value of x-team').fill('not to be shown');
    await page.getByRole('radio', { name: 'The first entry' }).check();
    const answers: string[] = [];
    page.on('response', async (response) => {
      if (response.url().endsWith('/graphql')) answers.push(await response.text().catch(() => ''));
    });
    await button(page, 'Add stream').click();
    await details(page).getByText('Up to date').waitFor();
    // Its own record among them.
    await expect.poll(() => new Set(sequences()), SOON).toEqual(new Set([1, 2, 3, 4]));
    for (const { headers, body } of receiver.requests) {
      new Webhook(secret).verify(body, headers as Record<string, string>);
      expect(headers['x-team']).toBe('not to be shown');
    }
    await button(page, 'Test').click();
    await details(page).getByText('The receiver took a test entry: 204').waitFor();
    expect(batchOf(receiver.requests.at(-1)!).test).toBe(true);
    await write(2);
    await expect.poll(() => sequences().at(-1), SOON).toBe(6);
    await page
      .getByRole('row', { name: /Warehouse/ })
      .getByText('Up to date')
      .waitFor();
    await details(page).getByText('Last attempts').waitFor();
    expect(answers.length).toBeGreaterThan(1);
    expect(answers.join('') + (await page.content())).not.toMatch(/whsec_|not to be shown/);
    const [stream] = (await calls.ask('{ streams { id } }')).streams;
    expect(searchParams(page).get('stream')).toBe(stream.id);
    await page.reload();
    await details(page).getByRole('heading', { name: 'Warehouse' }).waitFor();
    expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
    await close();
  });

  test('says what the server has against a setting, where it stands', async () => {
    const { page, close } = await open();
    await button(page, 'Add a stream').click();
    await page.getByRole('radio', { name: 'S3' }).check();
    for (const [label, value] of [
      ['Name', 'Archive'],
      ['Region', 'eu-central-1'],
      ['Bucket', 'Not A Bucket'],
      ['Access key ID', 'AKIA'],
      ['Secret access key', 'x'],
    ] as const)
      await page.getByLabel(label, { exact: true }).fill(value);
    await button(page, 'Add stream').click();
    await page.getByText(/expected the name of a bucket/).waitFor();
    const bucket = page.getByLabel('Bucket', { exact: true });
    expect(await bucket.getAttribute('aria-invalid')).toBe('true');
    await expect.poll(() => bucket.evaluate((input) => input === document.activeElement), SOON).toBe(true);
    expect(await axeViolations(page)).toEqual([]);
    await close();
  });

  test('shows parked entries, which are sent again, and replays', async () => {
    let isPicky = true;
    receiver.behaviour = (request) =>
      isPicky && batchOf(request).entries.some(({ sequence }) => sequence === 2)
        ? { status: 422, body: 'this one is not understood' }
        : { status: 204 };
    const [, second] = await write(3);
    const stream = await calls.create({ name: 'Picky', settings: { url: receiver.url }, after: 0 });
    const { page, close } = await open(`?page=streams&stream=${stream.id}`);
    await details(page).getByText('1 parked entry').waitFor();
    await details(page).getByRole('link', { name: 'Entry no. 2' }).waitFor();
    expect(await details(page).textContent()).toContain('422 this one is not understood');
    isPicky = false;
    await button(page, 'Send again').click();
    await expect.poll(() => sequences().at(-1), SOON).toBe(2);
    await expect.poll(() => details(page).getByText('1 parked entry').count(), SOON).toBe(0);

    // Until nothing is under way any more.
    await calls.until(stream.id, ({ lagEntries }) => expect(lagEntries).toBe(0));
    receiver.requests.length = 0;
    await button(page, 'Replay').click();
    await page.getByRole('radio', { name: 'A sequence' }).check();
    await page.getByLabel('First sequence to send').fill('3');
    await page.getByRole('dialog').getByRole('button', { name: 'Replay' }).click();
    await expect.poll(() => sequences()[0], SOON).toBe(3);
    expect(batchOf(receiver.requests[0]!).id).toContain(`${stream.id}_2_3_`);
    await page.getByText('Replay begun').waitFor();
    await page.getByRole('dialog').waitFor({ state: 'detached' });

    await button(page, 'Replay').click();
    await page.getByRole('radio', { name: 'A time' }).check();
    await page.getByLabel('Sealed since').fill('yesterday');
    await page.getByRole('alert').getByText('YYYY-MM-DD HH:MM:SS').waitFor();
    await page.getByLabel('Sealed since').fill('2026-01-01 00:00');
    await page.getByRole('dialog').getByRole('button', { name: 'Replay' }).click();
    await expect
      .poll(() => receiver.requests.map((request) => batchOf(request).id), SOON)
      .toContainEqual(expect.stringContaining(`${stream.id}_3_1_`));
    expect(second).toBeDefined();
    await close();
  });

  test('pauses, resumes, changes and removes a stream', async () => {
    const stream = await calls.create({ name: 'Warehouse', settings: { url: receiver.url } });
    const { page, close } = await open(`?page=streams&stream=${stream.id}`);
    await button(page, 'Pause').click();
    await button(page, 'Resume').waitFor();
    expect((await calls.get(stream.id)).state).toBe('PAUSED');
    await button(page, 'Resume').click();
    await button(page, 'Pause').waitFor();
    expect((await calls.get(stream.id)).state).toBe('RUNNING');

    await button(page, 'Edit').click();
    await page.getByLabel('Name').fill('Lake');
    await page.getByLabel('URL').fill(`${receiver.url}/lake`);
    await button(page, 'Save').click();
    // The secret misses, since the address changes: the browser does not send the form.
    const secret = page.getByLabel('Signing secret', { exact: true });
    expect(await secret.evaluate((input: HTMLInputElement) => input.validity.valueMissing)).toBe(true);
    await button(page, 'Generate').click();
    await button(page, 'Save').click();
    await details(page).getByRole('heading', { name: 'Lake' }).waitFor();
    expect(await calls.get(stream.id)).toMatchObject({
      name: 'Lake',
      settings: { url: `${receiver.url}/lake` },
    });

    await button(page, 'Remove').click();
    await button(page, 'Keep it').click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await button(page, 'Remove').click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await page.getByText('No streams yet.').waitFor();
    expect(await calls.get(stream.id)).toBeNull();
    expect(searchParams(page).get('stream')).toBeNull();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('add-stream');
    await close();
  });

  test('says what is wrong with a stream, and what was seen last where the server cannot be reached', async () => {
    receiver.behaviour = () => ({ status: 403, body: 'This key may not write' });
    await write(2);
    const stream = await calls.create({ name: 'Warehouse', settings: { url: receiver.url }, after: 0 });
    await calls.until(stream.id, ({ state }) => expect(state).toBe('FAILING'));
    const { page, close } = await open();
    const row = page.getByRole('row', { name: /Warehouse/ });
    await row.getByText('Failing').waitFor();
    await row.getByText('403 This key may not write').waitFor();
    await row.getByText(/^[34] entries · /).waitFor();
    await page.route('**/graphql', (route) => route.abort());
    await page.getByText('This may be out of date.').waitFor();
    await row.getByText('Failing').waitFor();
    await page.unroute('**/graphql');
    await page.getByText('This may be out of date.').waitFor({ state: 'detached' });
    await close();
  });

  test('can be used by keyboard alone, and the focus is never lost', async () => {
    const stream = await calls.create({ name: 'Warehouse', settings: { url: receiver.url } });
    const { page, close } = await open('?page=streams', { viewport: { width: 1280, height: 800 } });
    const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim());
    await page.locator(`#stream-${stream.id}`).focus();
    await page.keyboard.press('Enter');
    await expect.poll(focused, SOON).toBe('Warehouse');
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('H2');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Test');
    for (let step = 0; step < 4; step += 1) await page.keyboard.press('Tab');
    expect(await focused()).toBe('Remove');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(focused, SOON).toBe('Remove');
    await page.keyboard.press('Escape');
    await expect.poll(() => details(page).count(), SOON).toBe(0);
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.id), SOON)
      .toBe(`stream-${stream.id}`);
    await page.keyboard.press('t');
    expect(await page.locator('html').getAttribute('data-theme')).not.toBeNull();
    // Keys of the list do nothing here.
    await page.keyboard.press('e');
    expect(await page.getByRole('dialog').count()).toBe(0);
    await close();
  });

  test.each([
    ['en-US', 1280],
    ['pt-BR', 1280],
    ['en-US', 320],
    ['pt-BR', 320],
  ])(
    'has no fault that axe-core finds, light or dark, and nothing overflows, %s, %i px',
    async (locale, width) => {
      receiver.behaviour = (request) =>
        batchOf(request).entries.some(({ sequence }) => sequence === 2)
          ? { status: 422, body: 'this one is not understood' }
          : { status: 204 };
      const names = { 'en-US': ['Test', 'Edit', 'Replay'], 'pt-BR': ['Testar', 'Editar', 'Reenviar'] }[
        locale
      ]!;
      const { page, watched, go, close } = await open('?page=streams', {
        locale,
        viewport: { width, height: 640 },
      });
      const check = async (name: string) => {
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          expect.soft(await axeViolations(page), `${name} ${colorScheme}`).toEqual([]);
        }
        expect.soft(await beside(page), name).toBe(0);
      };
      await page.locator('.streams .none h3').waitFor();
      await check('empty');
      await page.locator('#add-stream').click();
      for (const kind of ['Webhook', 'S3']) {
        await page.getByRole('radio', { name: kind, exact: true }).check();
        await check(kind);
      }
      await page.locator('.stream-form summary').click();
      await check('further settings');
      await write(3);
      const settings = { url: receiver.url, headers: { 'x-team': 'security' } };
      const stream = await calls.create({ name: 'Warehouse', settings, after: 0 });
      await calls.until(stream.id, ({ parkedCount }) => expect(parkedCount).toBe(1));
      await calls.create({ name: 'Another'.repeat(14), settings });
      await go(`?page=streams&stream=${stream.id}`);
      await page.locator('.stream-details .log a').waitFor();
      await button(page, names[0]!).click();
      await page.locator('.stream-details .tested').waitFor();
      await check('details');
      await button(page, names[1]!).click();
      await page.getByRole('dialog').waitFor();
      await check('edit');
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      await button(page, names[2]!).click();
      await page.getByRole('dialog').waitFor();
      await check('replay');
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      await page.locator('.stream-details .danger').click();
      await page.getByRole('dialog').waitFor();
      await check('remove');
      await go('?page=streams');
      await page.locator('.streams tbody tr').nth(1).waitFor();
      await check('list');
      expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
      await close();
    },
  );

  test('somebody who may only manage streams comes to them', async () => {
    const only = await person({ grants: [grant(TENANT, 'reel.streams.manage:ACCOUNT')] });
    const { page, close } = await viewer.open('', { token: only });
    await page.getByRole('link', { name: 'Streams', exact: true }).click();
    await page.getByText('No streams yet.').waitFor();
    await close();
  });
});
