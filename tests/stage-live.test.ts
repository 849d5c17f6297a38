import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ANA, openStage, rowsOf, type StageHouse, TENANT, writeTrail } from './stage-house.js';
import { JWT_SECRET } from './support/reel.js';

let house: StageHouse;

beforeAll(async () => {
  house = await openStage();
  await writeTrail(house);
});
afterAll(() => house?.close());

test('live, new entries come in at the top; where the list was scrolled or an entry is open they wait', async () => {
  const { page, watched, close } = await house.open('?live=1');
  await page.locator('.lamp[data-state=live]').waitFor();
  const asked: string[] = [];
  // What an opened entry's proof is checked with, its code and the public keys, is no look.
  page.on('request', (request) => {
    if (request.url().endsWith('/graphql')) asked.push(request.url());
  });
  await house.write([{ action: 'live.first', severity: 'ERROR' }]);
  await rowsOf(page).first().getByText('live.first').waitFor();
  expect(await page.locator('[role=status]').textContent()).toBe('1 new entry');
  await rowsOf(page).nth(2).locator('[data-cell="3"]').click();
  await page.getByRole('complementary', { name: 'Log details' }).getByText('Entry no.').waitFor();
  asked.length = 0;
  await house.write([{ action: 'live.second' }, { action: 'live.third' }]);
  await page.getByRole('button', { name: '2 new' }).waitFor();
  expect(await rowsOf(page).getByText('live.third').count()).toBe(0);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: '2 new' }).click();
  await rowsOf(page).first().getByText('live.third').waitFor();
  expect(await page.getByRole('grid').getAttribute('aria-rowcount')).toBe('244');
  await page.getByRole('grid').evaluate((grid) => grid.scrollTo(0, 600));
  await page.locator('[data-row="30"]').waitFor();
  const before = await page.locator('[data-row="22"]').boundingBox();
  await house.write([{ action: 'live.fourth' }]);
  await page.getByRole('button', { name: '1 new' }).waitFor();
  expect(await page.locator('[data-row="22"]').boundingBox()).toEqual(before);
  // One look is one subscription: what comes in is not asked for again.
  expect(asked).toEqual([]);
  expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
  await close();
});

test('live heeds the query', async () => {
  const { page, close } = await house.open('?q=severity%3E%3DERROR&live=1');
  await page.locator('.lamp[data-state=live]').waitFor();
  await house.write([{ action: 'heeded.not' }, { action: 'heeded.yes', severity: 'CRITICAL' }]);
  await rowsOf(page).first().getByText('heeded.yes').waitFor();
  expect(await rowsOf(page).getByText('heeded.not').count()).toBe(0);
  await close();
});

test('the server gone and back: the list says so, what is shown stays, and all goes on', async () => {
  const { page, close } = await house.open('?live=1');
  await page.locator('.lamp[data-state=live]').waitFor();
  await page.route('**/graphql', (route) => route.abort());
  await page.getByRole('grid').evaluate((grid) => grid.scrollTo(0, 4_000));
  await page.getByText('The next entries could not be loaded.').waitFor();
  expect(await rowsOf(page).count()).toBeGreaterThan(10);
  await page.getByRole('button', { name: '7 days' }).click();
  await page.getByText('The audit log could not be reached. Check your connection.').first().waitFor();
  await page.unroute('**/graphql');
  await page.locator('.state').getByRole('button', { name: 'Try again' }).click();
  await rowsOf(page).first().waitFor();
  await page.route('**/graphql', (route) => route.abort());
  await page.getByRole('button', { name: '30 days' }).click();
  await page.locator('.state').getByRole('button', { name: 'Try again' }).waitFor();
  await page.unroute('**/graphql');
  // It comes back without being asked, too.
  await rowsOf(page).first().waitFor();
  await close();
});

test('a token that runs out: a dialog takes a new one, and nothing of the view is lost', async () => {
  const short = await new SignJWT({
    email: 'ana@example.com',
    grants: [{ action: 'reel.logs.view', scope: 'ACCOUNT', tenant_id: TENANT, client_id: null }],
  })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(ANA)
    .setIssuedAt()
    .setExpirationTime('4s')
    .sign(new TextEncoder().encode(JWT_SECRET));
  const { page, close } = await house.open('?q=module:billing', { token: short });
  await page.getByRole('gridcell', { name: 'invoices.delete' }).click();
  const dialog = page.getByRole('dialog', { name: 'Your session has ended' });
  await dialog.waitFor();
  await dialog.getByText('ana@example.com').waitFor();
  await page.getByText('invoices.delete').first().waitFor();
  await dialog.getByRole('textbox').fill(house.token);
  await page.keyboard.press('Enter');
  await expect.poll(() => dialog.count()).toBe(0);
  await page.getByRole('complementary', { name: 'Log details' }).getByText('invoice-7').first().waitFor();
  expect(page.url()).toContain('?q=module:billing&entry=');
  await expect.poll(() => rowsOf(page).count()).toBeGreaterThan(10);
  await close();
});

test('a person without a grant is told what can be done', async () => {
  const none = await new SignJWT({ email: 'eve@example.com', tenants: [TENANT], grants: [] })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(ANA)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(JWT_SECRET));
  const { page, close } = await house.open('', { token: none });
  await page.getByText('You may not view these entries').waitFor();
  await page.locator('.state .said', { hasText: 'reel.logs.view' }).waitFor();
  await close();
});
