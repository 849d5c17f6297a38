import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { JWT_SECRET } from '../support/reel.js';
import {
  ANA,
  chooseRange,
  rowsOf,
  startViewer,
  TENANT,
  type TestViewer,
  writeSampleEntries,
} from '../support/viewer.js';

let viewer: TestViewer;

beforeAll(async () => {
  viewer = await startViewer();
  await writeSampleEntries(viewer);
});
afterAll(() => viewer?.close());

test('live entries are added at the top, but wait while the list is scrolled or an entry is open', async () => {
  const { page, watched, close } = await viewer.open('?live=1');
  await page.locator('.indicator[data-state=live]').waitFor();
  const asked: string[] = [];
  // Opening an entry also loads code and the public keys, to check its proof.
  page.on('request', (request) => {
    if (request.url().endsWith('/graphql')) asked.push(request.url());
  });
  await viewer.write([{ action: 'live.first', severity: 'ERROR' }]);
  await rowsOf(page).first().getByText('live.first').waitFor();
  expect(await page.locator('[role=status]').textContent()).toBe('1 new entry');
  await rowsOf(page).nth(2).locator('[data-cell="3"]').click();
  await page
    .getByRole('complementary', { name: 'Log details' })
    .getByText('Unchanged since it was sealed')
    .waitFor();
  asked.length = 0;
  await viewer.write([{ action: 'live.second' }, { action: 'live.third' }]);
  await page.getByRole('button', { name: '2 new' }).waitFor();
  expect(await rowsOf(page).getByText('live.third').count()).toBe(0);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: '2 new' }).click();
  await rowsOf(page).first().getByText('live.third').waitFor();
  expect(await page.getByRole('grid').getAttribute('aria-rowcount')).toBe('244');
  await page.getByRole('grid').evaluate((grid) => grid.scrollTo(0, 600));
  await page.locator('[data-row="30"]').waitFor();
  const before = await page.locator('[data-row="22"]').boundingBox();
  await viewer.write([{ action: 'live.fourth' }]);
  await page.getByRole('button', { name: '1 new' }).waitFor();
  expect(await page.locator('[data-row="22"]').boundingBox()).toEqual(before);
  // The subscription is the only request: live entries are not queried for again.
  expect(asked).toEqual([]);
  expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
  await close();
});

test('oldest first, too, each new entry is counted once, whether or not the list has come to it', async () => {
  const { page, close } = await viewer.open('?sort=oldest&live=1');
  await page.locator('.indicator[data-state=live]').waitFor();
  const count = async () => Number(await page.getByRole('grid').getAttribute('aria-rowcount')) - 1;
  await expect.poll(count).toBeGreaterThan(200);
  const before = await count();
  const { body } = await viewer.reel.graphql(viewer.token, '{ logs { totalCount { value } } }');
  expect(before).toBe(body.data.logs.totalCount.value);
  await viewer.write([{ action: 'late.first' }, { action: 'late.second' }]);
  await expect.poll(count).toBe(before + 2);
  await rowsOf(page).first().locator('[data-cell="0"]').focus();
  await page.keyboard.press('Control+End');
  await rowsOf(page).last().getByText('late.second').waitFor();
  await viewer.write([{ action: 'late.third' }]);
  await expect.poll(count).toBe(before + 3);
  expect(await page.getByText('late.first').count()).toBe(1);
  await close();
});

test('live entries match the query', async () => {
  const { page, close } = await viewer.open('?q=severity%3E%3DERROR&live=1');
  await page.locator('.indicator[data-state=live]').waitFor();
  await viewer.write([{ action: 'matching.not' }, { action: 'matching.yes', severity: 'CRITICAL' }]);
  await rowsOf(page).first().getByText('matching.yes').waitFor();
  expect(await rowsOf(page).getByText('matching.not').count()).toBe(0);
  await close();
});

test('while the server is down, the list says so and keeps its rows; afterwards it recovers', async () => {
  const { page, close } = await viewer.open('?live=1');
  await page.locator('.indicator[data-state=live]').waitFor();
  await page.route('**/graphql', (route) => route.abort());
  await page.getByRole('grid').evaluate((grid) => grid.scrollTo(0, 4_000));
  await page.getByText('The next entries could not be loaded.').waitFor();
  expect(await rowsOf(page).count()).toBeGreaterThan(10);
  await chooseRange(page, '7 days');
  await page.getByText('The audit log could not be reached. Check your connection.').first().waitFor();
  await page.unroute('**/graphql');
  await page.locator('.state').getByRole('button', { name: 'Try again' }).click();
  await rowsOf(page).first().waitFor();
  await page.route('**/graphql', (route) => route.abort());
  await chooseRange(page, '30 days');
  await page.locator('.state').getByRole('button', { name: 'Try again' }).waitFor();
  await page.unroute('**/graphql');
  // It also retries by itself.
  await rowsOf(page).first().waitFor();
  await close();
});

test('when the token expires, a dialog asks for a new one, and the view stays as it was', async () => {
  const short = await new SignJWT({
    email: 'ana@example.com',
    grants: [{ action: 'reel.logs.view', scope: 'ACCOUNT', tenant_id: TENANT, client_id: null }],
  })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(ANA)
    .setIssuedAt()
    .setExpirationTime('4s')
    .sign(new TextEncoder().encode(JWT_SECRET));
  const { page, close } = await viewer.open('?q=module:billing', { token: short });
  await page.getByRole('gridcell', { name: 'invoices.delete' }).click();
  const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
  await dialog.waitFor();
  await dialog.getByText('ana@example.com').waitFor();
  await page.locator('.grid').getByText('invoices.delete').first().waitFor();
  await dialog.getByRole('textbox').fill(viewer.token);
  await page.keyboard.press('Enter');
  await expect.poll(() => dialog.count()).toBe(0);
  await page.getByRole('complementary', { name: 'Log details' }).getByText('invoice-7').first().waitFor();
  expect(page.url()).toContain('?q=module:billing&entry=');
  await expect.poll(() => rowsOf(page).count()).toBeGreaterThan(10);
  await close();
});

test('a user without a grant is told what to do', async () => {
  const none = await new SignJWT({ email: 'eve@example.com', tenants: [TENANT], grants: [] })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(ANA)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(JWT_SECRET));
  const { page, close } = await viewer.open('', { token: none });
  await page.getByText('You may not view these entries').waitFor();
  await page.locator('.state .detail', { hasText: 'reel.logs.view' }).waitFor();
  await close();
});
