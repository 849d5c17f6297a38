import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { vi } from 'vitest';
import { launchBrowser, type Watched, watchPage } from './browser.js';
import { grant, moduleToken, person, startReel, type TestReel } from './reel.js';

export const TENANT = '6f2b4c0e-0000-4000-8000-0000000000a1';
export const CLIENT = '6f2b4c0e-0000-4000-8000-0000000000c1';
export const OTHER_CLIENT = '6f2b4c0e-0000-4000-8000-0000000000c2';
export const REQUEST = '6f2b4c0e-0000-4000-8000-0000000000e1';
export const ANA = '6f2b4c0e-0000-4000-8000-0000000000b1';
export const SCRIPT = '<img src=x onerror="document.title=\'script ran\'"><b>bold</b>';
const SEVERITIES = ['INFO', 'INFO', 'DEBUG', 'INFO', 'WARNING', 'INFO', 'ERROR', 'INFO', 'CRITICAL', 'INFO'];

export interface OpenPage {
  page: Page;
  watched: Watched;
  /** Opens another URL in the same tab. */
  go(search: string): Promise<void>;
  close(): Promise<void>;
}

export interface TestViewer {
  reel: TestReel;
  browser: Browser;
  /** May view the tenant and export both clients. */
  token: string;
  /** Opens the viewer, signed in unless the token is null, and waits for rows, a list state or the sign-in page. */
  open(search?: string, options?: BrowserContextOptions & { token?: string | null }): Promise<OpenPage>;
  /** Stores entries as a module does. Resolves with their ids once they are sealed. */
  write(entries: object[]): Promise<string[]>;
  close(): Promise<void>;
}

export async function startViewer(settings: Record<string, string> = {}): Promise<TestViewer> {
  const [reel, browser] = await Promise.all([startReel(settings), launchBrowser()]);
  const token = await viewerToken();
  const module = await moduleToken();
  return {
    reel,
    browser,
    token,
    async open(search = '', { token: pageToken = token, ...options } = {}) {
      const context = await browser.newContext({
        viewport: { width: 1280, height: 800 },
        locale: 'en-US',
        timezoneId: 'America/Sao_Paulo',
        ...options,
      });
      // A bound for what hangs, not for what is slow.
      context.setDefaultTimeout(60_000);
      const page = await context.newPage();
      const watched = watchPage(page, reel.url);
      const go = async (to: string) => {
        await page.goto(`${reel.url}/${to}${pageToken ? `#token=${pageToken}` : ''}`);
        await page.locator('[data-row], .state:not(.loading), .sign-in, .streams').first().waitFor();
      };
      await go(search);
      return { page, watched, go, close: () => context.close() };
    },
    async write(entries) {
      const { body } = await reel.graphql(
        module,
        'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
        {
          inputs: entries.map((entry) => ({
            module: 'guardian',
            action: 'users.login',
            tenantId: TENANT,
            ...entry,
          })),
        },
      );
      const ids: string[] = body.data.createLogs.map(({ id }: { id: string }) => id);
      await vi.waitUntil(
        async () => {
          const { body } = await reel.graphql(token, '{ logs(first: 1) { nodes { sequence } } }');
          return body.data.logs.nodes[0].sequence !== null;
        },
        { timeout: 60_000, interval: 50 },
      );
      return ids;
    },
    async close() {
      await browser.close();
      await reel.close();
    },
  };
}

export function viewerToken(): Promise<string> {
  const tenant = (text: string) => grant(TENANT, text);
  return person({
    id: ANA,
    name: 'Ana Souza',
    grants: [
      tenant('reel.logs.view:ACCOUNT'),
      { ...tenant(`reel.logs.export:CLIENT:${CLIENT}`), clientName: 'Loja Centro' },
      tenant(`reel.logs.export:CLIENT:${OTHER_CLIENT}`),
    ],
  });
}

/** 240 entries of four modules, all severities and two clients. The newest have changes, a shared request and HTML in every field. */
export async function writeSampleEntries(viewer: TestViewer): Promise<{ changed: string; scripted: string }> {
  await viewer.write(
    Array.from({ length: 236 }, (_, index) => ({
      module: ['guardian', 'aurora', 'billing', 'matrix'][index % 4],
      action: ['users.login', 'documents.view', 'invoices.issue', 'jobs.run'][index % 4],
      severity: SEVERITIES[Math.floor(index / 4) % 10],
      clientId: index % 2 ? CLIENT : OTHER_CLIENT,
      ...(index % 4 < 3 && { actorId: ANA, actorName: 'Ana Souza', actorEmail: 'ana@example.com' }),
      resourceType: 'document',
      resourceId: `document-${index}`,
      data: { number: index, nested: { list: [1, 2, { deep: true }], text: `text ${index}` } },
    })),
  );
  const [changed, , scripted] = await viewer.write([
    {
      module: 'billing',
      action: 'invoices.delete',
      severity: 'WARNING',
      clientId: CLIENT,
      actorId: ANA,
      actorName: 'Ana Souza',
      actorEmail: 'ana@example.com',
      onBehalfOfId: randomUUID(),
      resourceType: 'invoice',
      resourceId: 'invoice-7',
      ipAddress: '10.1.2.3',
      userAgent: 'Tests/1.0',
      requestId: REQUEST,
      data: { before: { state: 'open', lines: [1] }, after: { state: 'deleted', reason: 'duplicate' } },
    },
    { module: 'billing', action: 'invoices.archive', clientId: CLIENT, requestId: REQUEST },
    {
      module: SCRIPT,
      action: SCRIPT,
      severity: 'ERROR',
      clientId: CLIENT,
      actorName: SCRIPT,
      actorEmail: `${SCRIPT}@example.com`,
      resourceType: SCRIPT,
      resourceId: SCRIPT,
      userAgent: SCRIPT,
      data: { [SCRIPT]: SCRIPT, before: { [SCRIPT]: SCRIPT }, after: { [SCRIPT]: `${SCRIPT}!` } },
    },
    {
      module: 'guardian',
      action: 'users.login',
      severity: 'INFO',
      clientId: CLIENT,
      actorId: ANA,
      actorName: 'Ana Souza',
    },
  ]);
  return { changed: changed!, scripted: scripted! };
}

/** The minified build: half of `axe.source`, which every page would parse anew. */
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Violations of WCAG 2.2 AA that axe-core finds, one a line; with `rules`, of these rules only. */
export async function axeViolations(page: Page, rules?: string[]): Promise<string[]> {
  // Evaluated through the debugger, which the page's Content-Security-Policy does not restrict.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE);
  return page.evaluate(async (only) => {
    const { axe: inPage } = globalThis as unknown as { axe: typeof axe };
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const { violations } = await inPage.run(document, {
      runOnly: only ?? tags,
      resultTypes: ['violations'],
    });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')} ${failureSummary}`),
    );
  }, rules);
}

/** Opens the popover of the time range, and chooses one there. */
export async function chooseRange(page: Page, name: string): Promise<void> {
  await page.locator('.range > button').click();
  await page.locator('.range .choices').getByRole('button', { name, exact: true }).click();
}

export const rowsOf = (page: Page) => page.locator('[role=grid] [data-row]');
export const searchParams = (page: Page) => new URL(page.url()).searchParams;
