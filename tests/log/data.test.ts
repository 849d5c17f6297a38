import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { Fault } from '../../src/errors.js';
import {
  type CheckedData,
  checkData,
  type DataOptions,
  withLongDataCut,
} from '../../src/log/entry/check-data.js';
import { UnheldNumber } from '../../src/query-line/number.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

const refusals = (value: unknown, options?: DataOptions): string[] => {
  const faults: Fault[] = [];
  expect(checkData(value, faults, options)).toBeNull();
  return faults.map(({ msg }) => msg);
};
const repaired = (value: unknown): CheckedData => {
  const faults: Fault[] = [];
  const checked = checkData(value, faults, { repair: true });
  expect(faults).toEqual([]);
  expect(JSON.parse(checked!.text)).toEqual(checked!.data);
  return checked!;
};
const nested = (levels: number): Record<string, unknown> => {
  let value: Record<string, unknown> = {};
  for (let level = 1; level < levels; level++) value = { a: value };
  return value;
};

describe('numbers', () => {
  it('keeps those that a double holds, 0 for -0 alike in what is shown, stored and sealed', () => {
    const checked = checkData({ v: [0.1, 1.1, -0, 1e-298, -1e-7, 2 ** 53 - 1] }, []);
    expect(checked).toMatchObject({
      text: '{"v":[0.1,1.1,0,1e-298,-1e-7,9007199254740991]}',
      repaired: false,
    });
    expect(Object.is((checked!.data.v as number[])[2], 0)).toBe(true);
    expect(canonicalize(checked!.data)).toBe(checked!.text);
  });

  it.each<[unknown, string]>([
    [new UnheldNumber('9999999999999.9999'), '9999999999999.9999'],
    [new UnheldNumber('9'.repeat(1_000)), '9'.repeat(198)],
    [2 ** 53, '9007199254740992'],
    [1e21, '1e+21'],
    [5e-324, '5e-324'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
  ])('refuses %s at its path', (value, came) => {
    const [msg = '', ...others] = refusals({ list: [{ v: value }] });
    expect(others).toEqual([]);
    const expected =
      'data.list.0.v: expected a number that a double holds as written (send it as text), got ';
    expect(msg.startsWith(expected + came)).toBe(true);
    expect(msg.length).toBeLessThan(300);
  });

  it('is no object', () => {
    expect(refusals(new UnheldNumber('1e400'))).toEqual(['data: expected a JSON object, got 1e400']);
    expect(refusals(new UnheldNumber('1e400'), { repair: true })).toHaveLength(1);
  });
});

describe('bounds', () => {
  let own: TestDatabase;
  let client: pg.Client;
  beforeAll(async () => {
    own = await createDatabase('template0');
    client = new pg.Client({ connectionString: own.ownerUrl });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await own.drop();
  });
  const printed = async (text: string): Promise<number> => {
    const { rows } = await client.query('select octet_length($1::jsonb::text) as bytes', [text]);
    return rows[0].bytes;
  };

  const scalar = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }),
    fc
      .tuple(fc.integer({ min: -9_999, max: 9_999 }), fc.integer({ min: 0, max: 295 }))
      .map(([n, e]) => Number(`${n}e-${e}`)),
    fc.maxSafeInteger(),
    fc.string({ unit: 'binary' }).map((text) => text.toWellFormed().replaceAll('\0', '')),
    fc.boolean(),
    fc.constant(null),
  );
  const data = fc.dictionary(
    fc.string({ unit: 'binary' }).map((text) => text.toWellFormed().replaceAll('\0', '')),
    fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        scalar,
        fc.array(tie('value')),
        fc.dictionary(fc.string(), tie('value')),
      ),
    })).value,
  );

  test('are measured as PostgreSQL prints them, without asking it', async () => {
    await fc.assert(
      fc.asyncProperty(data, async (value) => {
        const checked = checkData(value, []);
        fc.pre(checked !== null);
        const bytes = await printed(checked!.text);
        // Filled up to the bound, one byte more is too much.
        const filler = 65_536 - bytes - (Object.keys(value).length === 0 ? 0 : 2) - '"filler": ""'.length;
        fc.pre(!Object.hasOwn(value, 'filler'));
        const full = checkData({ ...value, filler: 'x'.repeat(filler) }, []);
        expect(await printed(full!.text)).toBe(65_536);
        expect(refusals({ ...value, filler: 'x'.repeat(filler + 1) })).toEqual([
          expect.stringMatching(
            /^data: expected at most 65536 bytes as PostgreSQL prints it, got 65537 bytes$/,
          ),
        ]);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses more of compact JSON, and more levels', () => {
    expect(refusals({ a: 'x'.repeat(70_000) })).toEqual([
      'data: expected at most 65536 bytes of compact JSON, got 70008 bytes',
    ]);
    expect(checkData(nested(32), [])).not.toBeNull();
    for (const levels of [33, 300_000])
      expect(refusals(nested(levels))).toEqual(['data: expected at most 32 levels, got more']);
  });

  it.each<[string, unknown]>([
    ['long text', { a: 'é"\\\u0001'.repeat(20_000) }],
    ['characters of four bytes', { '😀': '😀'.repeat(30_000) }],
    ['many quotes', { a: '"'.repeat(70_000) }],
    ['many numbers', { a: Array.from({ length: 40_000 }, (_, at) => at) }],
    [
      'small numbers, which PostgreSQL prints in plain form',
      { a: Array.from({ length: 1_000 }, () => 1e-200) },
    ],
    ['33 levels', nested(33)],
    ['levels past any stack', nested(400_000)],
    ['numbers that no double holds', { a: Array.from({ length: 20_000 }, () => new UnheldNumber('1e400')) }],
  ])('with repair, %s are kept as far as they fit', async (_, value) => {
    const { data, text } = repaired(value);
    const came = (data._text as string).slice(0, 20);
    expect(data).toEqual({
      _truncated: true,
      _bytes: expect.any(Number),
      _sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      _text: expect.any(String),
    });
    const size = await printed(text);
    expect(size).toBeLessThanOrEqual(65_536);
    // As much as fits: 32,768 characters, all there is, or up to the bound.
    const characters = Array.from(data._text as string).length;
    expect(characters === 32_768 || characters === data._bytes || size > 65_530).toBe(true);
    expect(came).toMatch(/^\{"/);
  });

  it('says of what was cut what it was', () => {
    const value = { ключ: 'я'.repeat(40_000), n: new UnheldNumber('9999999999999.9999') };
    const compact = `{"ключ":"${'я'.repeat(40_000)}","n":9999999999999.9999}`;
    const { _text, ...said } = repaired(value).data;
    expect(said).toEqual({
      _truncated: true,
      _bytes: Buffer.byteLength(compact),
      _sha256: createHash('sha256').update(compact).digest('hex'),
    });
    expect(compact.startsWith(_text as string)).toBe(true);
  });
});

describe('repair', () => {
  it('leaves alone what is well', () => {
    expect(repaired({ a: [1, -0, 'x', null] })).toEqual({
      data: { a: [1, 0, 'x', null] },
      text: '{"a":[1,0,"x",null]}',
      repaired: false,
    });
  });

  it('mends text, names and numbers wherever they stand', () => {
    const value = JSON.parse('{"__proto__":["a\\u0000b",{"k\\ud800":"\\udfff"}]}');
    Object.assign(value, {
      n: new UnheldNumber('9999999999999.9999'),
      big: 2n ** 70n,
      unsafe: 2 ** 53,
      nan: Number.NaN,
    });
    expect(repaired(value)).toMatchObject({
      text: '{"__proto__":["a\ufffdb",{"k\ufffd":"\ufffd"}],"n":"9999999999999.9999","big":"1180591620717411303424","unsafe":"9007199254740992","nan":"NaN"}',
      repaired: true,
    });
  });

  it('keeps names apart that become the same', () => {
    const value = { 'a\0': 1, 'a\ufffd': 2, 'a\ud800': 3, 'a\ufffd (2)': 4, 'a\udfff': 5 };
    const { data } = repaired(value);
    expect(Object.values(data)).toEqual([1, 2, 3, 4, 5]);
    expect(Object.keys(data)).toEqual([
      'a\ufffd (3)',
      'a\ufffd',
      'a\ufffd (4)',
      'a\ufffd (2)',
      'a\ufffd (5)',
    ]);
    const many = Object.fromEntries(
      Array.from({ length: 12_000 }, (_, at) => [
        String.fromCharCode(0xd800 + (at & 1023), 0xd800 + ((at >> 10) & 1023)),
        0,
      ]),
    );
    const start = process.threadCpuUsage();
    repaired(many);
    // Were each tried against all before it, it would take a minute.
    expect(process.threadCpuUsage(start).user).toBeLessThan(2_000_000);
  });

  it("takes a program's own values as JSON.stringify writes them", () => {
    const value = {
      at: new Date(0),
      none: undefined,
      list: [undefined, () => 1],
      boxed: new String('x'),
      own: { toJSON: (key: string) => ({ key }) },
      map: new Map(),
      bad: '\0',
    };
    expect(repaired(value).data).toEqual({ ...JSON.parse(JSON.stringify(value)), bad: '\ufffd' });
  });

  it('still refuses a cycle, a list and what throws', () => {
    const cycle: Record<string, unknown> = {};
    cycle.cycle = cycle;
    expect(refusals(cycle, { repair: true })).toHaveLength(1);
    expect(refusals([], { repair: true })).toHaveLength(1);
    const thrower = {
      toJSON: () => {
        throw new Error('no');
      },
    };
    expect(refusals(thrower, { repair: true })).toHaveLength(1);
  });

  test('stores whatever JSON there is, within bounds', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary', maxDepth: 40 })),
        (value) => {
          const { text } = repaired(value);
          const plain = checkData(JSON.parse(text), []);
          expect(plain).toMatchObject({ text, repaired: false });
        },
      ),
    );
  });
});

test.each([
  ['long text', { a: '😀x'.repeat(100_000) }],
  ['much to escape', { a: '"\\\n'.repeat(60_000) }],
  ['many members', Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`ключ ${n}`, n]))],
  ['a long number', { a: new UnheldNumber('7'.repeat(200_000)) }],
  ['little', { a: 'x' }],
  ['a date', { a: new Date(0), b: 'x'.repeat(200_000) }],
])('what is cut in slices is cut as in one go: %s', async (_name, data) => {
  const cut = await withLongDataCut({ repair: true, data });
  expect(repaired(cut.data)).toEqual(repaired(data));
});
