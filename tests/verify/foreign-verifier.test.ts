/**
 * What Reel signs and proves, checked by a library that its authors keep for something else: sigstore's, with which npm
 * checks the provenance of packages. Its log is RFC 6962's too, its checkpoints are signed notes, its JSON is RFC 8785's.
 */
import { createHash, createPublicKey, randomUUID } from 'node:crypto';
import { json } from '@sigstore/core';
import { VerificationError } from '@sigstore/verify';
// By its own file: the package's front door takes whole bundles, of software alone.
import { verifyTLogInclusion } from '@sigstore/verify/dist/tlog/index.js';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { canonical } from '../support/independent-verifier.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../support/reel.js';

type Tlog = Parameters<typeof verifyTLogInclusion>[1][number];

/** What there is to check of one entry; `hashes` from the leaf upwards. */
interface Claim {
  /** What is hashed under a zero byte. */
  leaf: Buffer;
  index: bigint;
  hashes: Buffer[];
  note: string;
}

/** A published verifier key as sigstore holds the key of a log: its id is the whole hash of which a note has four bytes. */
function tlogOf(vkey: string): Tlog {
  const [name = '', , ...rest] = vkey.split('+');
  const key = Buffer.from(rest.join('+'), 'base64');
  const x = key.subarray(1).toString('base64url');
  return {
    baseURL: name,
    logID: createHash('sha256').update(`${name}\n`).update(key).digest(),
    publicKey: createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }),
    validFor: { start: new Date(0), end: new Date(8.64e15) },
  };
}

/** Errors: VerificationError where the library does not take it. */
function check({ leaf, index, hashes, note }: Claim, log: Tlog): void {
  verifyTLogInclusion(
    {
      logIndex: String(index),
      logId: { keyId: log.logID },
      kindVersion: { kind: 'reel', version: '1' },
      integratedTime: '0',
      inclusionPromise: undefined,
      inclusionProof: {
        logIndex: String(index),
        // Of the two, what the note says counts.
        rootHash: Buffer.alloc(0),
        treeSize: '0',
        hashes,
        checkpoint: { envelope: note },
      },
      canonicalizedBody: leaf,
    },
    [log],
  );
}
const isTaken = (claim: Claim, log: Tlog): boolean => {
  try {
    check(claim, log);
    return true;
  } catch (error) {
    if (error instanceof VerificationError) return false;
    throw error;
  }
};

const unbase = (text: string) => Buffer.from(text, 'base64');
const LEAF =
  `id tenant_id module action severity origin actor_id on_behalf_of_id client_id resource_type resource_id request_id
  occurred_at created_at actor_type outcome`.split(/\s+/);
const IDENTITY = [
  'actor_email',
  'actor_name',
  'ip_address',
  'user_agent',
  'on_behalf_of_name',
  'resource_name',
];
const pick = (entry: Record<string, unknown>, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, entry[name]]));
const salted = (salt: string, value: object) =>
  createHash('sha256').update(unbase(salt)).update(json.canonicalize(value)).digest('hex');
/** The leaf of an entry under REST's names, all of it worked out anew. */
function leafOf(entry: Record<string, unknown>, identitySalt: string, dataSalt: string | null): Buffer {
  const data = entry.data === null ? null : salted(dataSalt!, entry.data as object);
  const identity = salted(identitySalt, pick(entry, IDENTITY));
  const repaired = (entry.repaired as string[]).length > 0 ? entry.repaired : null;
  return Buffer.from(json.canonicalize({ v: 2, ...pick(entry, LEAF), repaired, identity, data }));
}
const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

