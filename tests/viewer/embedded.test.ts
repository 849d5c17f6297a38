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
    const page = await readFile(PAGE, 'utf8');
    return response
      .setHeader('Content-Type', 'text/html')
      .end(page.replace("new URL('/audit/', location.href)", `new URL('${viewer.reel.url}/')`));
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

test('no other origin may show it', async () => {
  const { headers } = await fetch(viewer.reel.url);
  expect(headers.get('content-security-policy')).toContain(`frame-ancestors ${origin}`);
  expect(headers.get('x-frame-options')).toBeNull();
});
