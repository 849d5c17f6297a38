import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sentenceOf, textOf } from '../../web/stage/entry/sentence.js';
import { runCommand } from '../support/cli.js';
import { moduleToken } from '../support/reel.js';
import {
  ANA,
  REQUEST,
  rowsOf,
  searchParams,
  startViewer,
  type TestViewer,
  writeSampleEntries,
} from '../support/viewer.js';

let viewer: TestViewer;
let changed: string;

beforeAll(async () => {
  viewer = await startViewer();
  ({ changed } = await writeSampleEntries(viewer));
});
afterAll(() => viewer?.close());

const english = JSON.parse(
  await readFile(join(import.meta.dirname, '..', '..', 'web', 'stage', 'locales', 'en.json'), 'utf8'),
);
const found = (key: string): unknown =>
  key.split('.').reduce((at, step) => at?.[step], {
    ...english,
    reel: { actorTypes: { SYSTEM: 'System', USER: 'Person' } },
  });
const words = {
  t: (key: string, named: Record<string, string> = {}) =>
    Object.entries(named).reduce(
      (text, [name, value]) => text.replaceAll(`{${name}}`, value),
      String(found(key)),
    ),
  te: (key: string) => typeof found(key) === 'string',
  described: null,
};

const ENTRY = {
  action: 'invoices.delete',
  actorId: 'auth0|5f1',
  actorEmail: 'tom@example.com',
  actorName: 'Tom Becker',
  actorType: 'USER' as const,
  onBehalfOfId: null,
  onBehalfOfName: null,
  resourceType: 'invoice',
  resourceId: '4711',
  resourceName: null,
  outcome: null,
};

test.each([
  [{}, 2, 'Tom Becker deleted invoice/4711.'],
  [{ action: 'invoices.deleted', resourceName: 'Invoice 4711' }, 2, 'Tom Becker deleted Invoice 4711.'],
  [
    { onBehalfOfId: 'c', onBehalfOfName: 'Helena' },
    2,
    'Tom Becker, acting for Helena, deleted invoice/4711.',
  ],
  [{ onBehalfOfId: 'c' }, 1, 'c, acting for Tom Becker, deleted invoice/4711.'],
  [{ onBehalfOfId: 'c' }, null, 'Tom Becker and c, one acting for the other, deleted invoice/4711.'],
  [{ outcome: 'DENIED' as const }, 2, 'Tom Becker deleted invoice/4711, which was denied.'],
  [{ action: 'users.login', resourceType: null, resourceId: null }, 2, 'Tom Becker signed in.'],
  [{ action: 'invoices.teleport' }, 2, 'Tom Becker did invoices.teleport on invoice/4711.'],
  [
    {
      action: 'jobs.run',
      actorId: null,
      actorEmail: null,
      actorName: null,
      actorType: 'SYSTEM' as const,
      resourceType: null,
      resourceId: null,
    },
    2,
    'System did jobs.run.',
  ],
  [{ actorName: '{resource}' }, 2, '{resource} deleted invoice/4711.'],
])('%j is told', (change, leafVersion, expected) => {
  expect(textOf(sentenceOf({ ...ENTRY, ...change }, { ...words, leafVersion }))).toBe(expected);
});

test.each([
  [{}, 'Deleted an invoice', 'Tom Becker: Deleted an invoice (invoice/4711).'],
  [
    { onBehalfOfId: 'c', onBehalfOfName: 'Helena' },
    'Deleted an invoice.',
    'Tom Becker, acting for Helena: Deleted an invoice (invoice/4711).',
  ],
  [
    { resourceType: null, resourceId: null, outcome: 'DENIED' as const },
    'Asked for {resource}',
    'Tom Becker: Asked for {resource}, which was denied.',
  ],
  [{}, '  ', 'Tom Becker deleted invoice/4711.'],
])('%j is told in the words of its registered action %j', (change, described, expected) => {
  const parts = sentenceOf({ ...ENTRY, ...change }, { ...words, described, leafVersion: 2 });
  expect(textOf(parts)).toBe(expected);
  // What a module registered is shown as text from outside, too.
  expect(parts.some(({ kind }) => kind === 'described')).toBe(described.trim() !== '');
});

