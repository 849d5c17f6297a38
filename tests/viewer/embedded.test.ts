import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { JWT_SECRET } from '../support/reel.js';
import { ANA, startViewer, TENANT, type TestViewer, writeSampleEntries } from '../support/viewer.js';

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'examples', 'frame.html');

let host: Server;
let origin: string;
let viewer: TestViewer;
/** How long the tokens are good for that the host gives, in turn. */
const lifetimes = [5, 600];
const given: string[] = [];

const tokenFor = (seconds: number) =>
  new SignJWT({
    email: 'ana@example.com',
    grants: [{ action: 'reel.logs.view', scope: 'ACCOUNT', tenant_id: TENANT, client_id: null }],
  })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(ANA)
    .setIssuedAt()
    .setExpirationTime(`${seconds}s`)
    .sign(new TextEncoder().encode(JWT_SECRET));

beforeAll(async () => {
  host = createServer(async ({ url }, response) => {
    if (url === '/audit-token') {
      given.push(await tokenFor(lifetimes[given.length] ?? 600));
      return response.end(given.at(-1));
    }
    const page = (await readFile(PAGE, 'utf8')).replace(
      "new URL('/audit/', location.href)",
      `new URL('${viewer.reel.url}/')`,
    );
    return response
      .setHeader('Content-Type', 'text/html')
      .end(url === '/views' ? page.replace('hide=search,export,views', 'hide=search,export') : page);
  });
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(host.address() as AddressInfo).port}`;
  viewer = await startViewer({ REEL_ALLOWED_ORIGINS: origin });
  await writeSampleEntries(viewer);
});
afterAll(async () => {
  await viewer?.close();
  host?.close();
});

test("in a host's frame it shows a fixed query and chosen parts, keeps its token in memory, and takes new ones", async () => {
  const page = await viewer.browser.newPage({ viewport: { width: 1280, height: 800 } });
  const sent = new Set<string | undefined>();
  page.on('request', (request) => sent.add(request.headers().authorization));
  await page.goto(origin);
  const inside = page.frameLocator('iframe');
  await inside.locator('[data-row]').first().waitFor();
  expect(await inside.locator('[data-row="0"] [data-column=module]').textContent()).toBe('billing');
  expect(await inside.getByRole('combobox', { name: 'Query' }).count()).toBe(0);
  for (const name of ['Export', 'Views', 'Copy link'])
    expect(await inside.getByRole('button', { name }).count(), name).toBe(0);
  await inside.getByRole('button', { name: /^Time range/ }).waitFor();
  expect(await inside.locator('html').getAttribute('data-theme')).toBe('light');
  const child = page.frames()[1]!;
  expect(child.url()).not.toContain('token');
  expect(
    await child.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }])),
  ).not.toContain(given[0]!);
  // When the token has run out, the host is asked, and no dialog stands in its page.
  await expect.poll(() => sent.has(`Bearer ${given[1]}`), { timeout: 30_000 }).toBe(true);
  expect(await inside.getByRole('dialog').count()).toBe(0);
  await inside.locator('[data-row]').first().waitFor();
  await page.close();
});

test("in a host's frame views are saved, opened and removed, and stay through a reload, which asks for a new token", async () => {
  const page = await viewer.browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(60_000);
  const watched = { errors: [] as string[] };
  page.on('pageerror', ({ message }) => watched.errors.push(message));
  await page.goto(`${origin}/views`);
  const inside = page.frameLocator('iframe');
  const child = () => new URL(page.frames()[1]!.url());
  const rows = inside.locator('[data-row]');
  await rows.first().waitFor();
  const button = inside.getByRole('button', { name: /^Views/ });
  const menu = inside.getByRole('dialog', { name: 'Views' });
  await button.click();
  await menu.getByRole('button', { name: 'Save this view' }).click();
  await inside.getByRole('textbox', { name: 'Name' }).fill('Of the frame');
  await inside.getByRole('button', { name: 'Save', exact: true }).click();
  await inside.getByRole('button', { name: 'Views: Of the frame' }).waitFor();
  expect([...child().searchParams.keys()]).toEqual(['v']);
  expect(child().hash).toMatch(/^#embed&hide=/);
  const before = given.length;
  await page.frames()[1]!.evaluate(() => location.reload());
  await inside.getByRole('button', { name: 'Views: Of the frame' }).waitFor();
  await rows.first().waitFor();
  expect(await rows.first().locator('[data-column=module]').textContent()).toBe('billing');
  expect(given.length).toBe(before + 1);
  await button.click();
  await menu.getByRole('link', { name: /Deletions this week/ }).click();
  await expect.poll(() => child().searchParams.get('q')).toBe('action:invoices.delete');
  await button.click();
  await menu.getByRole('link', { name: /Of the frame/ }).click();
  await expect.poll(() => child().searchParams.has('v')).toBe(true);
  await button.click();
  await menu.getByRole('button', { name: 'Remove Of the frame' }).click();
  await inside.getByRole('button', { name: 'Remove the view' }).click();
  await expect.poll(() => child().searchParams.has('v')).toBe(false);
  expect(child().hash).toMatch(/^#embed&hide=/);
  // The host's own page stays where it was.
  expect(page.url()).toBe(`${origin}/views`);
  expect(watched.errors).toEqual([]);
  await page.close();
});

test('no other origin may show it', async () => {
  const { headers } = await fetch(viewer.reel.url);
  expect(headers.get('content-security-policy')).toContain(`frame-ancestors ${origin}`);
  expect(headers.get('x-frame-options')).toBeNull();
});
