import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../src/database/connect.js';
import { INPUT_NAMES } from '../../src/log/entry/check-entry.js';
import { snake } from '../../src/log/entry/fields.js';
import { storeFirstVersion } from '../support/first-version.js';
import {
  axeViolations,
  rowsOf,
  searchParams,
  startViewer,
  TENANT,
  type TestViewer,
} from '../support/viewer.js';

const TOM = 'auth0|5f1 "tom"';
const HELENA = '6f2b4c0e-0000-4000-8000-0000000000d1';
const CAIO = '6f2b4c0e-0000-4000-8000-0000000000d2';

const MANY = Object.fromEntries(Array.from({ length: 260 }, (_, index) => [`key${index}`, index]));

let viewer: TestViewer;
let ids: string[];
let firstId: string;

beforeAll(async () => {
  viewer = await startViewer();
  const database = await connect(viewer.reel.own.runtimeUrl);
  await storeFirstVersion(database, [
    {
      module: 'billing',
      action: 'invoices.first',
      tenantId: TENANT,
      actorId: HELENA,
      actorName: 'Helena Prado',
      onBehalfOfId: CAIO,
    },
  ]);
  await database.close();
  ids = await viewer.write([
    {
      action: 'invoices.cancel',
      actorId: TOM,
      actorName: 'Tom Becker',
      actorType: 'AGENT',
      onBehalfOfId: HELENA,
      onBehalfOfName: 'Helena Prado',
      resourceType: 'invoice',
      resourceId: '4711',
      resourceName: 'Invoice 4711 of Padaria Aurora',
      outcome: 'DENIED',
      requestId: 'a request',
      userAgent: 'x'.repeat(1001),
      repair: true,
    },
    { action: 'invoices.view', actorType: 'ANONYMOUS' },
    { action: 'jobs.run' },
    { action: 'jobs.own', actorId: '__proto__', actorName: 'Olga' },
    { action: 'jobs.other', actorEmail: 'ana@example.com' },
    { action: 'invoices.delegated', actorId: TOM, onBehalfOfId: HELENA },
    { action: 'settings.import', data: { before: null, after: MANY } },
  ]);
  const { body } = await viewer.reel.graphql(viewer.token, '{ logs(first: 100) { nodes { id action } } }');
  firstId = body.data.logs.nodes.find(({ action }: { action: string }) => action === 'invoices.first').id;
});
afterAll(() => viewer?.close());

const messages = (path: string, lang: string) =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, '..', '..', 'web', path, 'locales', `${lang}.json`), 'utf8'),
  );