test('registered actions are completed with what they say, and head their entries', async () => {
  const { body } = await viewer.reel.graphql(
    await moduleToken('billing'),
    'mutation ($actions: [RegisterActionInput!]!) { registerActions(actions: $actions) { action } }',
    {
      actions: [
        { action: 'invoices.archive', version: 1, description: 'Put an invoice away' },
        { action: 'invoices.waive', version: 1, description: 'Waived a debt <b>' },
      ],
    },
  );
  expect(body.errors).toBeUndefined();
  const { page, close } = await viewer.open();
  const box = page.getByRole('combobox', { name: 'Query' });
  await box.pressSequentially('action:waived');
  await page.getByRole('option', { name: /action:invoices.waive.*Waived a debt <b>/ }).waitFor();
  await box.fill('');
  // Found by what it says as by its name, with how often it occurs.
  await box.pressSequentially('action:put');
  await page.getByRole('option', { name: /action:invoices.archive.*Put an invoice away.*1$/ }).click();
  expect(await box.inputValue()).toBe('action:invoices.archive');
  await page.keyboard.press('Enter');
  await rowsOf(page).first().locator('[data-column=action]').click();
  await page
    .getByRole('complementary', { name: 'Log details' })
    .getByRole('heading', { name: 'System: Put an invoice away.' })
    .waitFor();
  await close();
});

test('around an entry: what the person, the resource, the address and the request did, and the way back', async () => {
  const { page, watched, close } = await viewer.open(`?q=action:invoices.delete&entry=${changed}`);
  const details = page.getByRole('complementary', { name: 'Log details' });
  await details.getByRole('link', { name: 'This person' }).waitFor();
  await details.getByRole('radio', { name: '5 minutes' }).check();
  await details.getByRole('link', { name: 'This person' }).click();
  await expect.poll(() => searchParams(page).get('q')).toBe(`actor:${ANA}`);
  const [from, to] = ['from', 'to'].map((name) => Date.parse(searchParams(page).get(name)!));
  expect(to! - from!).toBe(600_000);
  await page.getByRole('list', { name: 'Conditions' }).getByText('Ana Souza').waitFor();
  await details.getByRole('link', { name: 'This request' }).click();
  await expect.poll(() => searchParams(page).get('q')).toBe(`request:${REQUEST}`);
  await expect.poll(() => rowsOf(page).count()).toBe(2);
  await page.getByRole('button', { name: 'Back to where you were' }).click();
  await expect.poll(() => searchParams(page).get('q')).toBe('action:invoices.delete');
  expect(searchParams(page).has('from')).toBe(false);
  expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
  await close();
});

test('a row is a link that opens in a tab of its own, signed in', async () => {
  const { page, close } = await viewer.open('?q=action:invoices.delete');
  const link = rowsOf(page).first().getByRole('link');
  expect(await link.getAttribute('href')).toBe(`/?q=action:invoices.delete&entry=${changed}`);
  const [tab] = await Promise.all([
    page.context().waitForEvent('page'),
    link.click({ modifiers: ['Control'] }),
  ]);
  await tab.getByRole('complementary', { name: 'Log details' }).getByText('Ana Souza').first().waitFor();
  expect(await tab.title()).toBe('action:invoices.delete · Reel');
  const [other] = await Promise.all([
    page.context().waitForEvent('page'),
    rowsOf(page)
      .first()
      .locator('[data-column=actor]')
      .click({ modifiers: ['Control'] }),
  ]);
  await other.getByRole('complementary', { name: 'Log details' }).waitFor();
  expect(searchParams(page).has('entry')).toBe(false);
  await close();
});

