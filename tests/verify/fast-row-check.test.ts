import { randomUUID } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { searchText } from '../../src/log/entry/search-text.js';
import { isStorable } from '../../src/query-line/values.js';
import { HashInput } from '../../src/verify/canonical/hash-input.js';
import { JsonCanonicalizer } from '../../src/verify/canonical/json-canonicalizer.js';
import { FAST_COLUMN_COUNT, FAST_COLUMNS, FastRowCheck } from '../../src/verify/log/fast-row-check.js';
import { storeFirstVersion } from '../support/first-version.js';
import { openTrail, type Trail } from '../support/trail.js';

let trail: Trail;
beforeAll(async () => {
  trail = await openTrail();
});
afterAll(() => trail?.close());

const storable = (maxLength: number, minLength = 0) =>
  fc
    .oneof(
      fc.string({ unit: 'binary', minLength, maxLength }),
      fc.string({ minLength, maxLength }),
      fc.constantFrom('Straße', 'ΟΔΟΣ', 'İstanbul', '"\\/\b\f\n\r\t\u001f\u007f', '\u2028', '𝕏\uffff', 'São'),
    )
    .filter((text) => isStorable(text) && text.length >= minLength);
const leaf = fc.oneof(
  storable(20),
  fc.boolean(),
  fc.constant(null),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Number.isInteger(number)),
  fc.constantFrom(0.1, -0.5, 1e-7, 5e-324, 0.30000000000000004, 2 ** 53 - 1),
);
const key = fc.oneof(
  { weight: 30, arbitrary: fc.string({ unit: fc.constantFrom(...'abcABC 019_-.ßéãñΣς'), maxLength: 8 }) },
  { weight: 1, arbitrary: storable(12) },
);
const { data: datum } = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, tie('data'), tie('list')),
  list: fc.array(tie('value'), { maxLength: 4 }),
  data: fc.dictionary(key, tie('value'), { maxKeys: 6, noNullPrototype: true }),
}));
const someData = (count: number) =>
  fc.sample(datum as fc.Arbitrary<Record<string, unknown>>, { numRuns: count, seed: 7 });

/** What JsonCanonicalizer does not support: keys that do not sort by their bytes. */
const isRare = (data: unknown): boolean =>
  typeof data === 'object' &&
  data !== null &&
  Object.entries(data).some(
    ([key, value]) =>
      (!Array.isArray(data) &&
        (JSON.stringify(key).includes('\\') || /[\ue000-\uffff]|[\ud800-\udfff]/.test(key))) ||
      isRare(value),
  );

function canonical(reader: JsonCanonicalizer, text: string): string | null {
  const into = new HashInput(100_000);
  // As in a line or row, the object is not at the start.
  const source = Buffer.from(`xx${text}`);
  const end = reader.write(into, source, 2, source.length);
  return end < 0 ? null : into.bytes.toString('utf8', 0, into.length);
}
const isSearched = (reader: JsonCanonicalizer, text: string | null) => {
  const bytes = Buffer.from(text ?? '');
  return reader.pieces.matches(bytes, 0, text === null ? -1 : bytes.length);
};

describe('data canonicalized as bytes', () => {
  test('is what canonicalize makes of it, as jsonb prints it and as JSON.stringify does', async () => {
    const all = someData(3_000);
    const [spaced, tight] = [new JsonCanonicalizer(50_000, 'spaced'), new JsonCanonicalizer(50_000, 'tight')];
    const rows = await trail.own.query('select datum::jsonb::text as printed from unnest($1::text[]) datum', [
      all.map((data) => JSON.stringify(data)),
    ]);
    const printed = rows.map((row) => String(row.printed));
    let rare = 0;
    for (const [at, data] of all.entries()) {
      const expected = isRare(data) ? null : canonicalize(data);
      rare += Number(expected === null);
      expect(canonical(spaced, printed[at]!)).toBe(expected);
      expect(canonical(tight, JSON.stringify(data))).toBe(expected);
    }
    expect(rare).toBeLessThan(all.length / 2);
  });

  test('has the pieces of its own search text, in any order, and of no other', () => {
    const reader = new JsonCanonicalizer(50_000, 'tight');
    for (const data of someData(2_000).filter((each) => !isRare(each) && Object.keys(each).length > 0)) {
      canonical(reader, JSON.stringify(data));
      const text = searchText({ data });
      expect(isSearched(reader, text)).toBe(true);
      const pieces = text.split('\n');
      expect(isSearched(reader, pieces.toReversed().join('\n'))).toBe(true);
      for (const other of [null, `${text}x`, `${text}\n`, `\n${text}`])
        expect(isSearched(reader, other)).toBe(false);
      const [first] = pieces as [string];
      if (new Set(pieces).size > 1) {
        const other = pieces.findIndex((piece) => piece !== first);
        expect(isSearched(reader, pieces.with(other, first).join('\n'))).toBe(false);
      }
      if (first !== '') expect(isSearched(reader, text.slice(1))).toBe(false);
    }
  });

  test('is unsupported if it is not JSON of the form', () => {
    const reader = new JsonCanonicalizer(100, 'tight');
    const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
    for (const text of [
      '',
      '[]',
      '"a"',
      '{',
      '{"a"',
      '{"a":',
      '{"a":1',
      '{"a":"',
      '{"a":"\\',
      '{a:1}',
      '{"a" :1}',
      '{"a":1,}x',
    ])
      expect([text, reader.write(new HashInput(200), Buffer.from(text), 0, text.length)]).toEqual([text, -1]);
    for (const text of [
      '{"a":NaN}',
      '{"a":0x10}',
      '{"a": 1}',
      '{"a":1 }',
      '{"a":.5}',
      '{"a":1.}',
      '{"a":1.5e}',
      '{"a":1e999}',
      '{"a":tru}',
      '{"a":"1}',
      '{"a":"\u0001"}',
      '{"a":"\\x"}',
      '{"a":"\\u12"}',
      `{"a":"${'x'.repeat(100)}"}`,
    ])
      expect([text, canonical(reader, text)]).toEqual([text, null]);
    // What looks like an integer is copied unchanged, so its digest matches nothing that was sealed.
    for (const text of ['{"a":}', '{"a":-}', '{"a":01}', '{"a":[1,-]}'])
      expect([text, canonical(reader, text)]).toEqual([text, text]);
    const wide = new JsonCanonicalizer(1_000, 'tight');
    expect([canonical(wide, deep(32)), canonical(wide, deep(33))]).toEqual([deep(32), null]);
  });
});