describe.each(['en', 'pt-BR'])('in %s', (lang) => {
  const { columns, outcomes, actorTypes } = messages('reel', lang).reel;
  const { list, details: words, proof, story } = messages('stage', lang);
  const verdict = proof.valid.split(':')[0];
  const acting = (who: string, behalf: string) =>
    story.acting.replace('{who}', who).replace('{behalf}', behalf);
  const actingFor = list.actingFor.replace('{name}', 'Helena Prado');

  test('the details say who acted for whom, how it ended, and what was mended', async () => {
    const { page, watched, close } = await viewer.open(`?lang=${lang}&entry=${ids[0]}`);
    const details = page.locator('.details');
    await details.getByText(verdict).waitFor();
    expect(await details.locator('h2').textContent()).toBe(
      `${acting('Tom Becker', 'Helena Prado')} ${story.verbs.cancel} Invoice 4711 of Padaria Aurora${story.ended.DENIED}.`,
    );
    const field = (label: string) =>
      details
        .locator('.entry-field')
        .filter({ has: page.getByText(label, { exact: true }) })
        .locator('.value')
        .textContent();
    expect(await field(columns.actor_id)).toBe(TOM);
    expect(await field(columns.actor_type)).toBe(actorTypes.AGENT);
    expect(await field(columns.on_behalf_of_name)).toBe('Helena Prado');
    expect(await field(columns.on_behalf_of_id)).toBe(HELENA);
    expect(await field(columns.resource_name)).toBe('Invoice 4711 of Padaria Aurora');
    expect(await field(columns.outcome)).toBe(outcomes.DENIED);
    expect(await field(columns.repaired)).toBe(columns.user_agent);
    expect(await axeViolations(page)).toEqual([]);
    expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
    await close();
  });

  test('of an entry of leaf version 1 they say that it is the other way round', async () => {
    const { page, close } = await viewer.open(`?lang=${lang}&entry=${firstId}`);
    const details = page.locator('.details');
    await details.getByText(verdict).waitFor();
    expect(await details.locator('h2').textContent()).toContain(acting(CAIO, 'Helena Prado'));
    await details.getByText(words.reallyActing, { exact: true }).waitFor();
    expect(await details.getByText(columns.outcome, { exact: true }).count()).toBe(0);
    await close();
  });

  test('the details say how many changes there are beside those that they list', async () => {
    const { page, close } = await viewer.open(`?lang=${lang}&entry=${ids.at(-1)}`);
    const listed = words.changesOf.replace('{n}', '200').replace('{total}', '260');
    await page.locator('.details').getByText(listed, { exact: true }).waitFor();
    expect(await page.locator('.details tbody tr').count()).toBe(200);
    await close();
  });

  test('the list says who acted, without claiming what a row does not tell', async () => {
    const { page, close } = await viewer.open(`?lang=${lang}`);
    const actor = (action: string) =>
      rowsOf(page)
        .filter({ has: page.getByText(action, { exact: true }) })
        .locator('[data-column=actor]')
        .textContent();
    expect(await actor('invoices.cancel')).toBe(`Tom Becker ${actingFor}`);
    // Columns have the room that their texts need.
    const cell = rowsOf(page).locator('[data-column=actor]', { hasText: actingFor });
    expect(await cell.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)).toBe(0);
    expect(await actor('invoices.delegated')).toBe(`${list.delegated}${TOM}`);
    expect(await actor('invoices.first')).toBe(`${list.delegated}Helena Prado`);
    expect(await actor('invoices.view')).toBe(actorTypes.ANONYMOUS);
    expect(await actor('jobs.run')).toBe(actorTypes.SYSTEM);
    expect(await actor('jobs.other')).toBe('ana@example.com');
    await close();
  });
});

test('ids of actors may be any text, and are shown by name in the breakdown', async () => {
  const { page, watched, close } = await viewer.open();
  const breakdown = page.getByRole('complementary', { name: 'Breakdown' });
  for (const name of ['Helena Prado', 'Olga', 'System or unnamed', 'ana@example.com', 'Denied', 'Not given'])
    await breakdown.getByText(name, { exact: true }).waitFor();
  await breakdown.getByText('Tom Becker', { exact: true }).waitFor();
  await breakdown.getByRole('button', { name: /^Denied/ }).click();
  await expect.poll(() => searchParams(page).get('q')).toBe('outcome:denied');
  await breakdown.getByRole('button', { name: /^Denied/ }).click();
  await breakdown.getByRole('button', { name: /^ana@example.com/ }).click();
  await expect.poll(() => searchParams(page).get('q')).toBe('actor:ana@example.com');
  await expect.poll(() => rowsOf(page).count()).toBe(1);
  await breakdown.getByRole('button', { name: /^ana@example.com/ }).click();
  await breakdown.getByRole('button', { name: /^Helena Prado/ }).click();
  await expect.poll(() => searchParams(page).get('q')).toBe(`actor:${HELENA}`);
  expect(watched.errors).toEqual([]);
  await close();
});

test('every field that may be mended at entry has a name in both languages', () => {
  for (const lang of ['en', 'pt-BR'])
    for (const name of INPUT_NAMES.filter((each) => each !== 'repair' && each !== 'idempotencyKey'))
      expect(messages('reel', lang).reel.columns, lang).toHaveProperty(snake(name));
});