const ODD = [
  undefined,
  {},
  {
    '\ufb33': 1,
    '\ud83d\ude00': 2,
    '\u20ac': 3,
    '\r': 4,
    '': 5,
    10: 6,
    9: 7,
    A: 8,
    a: 9,
    é: 10,
    'e\u0301': 11,
  },
  {
    numbers: [-0, 0.1, 1e-7, 5e-290, 333333333.3333333, 9007199254740991, -9007199254740991, 1e15, 4.5, 2e-3],
  },
  { text: '\u2028\u2029\u007f\u0080\u001f\b\f\n\r\t"\\/</script> \ud83d\ude00 \ufeff' },
  { deep: [[[{ b: [], a: {} }]], null, true, false] },
  JSON.parse('{"__proto__":{"toJSON":1},"constructor":null,"toString":"x"}') as object,
];

let reel: TestReel;
let log: Tlog;
const [tenantId, clientId] = [randomUUID(), randomUUID()];
beforeAll(async () => {
  reel = await startReel();
  const inputs = Array.from({ length: 300 }, (_, index) => ({
    module: index % 2 ? 'guardian' : 'wächter "é"',
    action: 'users.update',
    tenantId,
    clientId: index % 5 ? clientId : null,
    actorName: index % 3 ? null : 'O\u2019Neill \ud83d\ude00 \\',
    ipAddress: '2001:DB8::1',
    resourceId: String(index),
    resourceName: index % 2 ? 'Invoice \u2028 "4711"' : null,
    onBehalfOfName: index % 4 ? null : 'Zoë \ud83d\ude00',
    outcome: index % 3 ? 'SUCCESS' : null,
    requestId: index % 7 ? null : 'x'.repeat(300),
    repair: true,
    data: ODD[index % ODD.length],
  }));
  const { body } = await reel.graphql(
    await moduleToken(),
    'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
    { inputs },
  );
  expect(body.errors).toBeUndefined();
  const vkeys = await (await fetch(`${reel.url}/.well-known/reel-keys`)).text();
  log = tlogOf(vkeys.split('\n')[0]!);
  await vi.waitFor(
    async () => expect(await reel.own.query('select from reel_log_inbox')).toEqual([]),
    60_000,
  );
});
afterAll(() => reel?.close());

async function overGraphql(): Promise<Claim[]> {
  const names = [...LEAF, ...IDENTITY, 'repaired', 'data'].map(camel).join(' ');
  const token = await person({ grants: [grant(tenantId, 'reel.logs.view:ACCOUNT')] });
  const claims: Claim[] = [];
  for (let after: string | null = null; ; ) {
    const { body } = await reel.graphql(
      token,
      `query ($after: String) { logs(first: 50, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { ${names} proof { leafIndex identitySalt dataSalt path checkpoint { note } } }
      } }`,
      { after },
    );
    expect(body.errors).toBeUndefined();
    for (const { proof, ...shown } of body.data.logs.nodes) {
      const entry = Object.fromEntries(Object.entries(shown).map(([name, value]) => [snake(name), value]));
      claims.push({
        leaf: leafOf(entry, proof.identitySalt, proof.dataSalt),
        index: BigInt(proof.leafIndex),
        hashes: proof.path.map(unbase),
        note: proof.checkpoint.note,
      });
    }
    const { hasNextPage, endCursor } = body.data.logs.pageInfo;
    if (!hasNextPage) return claims;
    after = endCursor;
  }
}

async function inExport(): Promise<Claim[]> {
  const { body } = await reel.graphql(
    await person({ grants: [grant(tenantId, `reel.logs.export:CLIENT:${clientId}`)] }),
    'mutation { exportLogs(input: { format: NDJSON, includeProofs: true, includeData: true }) { downloadUrl } }',
    {},
    { 'X-Client-Id': clientId },
  );
  const text = await (await fetch(reel.url + body.data.exportLogs.downloadUrl)).text();
  const lines = text.trimEnd().split('\n');
  const note = JSON.parse(lines.pop()!).checkpoint as string;
  return lines.map((line) => {
    const { proof } = JSON.parse(line);
    return {
      leaf: leafOf(proof.entry, proof.identity_salt, proof.data_salt),
      index: BigInt(proof.entry.sequence - 1),
      hashes: proof.path.map(unbase),
      note,
    };
  });
}