test('a stored entry of any fields passes, with the leaf hash that was sealed', async () => {
  const tenantId = randomUUID();
  const optional = (text: fc.Arbitrary<string>) =>
    fc.option(
      text.filter((each) => each.trim() !== ''),
      { nil: null },
    );
  const inputs = fc.sample(
    fc.record({
      actorId: fc.option(fc.uuid(), { nil: null }),
      actorEmail: optional(storable(60)),
      actorName: optional(storable(60)),
      clientId: fc.option(fc.uuid(), { nil: null }),
      resourceType: optional(storable(30)),
      resourceId: optional(storable(30)),
      resourceName: optional(storable(30)),
      onBehalfOfName: optional(storable(30)),
      actorType: fc.constantFrom(null, 'USER', 'SERVICE', 'SYSTEM', 'AGENT'),
      outcome: fc.constantFrom(null, 'SUCCESS', 'FAILURE', 'DENIED'),
      requestId: fc.constantFrom(null, 'x', 'x'.repeat(300)),
      ipAddress: fc.constantFrom(null, '10.0.0.1', '::1', '2001:db8::ff00:42:8329', '::ffff:192.0.2.1'),
      userAgent: fc.oneof(optional(storable(200)), fc.constant('x'.repeat(2_000))),
      severity: fc.constantFrom('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'),
      occurredAt: fc.constantFrom(
        null,
        '1970-01-01T00:00:00Z',
        '2024-02-29T23:59:59.999999Z',
        '1999-12-31T23:59:59.000001Z',
      ),
      data: fc.option(
        (datum as fc.Arbitrary<Record<string, unknown>>).filter((data) => !isRare(data)),
        { nil: null },
      ),
    }),
    { numRuns: 400, seed: 11 },
  );
  const entries = inputs.map((input) => ({
    ...{ module: 'guardian', action: 'users.update', tenantId, repair: true },
    ...input,
  })) as never[];
  await trail.service.createMany(
    { kind: 'module', module: '*', ip: null, agent: null },
    entries.slice(0, 300) as never,
  );
  await storeFirstVersion(trail.database, entries.slice(300));
  await trail.sequencer.catchUp(tenantId);
  const sealed = new Map(
    (
      await trail.own.query('select entry_id, leaf_hash from reel_log_sequence where tenant_id = $1', [
        tenantId,
      ])
    ).map(({ entry_id, leaf_hash }) => [String(entry_id), (leaf_hash as Buffer).toString('hex')]),
  );
  const fastCheck = new FastRowCheck(tenantId);
  const leaves = new Map<string, string | null>();
  await trail.database.read(tenantId, (execute) =>
    execute.copy(
      sql`select ${FAST_COLUMNS} from reel_log_entries e where e.tenant_id = ${sql.lit(tenantId)}::uuid`,
      FAST_COLUMN_COUNT,
      (row) => {
        const id = Buffer.from(row.latin1(0), 'latin1').toString('hex');
        leaves.set(id.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'), fastCheck.leafHash(row));
      },
    ),
  );
  expect(sealed.size).toBe(inputs.length);
  expect(leaves).toEqual(sealed);
});
