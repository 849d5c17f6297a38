import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../src/database/connect.js';
import { EntryDocument } from '../../web/stage/generated.js';
import { canonicalJson, checkProof, type Mismatch, type ProvableEntry } from '../../web/stage/proof/check.js';
import { runCommand, settingsOf } from '../support/cli.js';
import { storeFirstVersion } from '../support/first-version.js';
import { axeViolations, startViewer, TENANT, type TestViewer } from '../support/viewer.js';

let viewer: TestViewer;
let ids: string[];
let keys: string;
/** Responses of the server: an entry with every field, one without data, an erased one, and three of leaf version 1. */
let full: ProvableEntry;
let bare: ProvableEntry;
let erased: ProvableEntry;
let first: ProvableEntry;
let firstErased: ProvableEntry;
let firstOfSystem: ProvableEntry;
let oldIds: string[];
const { subtle } = globalThis.crypto;

const ask = async (id: string): Promise<ProvableEntry> =>
  (await viewer.reel.graphql(viewer.token, EntryDocument, { id })).body.data.log;

beforeAll(async () => {
  viewer = await startViewer();
  ids = await viewer.write([
    ...Array.from({ length: 5 }, (_, index) => ({ resourceId: `${index}` })),
    {
      actorId: 'auth0|5f1 "é"',
      actorType: 'AGENT',
      actorName: 'Ana "Souza" é',
      actorEmail: 'Ana@Example.com',
      ipAddress: '2001:DB8::1',
      userAgent: 'Tests/1.0',
      onBehalfOfId: 'user:7',
      onBehalfOfName: 'Helena',
      resourceType: 'i'.repeat(101),
      resourceName: 'Invoice 4711',
      outcome: 'DENIED',
      repair: true,
      occurredAt: '2026-01-05T10:00:00.1Z',
      data: { z: [1.5, null, 'ü', 1e-7], '\u{1F600}': 1, ﬀ: { b: -0, a: true }, '': [] },
    },
    {
      action: 'users.erase',
      actorId: '6f2b4c0e-0000-4000-8000-0000000000d9',
      actorName: 'Bia',
      data: { a: 1 },
    },
    { action: 'users.last' },
  ]);
  const database = await connect(viewer.reel.own.runtimeUrl);
  const person = { module: 'guardian', action: 'users.login', tenantId: TENANT, actorName: 'Caio' };
  await storeFirstVersion(database, [
    { ...person, onBehalfOfId: ids[0]!, data: { a: 1 } },
    { ...person, resourceId: 'erased', data: { a: 1 } },
    { module: 'billing', action: 'jobs.run', tenantId: TENANT },
  ]);
  await database.close();
  // Waits until those are sealed too.
  await viewer.write([{ action: 'users.after' }]);
  const all = (
    await viewer.reel.graphql(
      viewer.token,
      '{ logs(first: 20) { nodes { id resourceId proof { leafVersion } } } }',
    )
  ).body.data.logs.nodes as { id: string; resourceId: string | null; proof: { leafVersion: number } }[];
  const old = all.filter(({ proof }) => proof.leafVersion === 1).reverse();
  expect(old.map(({ resourceId }) => resourceId)).toEqual([null, 'erased', null]);
  oldIds = old.map(({ id }) => id);
  const gone = await runCommand(
    ['erase', '--tenant', TENANT, '--reason', 'request 12', '--entry', ids[6]!],
    settingsOf(viewer.reel.own),
  );
  expect(gone).toMatchObject({ code: 0 });
  expect(
    await runCommand(
      ['erase', '--tenant', TENANT, '--reason', 'request 13', '--entry', oldIds[1]!],
      settingsOf(viewer.reel.own),
    ),
  ).toMatchObject({ code: 0 });
  keys = await (await fetch(`${viewer.reel.url}/.well-known/reel-keys`)).text();
  [full, bare, erased, first, firstErased, firstOfSystem] = (await Promise.all(
    [ids[5], ids[4], ids[6], ...oldIds].map((id) => ask(id!)),
  )) as [ProvableEntry, ProvableEntry, ProvableEntry, ProvableEntry, ProvableEntry, ProvableEntry];
  expect(full).toMatchObject({ repaired: ['resource_type'], proof: { leafVersion: 2 } });
});
afterAll(() => viewer?.close());

