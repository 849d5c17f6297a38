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
export const SCRIPT = '<img src=x onerror="document.title=\'broken in\'"><b>bold</b>';
const SEVERITIES = ['INFO', 'INFO', 'DEBUG', 'INFO', 'WARNING', 'INFO', 'ERROR', 'INFO', 'CRITICAL', 'INFO'];

export interface Opened {
  page: Page;
  watched: Watched;
  /** Opens another address in the same tab. */
  go(search: string): Promise<void>;
  close(): Promise<void>;
}

export interface StageHouse {
  reel: TestReel;
  browser: Browser;
  /** Views the tenant and exports both clients. */
  token: string;
  /** The viewer, signed in unless the token is null, as soon as rows, a state or the way in show. */
  open(search?: string, options?: BrowserContextOptions & { token?: string | null }): Promise<Opened>;
  /** Stores entries as modules do; answers their ids once they are sealed. */
  write(entries: object[]): Promise<string[]>;
  close(): Promise<void>;
}

export async function openStage(settings: Record<string, string> = {}): Promise<StageHouse> {
  const [reel, browser] = await Promise.all([startReel(settings), launchBrowser()]);
  const token = await viewerToken();
  const module = await moduleToken();
  return {
    reel,
    browser,
    token,
    async open(search = '', { token: own = token, ...options } = {}) {
      const context = await browser.newContext({
        viewport: { width: 1280, height: 800 },
        locale: 'en-US',
        timezoneId: 'America/Sao_Paulo',
        ...options,
      });
      const page = await context.newPage();
      page.setDefaultTimeout(8_000);
      const watched = watchPage(page, reel.url);
      const go = async (to: string) => {
        await page.goto(`${reel.url}/${to}${own ? `#token=${own}` : ''}`);
        await page.locator('[data-row], .state:not(.loading), .sign-in').first().waitFor();
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
        { timeout: 10_000, interval: 50 },
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
      tenant(`reel.logs.export:CLIENT:${CLIENT}`),
      tenant(`reel.logs.export:CLIENT:${OTHER_CLIENT}`),
    ],
  });
}

/** A trail of 240 entries: four modules, all severities, two clients, and among the newest some with a story. */
export async function writeTrail(house: StageHouse): Promise<{ changed: string; scripted: string }> {
  await house.write(
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
  const [changed, , scripted] = await house.write([
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

/** Half of what the package itself hands out as its source, and read anew in every page. */
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core finds against WCAG 2.2 AA, a line each; with `rules`, by these alone. */
export async function faultsOf(page: Page, rules?: string[]): Promise<string[]> {
  // Run by the debugger, which the page's Content-Security-Policy does not bind.
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

export const rowsOf = (page: Page) => page.locator('[role=grid] [data-row]');
export const search = (page: Page) => new URL(page.url()).searchParams;