test('the proof is saved as a file, which the command checks without the server', async () => {
  const { page, close } = await viewer.open(`?entry=${changed}`);
  const details = page.getByRole('complementary', { name: 'Log details' });
  await details.getByText('Unchanged since it was sealed').waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    details.getByRole('button', { name: 'Save the proof' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe(`entry-${changed}.ndjson`);
  const file = await download.path();
  const keys = `${file}.keys`;
  await writeFile(keys, await (await fetch(`${viewer.reel.url}/.well-known/reel-keys`)).text());
  const { code, stdout } = await runCommand(['verify', '--export', file, '--key', keys]);
  expect(stdout).toContain('ok');
  expect(code).toBe(0);
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('"deleted"', '"kept"'));
  expect((await runCommand(['verify', '--export', file, '--key', keys])).code).not.toBe(0);
  await close();
});

/** Support deleted a customer's invoice while acting for them, among the other entries of a week. */
async function writeDeletion() {
  const [tom, helena, request] = [randomUUID(), randomUUID(), randomUUID()];
  const acting = {
    actorId: tom,
    actorName: 'Tom Becker',
    onBehalfOfId: helena,
    onBehalfOfName: 'Helena Prado',
  };
  const invoice = { resourceType: 'invoice', resourceId: '4711', resourceName: 'Invoice 2026-4711' };
  await viewer.write([
    { ...acting, action: 'sessions.impersonate', requestId: request },
    {
      ...{ ...acting, ...invoice, module: 'billing', action: 'invoices.delete', requestId: request },
      data: { before: { number: '2026-4711', amount: 18_250.4 }, reason: 'duplicate' },
    },
    { ...acting, module: 'billing', action: 'invoices.view', requestId: request },
    ...Array.from({ length: 30 }, () => ({ module: 'aurora', action: 'documents.delete' })),
  ]);
}

test.each([
  ['on a laptop', { width: 1440, height: 900 }],
  ['on a phone', { width: 390, height: 844 }],
])(
  'who deleted an invoice for a customer, what was in it, what else they did, proved and sent on, %s',
  async (_, viewport) => {
    await writeDeletion();
    const { page, watched, close } = await viewer.open('', {
      viewport,
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    // Whatever word comes to mind first.
    await page.getByRole('combobox', { name: 'Query' }).fill('invoice delete');
    await page.keyboard.press('Enter');
    await page.getByText('Tom Becker for Helena Prado').first().click();
    const details = page.getByRole('complementary', { name: 'Log details' });
    await details
      .getByRole('heading', { name: 'Tom Becker, acting for Helena Prado, deleted Invoice 2026-4711.' })
      .waitFor();
    const removed = details.getByRole('region', { name: 'Changes' });
    await removed.getByText('18250.4').waitFor();
    await details.getByText('What was removed: 2 values').waitFor();
    expect(await removed.getByRole('columnheader').allTextContents()).toEqual(['Field', 'Before']);
    await details.getByText('Unchanged since it was sealed').waitFor();
    const [proof] = await Promise.all([
      page.waitForEvent('download'),
      details.getByRole('button', { name: 'Save the proof' }).click(),
    ]);
    expect(proof.suggestedFilename()).toMatch(/^entry-.+\.ndjson$/);
    await details.getByRole('button', { name: 'Copy a link to this entry' }).click();
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain('entry=');
    // Where the details cover the list, they say so themselves.
    const told = viewport.width < 960 ? details : page;
    await told.getByRole('status').getByText('Link copied').waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    await details.getByRole('link', { name: 'This person Tom Becker' }).click();
    // The list answers where it is seen: on a phone in place of the details.
    const shown = page.getByRole('grid').getByText('invoices.view');
    await shown.first().click({ trial: true });
    await page.getByRole('list', { name: 'Conditions' }).getByText('Tom Becker').waitFor();
    await page.getByRole('button', { name: 'Back to where you were' }).click();
    await details.getByText('Unchanged since it was sealed').waitFor();
    expect(searchParams(page).get('q')).toBe('invoice delete');

    const colleague = await viewer.open(new URL(link).search, { viewport });
    await colleague.page
      .getByRole('heading', { name: 'Tom Becker, acting for Helena Prado, deleted Invoice 2026-4711.' })
      .waitFor();
    await colleague.page.getByText('Unchanged since it was sealed').waitFor();
    await colleague.close();
    expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
    await close();
  },
);