const check = (entry: ProvableEntry, by = keys) => checkProof(entry, by, subtle);
/** A copy of the entry with some fields of it, its proof or its checkpoint changed. */
const altered = (
  entry: ProvableEntry,
  change: Partial<ProvableEntry>,
  proof: Partial<NonNullable<ProvableEntry['proof']>> = {},
  checkpoint: Partial<NonNullable<ProvableEntry['proof']>['checkpoint']> = {},
): ProvableEntry => ({
  ...entry,
  ...change,
  proof: { ...entry.proof!, ...proof, checkpoint: { ...entry.proof!.checkpoint, ...checkpoint } },
});
const mismatchesOf = async (entry: ProvableEntry, by = keys): Promise<Mismatch[]> => {
  const result = await check(entry, by);
  return result.status === 'invalid' ? result.mismatches : [];
};

describe('a proof checked from the response', () => {
  test('is valid for an entry with data, without data, and erased, of either leaf version', async () => {
    for (const [entry, position, isErased] of [
      [full, 6, false],
      [bare, 5, false],
      [erased, 7, true],
      [first, 9, false],
      [firstErased, 10, true],
      [firstOfSystem, 11, false],
    ] as const)
      expect(await check(entry)).toEqual({
        status: 'valid',
        position,
        size: entry.proof!.checkpoint.treeSize,
        sealedAt: entry.proof!.checkpoint.sealedAt,
        key: expect.stringMatching(/^reel\.local\+[0-9a-f]{8}$/),
        isErased,
      });
    expect(erased).toMatchObject({ actorName: null, data: null, proof: { identitySalt: null } });
  });

  test('is invalid where any field of the entry was changed', async () => {
    const other = '6f2b4c0e-0000-4000-8000-00000000ffff';
    const leaf = ['id', 'module', 'action', 'actorId', 'onBehalfOfId', 'clientId', 'resourceType'] as const;
    for (const name of [...leaf, 'resourceId', 'requestId', 'occurredAt', 'createdAt'] as const)
      expect.soft(await mismatchesOf(altered(full, { [name]: other })), name).toEqual(['leaf', 'root']);
    expect(await mismatchesOf(altered(full, { severity: 'DEBUG' }))).toEqual(['leaf', 'root']);
    expect(await mismatchesOf(altered(full, { origin: 'BROWSER' }))).toEqual(['leaf', 'root']);
    expect(await mismatchesOf(altered(full, { tenantId: other }))).toEqual(['leaf', 'root', 'checkpoint']);
    expect(await mismatchesOf(altered(full, { outcome: 'SUCCESS' }))).toEqual(['leaf', 'root']);
    expect(await mismatchesOf(altered(full, { actorType: 'USER' }))).toEqual(['leaf', 'root']);
    expect(await mismatchesOf(altered(full, { repaired: [] }))).toEqual(['leaf', 'root']);
    const names = ['actorEmail', 'actorName', 'onBehalfOfName', 'resourceName'] as const;
    for (const name of [...names, 'ipAddress', 'userAgent'] as const) {
      expect.soft(await mismatchesOf(altered(full, { [name]: 'x' })), name).toEqual(['identity']);
      expect.soft(await mismatchesOf(altered(erased, { [name]: 'x' })), name).toEqual(['identity']);
    }
    for (const data of [null, {}, { ...full.data, z: [1.5, null, 'ü'] }])
      expect(await mismatchesOf(altered(full, { data }))).toEqual(['data']);
    expect(await mismatchesOf(altered(bare, { data: {} }))).toEqual(['data']);
    expect(await mismatchesOf(altered(erased, { data: { a: 1 } }))).toEqual(['data']);
    expect(await mismatchesOf(altered(full, { sequence: 5 }))).toEqual(['position']);
  });

  test('is invalid under another leaf version, and unchecked under one that is not known', async () => {
    expect(await mismatchesOf(altered(full, {}, { leafVersion: 1 }))).toEqual(['identity', 'leaf', 'root']);
    expect(await mismatchesOf(altered(first, {}, { leafVersion: 2 }))).toEqual(['identity', 'leaf', 'root']);
    for (const leafVersion of [0, 3])
      expect(await check(altered(full, {}, { leafVersion }))).toEqual({
        status: 'unchecked',
        missing: 'version',
      });
  });

  test('is invalid where an entry of leaf version 1 has what that does not seal', async () => {
    for (const entry of [first, firstErased, firstOfSystem]) {
      for (const name of ['onBehalfOfName', 'resourceName'] as const)
        expect(await mismatchesOf(altered(entry, { [name]: 'x' }))).toEqual(['identity']);
      expect(await mismatchesOf(altered(entry, { outcome: 'SUCCESS' }))).toEqual(['leaf']);
      expect(await mismatchesOf(altered(entry, { repaired: ['data'] }))).toEqual(['leaf']);
      expect(await mismatchesOf(altered(entry, { actorType: 'AGENT' }))).toEqual(['leaf']);
    }
    expect(await mismatchesOf(altered(first, { actorType: 'SYSTEM' }))).toEqual(['leaf']);
    expect(await mismatchesOf(altered(firstOfSystem, { actorType: 'USER' }))).toEqual(['leaf']);
  });

  test('is invalid where salts are withheld, or an erasure is only claimed', async () => {
    expect(await mismatchesOf(altered(full, { actorName: 'x' }, { identitySalt: null }))).toEqual([
      'identity',
    ]);
    expect(await mismatchesOf(altered(full, { data: { x: 1 } }, { dataSalt: null }))).toEqual(['data']);
    expect(await mismatchesOf(altered(full, { data: null }, { dataSalt: null }))).toEqual(['data']);
    expect(await mismatchesOf(altered(full, { erasedAt: full.createdAt }))).toEqual(['identity', 'data']);
  });

  test('is invalid where any part of the proof was changed', async () => {
    const proof = full.proof!;
    const zero = Buffer.alloc(32).toString('base64');
    expect(await mismatchesOf(altered(full, {}, { leafHash: zero }))).toEqual(['leaf']);
    expect(await mismatchesOf(altered(full, {}, { leafIndex: 4 }))).toEqual(['position', 'root']);
    expect(await mismatchesOf(altered(full, {}, { identitySalt: zero }))).toEqual(['identity']);
    expect(await mismatchesOf(altered(full, {}, { dataSalt: 'no base64' }))).toEqual(['data']);
    expect(await mismatchesOf(altered(full, {}, { dataDigest: null }))).toEqual(['data', 'leaf', 'root']);
    for (const at of proof.path.keys())
      expect(await mismatchesOf(altered(full, {}, { path: proof.path.with(at, zero) }))).toEqual(['root']);
    for (const path of [[], proof.path.slice(1), [...proof.path, zero], [...proof.path].reverse()])
      expect(await mismatchesOf(altered(full, {}, { path }))).toEqual(['root']);
  });

  test('is invalid where any part of the checkpoint was changed', async () => {
    const { note, treeSize } = full.proof!.checkpoint;
    const zero = Buffer.alloc(32).toString('base64');
    const withCheckpoint = (change: object) => mismatchesOf(altered(full, {}, {}, change));
    expect(await withCheckpoint({ treeSize: treeSize + 1 })).toEqual(['checkpoint']);
    expect(await withCheckpoint({ rootHash: zero })).toEqual(['checkpoint']);
    expect(await withCheckpoint({ tenantId: ids[0]! })).toEqual(['checkpoint']);
    expect(await withCheckpoint({ sealedAt: full.createdAt })).toEqual(['checkpoint']);
    const [origin, size, root, sealed] = note.split('\n') as [string, string, string, string];
    for (const [line, instead] of [
      [origin, origin.replace('6f', '6e')],
      [size, `${treeSize + 1}`],
      [root, zero],
      [sealed, sealed.replace(/\dZ$/, (end) => (end === '1Z' ? '2Z' : '1Z'))],
    ] as const)
      expect.soft(await withCheckpoint({ note: note.replace(line, instead) }), line).toContain('signature');
    for (const said of [
      '',
      'no note',
      note.slice(0, -1),
      note.replace('— ', '- '),
      note.replace('\n\n', '\n'),
    ])
      expect.soft(await withCheckpoint({ note: said }), said).toContain('signature');
    const end = note.indexOf('— ');
    expect(
      await withCheckpoint({
        note: `${note.slice(0, end)}${note.slice(end).replace(/.{4}=/, (tail) => (tail === 'AAAA=' ? 'BBBA=' : 'AAAA='))}`,
      }),
    ).toEqual(['signature']);
  });

  test('is invalid under another key, and under a key whose id does not match', async () => {
    expect(await mismatchesOf(full, '')).toEqual(['signature']);
    expect(await mismatchesOf(full, keys.replace(/\+[0-9a-f]{8}\+/, '+00000000+'))).toEqual(['signature']);
    const [name, id, key] = keys.trim().split(/\+(.*?)\+(.*)/) as [string, string, string];
    const other = Buffer.concat([Buffer.of(1), Buffer.alloc(32, 7)]).toString('base64');
    expect(key).not.toBe(other);
    expect(await mismatchesOf(full, `${name}+${id}+${other}\n`)).toEqual(['signature']);
    // An additional, older key makes no difference.
    expect(await check(full, `${name}+${id}+${other}\n${keys}`)).toMatchObject({ status: 'valid' });
  });

  test('says what could not be checked, and still finds mismatches', async () => {
    const unsupported = () => Promise.reject(new DOMException('Ed25519', 'NotSupportedError'));
    const old = { digest: subtle.digest.bind(subtle), importKey: unsupported } as unknown as SubtleCrypto;
    expect(await checkProof(full, keys, old)).toEqual({ status: 'unchecked', missing: 'ed25519' });
    expect(await checkProof(altered(full, { action: 'x' }), keys, old)).toMatchObject({ status: 'invalid' });
    expect(await checkProof(full, keys, undefined)).toEqual({ status: 'unchecked', missing: 'crypto' });
    expect(await check({ ...full, proof: null })).toEqual({ status: 'unchecked', missing: 'proof' });
  });
});