const flip = (bytes: Uint8Array, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[(at >> 3) % copy.length]! ^= 1 << (at & 7);
  return copy;
};
/** The note with one bit of what its signature is in base64 changed: of the key's id or of the signature. */
const withSignature = (note: string, change: (bytes: Buffer) => Buffer) =>
  note.replace(
    /(— \S+ )(\S+)\n$/,
    (_, before, text) => `${before}${change(unbase(text)).toString('base64')}\n`,
  );

describe.each([
  ['over GraphQL', overGraphql, 300],
  ['in an NDJSON export', inExport, 240],
])('proofs that come %s', (_where, claimsOf, count) => {
  let claims: Claim[];
  beforeAll(async () => {
    claims = await claimsOf();
  });

  test('are taken, every one', () => {
    expect(claims.length).toBe(count);
    for (const claim of claims) check(claim, log);
  });

  test('are refused with one bit changed: of leaf, path, place, note, root or signature, or under another key', () => {
    const other = tlogOf('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    fc.assert(
      fc.property(fc.nat({ max: count - 1 }), fc.nat({ max: 100_000 }), (number, at) => {
        const claim = claims[number]!;
        const { leaf, hashes, note } = claim;
        const end = note.indexOf('\n\n') + 1;
        const [, size, root] = note.split('\n') as [string, string, string];
        const changed: [what: string, with_: Partial<Claim>][] = [
          ['leaf', { leaf: flip(leaf, at) }],
          ['path', { hashes: hashes.with(at % hashes.length, flip(hashes[at % hashes.length]!, at)) }],
          ['path, cut', { hashes: hashes.slice(1) }],
          ['path, longer', { hashes: [...hashes, hashes[0]!] }],
          ['place', { index: claim.index ^ (1n << BigInt(at % 12)) }],
          ['note', { note: flip(Buffer.from(note.slice(0, end)), at).toString() + note.slice(end) }],
          ['size', { note: note.replace(`\n${size}\n`, `\n${Number(size) + 1}\n`) }],
          ['root', { note: note.replace(root, flip(unbase(root), at).toString('base64')) }],
          ['signature', { note: withSignature(note, (bytes) => flip(bytes, at)) }],
          ['signer', { note: note.replace('— reel.', '— real.') }],
        ];
        for (const [what, fields] of changed) expect(isTaken({ ...claim, ...fields }, log), what).toBe(false);
        expect(isTaken(claim, { ...other, baseURL: log.baseURL })).toBe(false);
        expect(isTaken(claim, { ...other, baseURL: log.baseURL, logID: log.logID })).toBe(false);
      }),
      { numRuns: 200 },
    );
  });
});

describe('canonical JSON', () => {
  const three = (value: unknown) => [
    canonicalize(value),
    json.canonicalize(value as object),
    canonical(value),
  ];

  test('the examples of RFC 8785, sections 3.2.2 and 3.2.3', () => {
    const numbers = JSON.parse(
      '[333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001]',
    ) as unknown;
    const text = '\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"/';
    const expected =
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
      '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}';
    const value = { numbers, string: text, literals: [null, true, false] };
    expect(three(value)).toEqual([expected, expected, expected]);
    const sorted =
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis",' +
      '"€":"Euro Sign","\ud83d\ude00":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}';
    const unsorted = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    expect(three(unsorted)).toEqual([sorted, sorted, sorted]);
  });

  test.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ])('the number %s of RFC 8785, appendix B', (bits, expected) => {
    expect(three(Buffer.from(bits, 'hex').readDoubleBE())).toEqual([expected, expected, expected]);
  });

  test('of whatever JSON holds is one text by three hands', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        const [first, ...others] = three(JSON.parse(JSON.stringify(value)));
        expect(others).toEqual([first, first]);
      }),
      { numRuns: 2_000 },
    );
  });
});
