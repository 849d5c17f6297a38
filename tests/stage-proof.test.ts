import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EntryDocument } from '../web/stage/generated.js';
import { canonical, checkProof, type Part, type Provable } from '../web/stage/proof.js';
import { faultsOf, openStage, type StageHouse, TENANT } from './stage-house.js';
import { runCommand, settingsOf } from './support/cli.js';

let house: StageHouse;
let ids: string[];
let keys: string;
/** As the server answered it: with data, without, and erased. */
let full: Provable;
let bare: Provable;
let erased: Provable;
const { subtle } = globalThis.crypto;

const ask = async (id: string): Promise<Provable> =>
  (await house.reel.graphql(house.token, EntryDocument, { id })).body.data.log;

beforeAll(async () => {
  house = await openStage();
  ids = await house.write([
    ...Array.from({ length: 5 }, (_, index) => ({ resourceId: `${index}` })),
    {
      actorName: 'Ana "Souza" é',
      actorEmail: 'Ana@Example.com',
      ipAddress: '2001:DB8::1',
      userAgent: 'Tests/1.0',
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
  const gone = await runCommand(
    ['erase', '--tenant', TENANT, '--reason', 'request 12', '--entry', ids[6]!],
    settingsOf(house.reel.own),
  );
  expect(gone).toMatchObject({ code: 0 });
  keys = await (await fetch(`${house.reel.url}/.well-known/reel-keys`)).text();
  [full, bare, erased] = await Promise.all([ask(ids[5]!), ask(ids[4]!), ask(ids[6]!)]);
});
afterAll(() => house?.close());

const check = (entry: Provable, by = keys) => checkProof(entry, by, subtle);
/** A copy of the entry with some of it, or of its proof or checkpoint, otherwise. */
const altered = (
  entry: Provable,
  change: Partial<Provable>,
  proof: Partial<NonNullable<Provable['proof']>> = {},
  checkpoint: Partial<NonNullable<Provable['proof']>['checkpoint']> = {},
): Provable => ({
  ...entry,
  ...change,
  proof: { ...entry.proof!, ...proof, checkpoint: { ...entry.proof!.checkpoint, ...checkpoint } },
});
const differing = async (entry: Provable, by = keys): Promise<Part[]> => {
  const verdict = await check(entry, by);
  return verdict.is === 'differs' ? verdict.parts : [];
};

describe('a proof worked out from what the server answers', () => {
  test('holds, with data, without and erased', async () => {
    for (const [entry, place, isErased] of [
      [full, 6, false],
      [bare, 5, false],
      [erased, 7, true],
    ] as const)
      expect(await check(entry)).toEqual({
        is: 'holds',
        place,
        size: entry.proof!.checkpoint.treeSize,
        sealedAt: entry.proof!.checkpoint.sealedAt,
        key: expect.stringMatching(/^reel\.local\+[0-9a-f]{8}$/),
        isErased,
      });
    expect(erased).toMatchObject({ actorName: null, data: null, proof: { identitySalt: null } });
  });

  test('does not hold where any field of the entry is another', async () => {
    const other = '6f2b4c0e-0000-4000-8000-00000000ffff';
    const leaf = ['id', 'module', 'action', 'actorId', 'onBehalfOfId', 'clientId', 'resourceType'] as const;
    for (const name of [...leaf, 'resourceId', 'requestId', 'occurredAt', 'createdAt'] as const)
      expect.soft(await differing(altered(full, { [name]: other })), name).toEqual(['leaf', 'root']);
    expect(await differing(altered(full, { severity: 'DEBUG' }))).toEqual(['leaf', 'root']);
    expect(await differing(altered(full, { origin: 'BROWSER' }))).toEqual(['leaf', 'root']);
    expect(await differing(altered(full, { tenantId: other }))).toEqual(['leaf', 'root', 'checkpoint']);
    for (const name of ['actorEmail', 'actorName', 'ipAddress', 'userAgent'] as const) {
      expect.soft(await differing(altered(full, { [name]: 'x' })), name).toEqual(['identity']);
      expect.soft(await differing(altered(erased, { [name]: 'x' })), name).toEqual(['identity']);
    }
    for (const data of [null, {}, { ...full.data, z: [1.5, null, 'ü'] }])
      expect(await differing(altered(full, { data }))).toEqual(['data']);
    expect(await differing(altered(bare, { data: {} }))).toEqual(['data']);
    expect(await differing(altered(erased, { data: { a: 1 } }))).toEqual(['data']);
    expect(await differing(altered(full, { sequence: 5 }))).toEqual(['place']);
  });

  test('does not hold where the salts are kept back, or an erasure is only said', async () => {
    expect(await differing(altered(full, { actorName: 'x' }, { identitySalt: null }))).toEqual(['identity']);
    expect(await differing(altered(full, { data: { x: 1 } }, { dataSalt: null }))).toEqual(['data']);
    expect(await differing(altered(full, { data: null }, { dataSalt: null }))).toEqual(['data']);
    expect(await differing(altered(full, { erasedAt: full.createdAt }))).toEqual(['identity', 'data']);
  });

  test('does not hold where any part of the proof is another', async () => {
    const proof = full.proof!;
    const zero = Buffer.alloc(32).toString('base64');
    expect(await differing(altered(full, {}, { leafHash: zero }))).toEqual(['leaf']);
    expect(await differing(altered(full, {}, { leafIndex: 4 }))).toEqual(['place', 'root']);
    expect(await differing(altered(full, {}, { identitySalt: zero }))).toEqual(['identity']);
    expect(await differing(altered(full, {}, { dataSalt: 'no base64' }))).toEqual(['data']);
    expect(await differing(altered(full, {}, { dataDigest: null }))).toEqual(['data', 'leaf', 'root']);
    for (const at of proof.path.keys())
      expect(await differing(altered(full, {}, { path: proof.path.with(at, zero) }))).toEqual(['root']);
    for (const path of [[], proof.path.slice(1), [...proof.path, zero], [...proof.path].reverse()])
      expect(await differing(altered(full, {}, { path }))).toEqual(['root']);
  });

  test('does not hold where any part of the checkpoint is another', async () => {
    const { note, treeSize } = full.proof!.checkpoint;
    const zero = Buffer.alloc(32).toString('base64');
    const withCheckpoint = (change: object) => differing(altered(full, {}, {}, change));
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

  test('does not hold by another key, nor by one whose id is not its own', async () => {
    expect(await differing(full, '')).toEqual(['signature']);
    expect(await differing(full, keys.replace(/\+[0-9a-f]{8}\+/, '+00000000+'))).toEqual(['signature']);
    const [name, id, key] = keys.trim().split(/\+(.*?)\+(.*)/) as [string, string, string];
    const other = Buffer.concat([Buffer.of(1), Buffer.alloc(32, 7)]).toString('base64');
    expect(key).not.toBe(other);
    expect(await differing(full, `${name}+${id}+${other}\n`)).toEqual(['signature']);
    // An older key beside it changes nothing.
    expect(await check(full, `${name}+${id}+${other}\n${keys}`)).toMatchObject({ is: 'holds' });
  });

  test('says what could not be checked, and still finds what differs', async () => {
    const unsupported = () => Promise.reject(new DOMException('Ed25519', 'NotSupportedError'));
    const old = { digest: subtle.digest.bind(subtle), importKey: unsupported } as unknown as SubtleCrypto;
    expect(await checkProof(full, keys, old)).toEqual({ is: 'unchecked', why: 'signature' });
    expect(await checkProof(altered(full, { action: 'x' }), keys, old)).toMatchObject({ is: 'differs' });
    expect(await checkProof(full, keys, undefined)).toEqual({ is: 'unchecked', why: 'crypto' });
    expect(await check({ ...full, proof: null })).toEqual({ is: 'unchecked', why: 'proof' });
  });
});

test('canonical JSON is that of RFC 8785', () => {
  expect(
    canonical(
      JSON.parse(
        '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001,-0],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false],"__proto__":1}',
      ),
    ),
  ).toBe(
    '{"__proto__":1,"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
  expect(canonical({ '\u20ac': 1, '\r': 2, '\ufb33': 3, 1: 4, '\u{1F600}': 5, '\u0080': 6, ö: 7 })).toBe(
    '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"\u{1F600}":5,"\ufb33":3}',
  );
});

const words = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, '..', 'web', 'stage', 'locales', `${name}.json`), 'utf8'))
    .proof;

/** Alters the answer that the details are made of on its way to the page. */
const alterEntry = (page: Page, alter: (entry: Provable) => void) =>
  page.route('**/graphql', async (route) => {
    if (!route.request().postDataJSON().query.includes('query Entry')) return route.continue();
    const response = await route.fetch();
    const body = await response.json();
    alter(body.data.log);
    return route.fulfill({ response, json: body });
  });

describe('in the viewer', () => {
  test.each(['en', 'pt-BR'])('the proof of an entry holds, %s', async (lang) => {
    const { page, watched, close } = await house.open(`?entry=${ids[5]}&lang=${lang}`);
    const proof = page.locator('.details .proof');
    await proof.getByText(words(lang).holds, { exact: true }).waitFor();
    await proof.getByText(/ 6 (of|de) .* reel\.local\+[0-9a-f]{8}/).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await faultsOf(page, ['color-contrast'])).toEqual([]);
    expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
    await close();
  });

  test('of an erased entry it says so, and holds', async () => {
    const { page, close } = await house.open(`?entry=${ids[6]}`);
    await page.locator('.proof').getByText(words('en').holds, { exact: true }).waitFor();
    await page.locator('.proof').getByText(words('en').erased).waitFor();
    await close();
  });

  test('finding that it holds moves nothing below', async () => {
    const { page, close } = await house.open();
    let answer = () => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await page.route('**/.well-known/reel-keys', async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(`${house.reel.url}/?entry=${ids[5]}`);
    const section = page.locator('.details .sealed');
    await section.getByText(words('en').checking).waitFor();
    await page.locator('.details .branch').first().waitFor();
    const before = await section.boundingBox();
    answer();
    await section.getByText(words('en').holds, { exact: true }).waitFor();
    expect(await section.boundingBox()).toEqual(before);
    await close();
  });

  test.each(['en', 'pt-BR'])('an altered answer does not hold, and says which part, %s', async (lang) => {
    const { page, close } = await house.open(`?lang=${lang}`);
    await alterEntry(page, (entry) => {
      entry.actorName = 'Somebody Else';
      entry.action = 'users.logout';
    });
    await page.goto(`${house.reel.url}/?lang=${lang}&entry=${ids[5]}`);
    const proof = page.locator('.details .proof');
    const { differs, parts } = words(lang);
    for (const text of [differs, parts.identity, parts.leaf, parts.root])
      await proof.getByText(text).waitFor();
    await proof.getByText(`npm run -s reel -- verify --tenant ${TENANT}`).waitFor();
    expect(await proof.getByText(parts.data).count()).toBe(0);
    expect(await faultsOf(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await faultsOf(page, ['color-contrast'])).toEqual([]);
    await close();
  });

  test('without Web Crypto it says so and names the command', async () => {
    const { page, close } = await house.open();
    await page.addInitScript(() => Object.defineProperty(crypto, 'subtle', { value: undefined }));
    await page.goto(`${house.reel.url}/?entry=${ids[5]}`);
    const proof = page.locator('.details .proof');
    await proof.getByText(words('en').unchecked, { exact: true }).waitFor();
    await proof.getByText(words('en').why.crypto).waitFor();
    await proof.getByText(`npm run -s reel -- verify --tenant ${TENANT}`).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await close();
  });

  test('keys that cannot be fetched can be asked for again', async () => {
    const { page, close } = await house.open();
    await page.route('**/.well-known/reel-keys', (route) => route.fulfill({ status: 503 }));
    await page.goto(`${house.reel.url}/?entry=${ids[5]}`);
    const proof = page.locator('.details .proof');
    await proof.getByText(words('en').why.keys).waitFor();
    await page.unroute('**/.well-known/reel-keys');
    await proof.getByRole('button', { name: 'Try again' }).click();
    await proof.getByText(words('en').holds, { exact: true }).waitFor();
    await close();
  });
});