test('canonical JSON is that of RFC 8785', () => {
  expect(
    canonicalJson(
      JSON.parse(
        '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001,-0],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false],"__proto__":1}',
      ),
    ),
  ).toBe(
    '{"__proto__":1,"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
  expect(canonicalJson({ '\u20ac': 1, '\r': 2, '\ufb33': 3, 1: 4, '\u{1F600}': 5, '\u0080': 6, ö: 7 })).toBe(
    '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"\u{1F600}":5,"\ufb33":3}',
  );
});

const messages = (name: string) =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, '..', '..', 'web', 'stage', 'locales', `${name}.json`), 'utf8'),
  ).proof;

/** The verdict on a valid proof, without its figures. */
const verdict = (lang: string): string => messages(lang).valid.split(':')[0];

/** Alters the response with the entry on its way to the page. */
const alterEntry = (page: Page, alter: (entry: ProvableEntry) => void) =>
  page.route('**/graphql', async (route) => {
    if (!route.request().postDataJSON().query.includes('query Entry')) return route.continue();
    const response = await route.fetch();
    const body = await response.json();
    alter(body.data.log);
    return route.fulfill({ response, json: body });
  });

describe('in the viewer', () => {
  test.each(['en', 'pt-BR'])('the proof of an entry is valid, %s', async (lang) => {
    const { page, watched, close } = await viewer.open(`?entry=${ids[5]}&lang=${lang}`);
    const proof = page.locator('.details .sealed');
    await proof.getByText(verdict(lang)).waitFor();
    await proof.locator('summary').click();
    // The key is named, to be compared with one that is kept; where it is fetched from is no part of the check.
    await proof
      .getByText(/reel\.local\+[0-9a-f]{8}/)
      .first()
      .waitFor();
    const commands = await proof.locator('code').allTextContents();
    expect(commands[0]).toMatch(/^reel verify --export entry-\S+\.ndjson --key keys\.txt$/);
    expect(commands.join()).not.toContain('http');
    expect(await axeViolations(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await axeViolations(page, ['color-contrast'])).toEqual([]);
    expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
    await close();
  });

  test('the proof of an erased entry is valid, and says that it was erased', async () => {
    const { page, close } = await viewer.open(`?entry=${ids[6]}`);
    await page.locator('.sealed').getByText(verdict('en')).waitFor();
    await page.locator('.sealed summary').click();
    await page.locator('.sealed').getByText(messages('en').erased).waitFor();
    await close();
  });

  test('the result moves nothing below it', async () => {
    const { page, close } = await viewer.open();
    let respond = () => {};
    const held = new Promise<void>((resolve) => {
      respond = resolve;
    });
    await page.route('**/.well-known/reel-keys', async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(`${viewer.reel.url}/?entry=${ids[5]}`);
    const section = page.locator('.details .sealed');
    await section.getByText(messages('en').checking).waitFor();
    await page.locator('.details .branch').first().waitFor();
    const before = await section.boundingBox();
    respond();
    await section.getByText(verdict('en')).waitFor();
    expect(await section.boundingBox()).toEqual(before);
    await close();
  });

  test.each(['en', 'pt-BR'])(
    'an altered response is invalid, and the mismatching parts are named, %s',
    async (lang) => {
      const { page, close } = await viewer.open(`?lang=${lang}`);
      await alterEntry(page, (entry) => {
        entry.actorName = 'Somebody Else';
        entry.action = 'users.logout';
      });
      await page.goto(`${viewer.reel.url}/?lang=${lang}&entry=${ids[5]}`);
      const proof = page.locator('.details .sealed');
      const { invalid, mismatches } = messages(lang);
      for (const text of [invalid, mismatches.identity, mismatches.leaf, mismatches.root])
        await proof.getByText(text).waitFor();
      await proof.locator('summary').click();
      await proof.getByText(`reel verify --tenant ${TENANT}`).waitFor();
      expect(await proof.getByText(mismatches.data).count()).toBe(0);
      expect(await axeViolations(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: 'dark' });
      expect(await axeViolations(page, ['color-contrast'])).toEqual([]);
      await close();
    },
  );

  test('without Web Crypto it says so and shows the command that checks', async () => {
    const { page, close } = await viewer.open();
    await page.addInitScript(() => Object.defineProperty(crypto, 'subtle', { value: undefined }));
    await page.goto(`${viewer.reel.url}/?entry=${ids[5]}`);
    const proof = page.locator('.details .sealed');
    await proof.getByText(messages('en').unchecked, { exact: true }).waitFor();
    await proof.getByText(messages('en').missing.crypto).waitFor();
    await proof.locator('summary').click();
    await proof.getByText(`reel verify --tenant ${TENANT}`).waitFor();
    expect(await axeViolations(page)).toEqual([]);
    await close();
  });

  test('fetching the keys can be retried', async () => {
    const { page, close } = await viewer.open();
    await page.route('**/.well-known/reel-keys', (route) => route.fulfill({ status: 503 }));
    await page.goto(`${viewer.reel.url}/?entry=${ids[5]}`);
    const proof = page.locator('.details .sealed');
    await proof.getByText(messages('en').missing.keys).waitFor();
    await page.unroute('**/.well-known/reel-keys');
    await proof.getByRole('button', { name: 'Try again' }).click();
    await proof.getByText(verdict('en')).waitFor();
    await close();
  });
});
