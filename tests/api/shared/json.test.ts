import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReelError } from '../../../src/errors.js';
import { checkJson, parseJson, readJson } from '../../../src/http/json.js';
import { isHeld, readNumber, UnheldNumber } from '../../../src/query-line/number.js';

/** JSON of any value, spaced at random, in which names may stand twice; with how many do, at which way. */
interface Written {
  text: string;
  repeated: string[];
}

const space = fc.constantFrom('', '', '', ' ', '\n', '\t\r ');
/** A name as JSON may spell it: some of its characters escaped. */
const spelt = (name: string) =>
  fc
    .array(fc.boolean(), { minLength: name.length, maxLength: name.length })
    .map(
      (escaped) =>
        `"${[...Array(name.length).keys()]
          .map((at) =>
            escaped[at]
              ? `\\u${name.charCodeAt(at).toString(16).padStart(4, '0')}`
              : JSON.stringify(name[at]).slice(1, -1),
          )
          .join('')}"`,
    );

/** Few names, so that many stand twice; what is `inner` only adds a step to its ways. */
const written = fc.letrec<{ value: Written }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc
      .oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean(), fc.constant(null))
      .map((value) => ({ text: JSON.stringify(value), repeated: [] })),
    fc.tuple(space, fc.array(tie('value'), { maxLength: 4 })).map(([gap, items]) => ({
      text: `[${gap}${items.map(({ text }) => text).join(`${gap},${gap}`)}${gap}]`,
      repeated: items.flatMap(({ repeated }, at) => repeated.map((way) => `.${at}${way}`)),
    })),
    fc
      .array(
        fc
          .constantFrom('a', 'b', '__proto__', 'constructor', '', '1', 'é"\\')
          .chain((name) => fc.tuple(fc.constant(name), spelt(name), tie('value'), space)),
        { maxLength: 5 },
      )
      .map((members) => ({
        text: `{${members.map(([, name, { text }, gap]) => `${gap}${name}${gap}:${gap}${text}${gap}`).join(',')}}`,
        repeated: members.flatMap(([name, , { repeated }], at) => [
          ...(members.slice(0, at).some(([other]) => other === name) ? [`.${name}`] : []),
          ...repeated.map((way) => `.${name}${way}`),
        ]),
      })),
  ),
})).value;

describe('reading', () => {
  test('is what JSON.parse reads, and refuses what it refuses', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.jsonValue().map((value) => `[${JSON.stringify(value)},"e999",1.0e2,0e999]`),
          written.map(({ text }) => text),
          // A text broken somewhere.
          fc
            .tuple(written, fc.nat(), fc.constantFrom('', '"', ',', '0', '\\', '}', '\n', '-'))
            .map(([{ text }, at, piece]) => {
              const place = at % (text.length + 1);
              return text.slice(0, place) + piece + text.slice(place + 1);
            }),
        ),
        fc.boolean(),
        async (text, isLong) => {
          // A text past 1 MiB is read in another way.
          const given = isLong ? text + ' '.repeat(1_048_577) : text;
          let expected: unknown;
          try {
            expected = JSON.parse(text);
          } catch {
            await expect(readJson(given)).rejects.toThrow(SyntaxError);
            return;
          }
          const { value, faults } = await readJson(given);
          if (faults.length === 0) expect(JSON.stringify(value)).toBe(JSON.stringify(expected));
        },
      ),
      { numRuns: 400 },
    );
  });

  test('tells every name that stands twice, and no other', async () => {
    await fc.assert(
      fc.asyncProperty(written, async ({ text, repeated }) => {
        const { faults } = await readJson(text);
        expect(
          faults
            .map(({ loc }) =>
              loc
                .slice(1)
                .map((step) => `.${step}`)
                .join(''),
            )
            .sort(),
        ).toEqual(repeated.toSorted().slice(0, 20));
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    [
      '{"action":"a","action":"b"}',
      ['body', 'action'],
      'action: expected each name once in an object, got "action" twice',
    ],
    [
      '{"data":{"amount":100,"amou\\u006et":1}}',
      ['body', 'data', 'amount'],
      'data.amount: expected each name once in an object, got "amount" twice',
    ],
    [
      '{"data":[0,{"a":{"__proto__":1,"__proto__":2}}]}',
      ['body', 'data', 1, 'a', '__proto__'],
      expect.any(String),
    ],
    ['{"data":{"a":{},"a":{"b":1}}}', ['body', 'data', 'a'], expect.any(String)],
  ])('a name twice: %s', async (text, loc, msg) => {
    await expect(parseJson(text)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      faults: [{ type: 'value_error', loc, msg }],
    });
    expect(() => checkJson(text)).toThrow(ReelError);
  });

  test('what is told of names that stand twice is bounded', async () => {
    const name = JSON.stringify('n'.repeat(100_000));
    const many = `[${'{"a":1,"a":2},'.repeat(1_000)}{${name}:1,${name}:2}]`;
    const deep = `${'{"a":'.repeat(10_000)}{"b":1,"b":2}${'}'.repeat(10_000)}`;
    for (const text of [many, deep, `{${name}:1,${name}:2}`]) {
      const { faults } = await readJson(text);
      expect(faults.length).toBeLessThanOrEqual(20);
      expect(JSON.stringify(faults.map(({ loc, msg }) => [loc, msg])).length).toBeLessThan(20_000);
    }
  });

  test('names that JavaScript knows are plain data', async () => {
    for (const text of ['{"__proto__":{"a":1},"constructor":2}', '{"__proto__":{"a":1},"n":[0e100,1e400]}']) {
      const read = (await parseJson(text)) as object;
      expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
      expect(Object.keys(read)[0]).toBe('__proto__');
    }
  });
});

/** What a double is in decimal, exactly: an integer over a power of ten. */
function exactly(text: string): { units: bigint; places: number } {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return { units: BigInt(whole.replace('-', '') + fraction), places: fraction.length - Number(exponent) };
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [exactly(one), exactly(other)];
  if (a.units === 0n || b.units === 0n) return a.units === b.units;
  const places = Math.max(a.places, b.places);
  return a.units * 10n ** BigInt(places - a.places) === b.units * 10n ** BigInt(places - b.places);
}

/** The contract's words, by exact arithmetic. */
function shouldBeHeld(text: string): boolean {
  const value = Number(text);
  if (!Number.isFinite(value) || !isSame(text, String(value))) return false;
  const { units, places } = exactly(String(value));
  if (places <= 0 || units % 10n ** BigInt(places) === 0n) return Number.isSafeInteger(value);
  return Math.max(String(units).length, places + 1) <= 300;
}

const digits = (most: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${most}}$`));
const number = fc.oneof(
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map(String)
    .map((text) => text.replace('e+', 'e')),
  fc.integer().map(String),
  fc.bigInt().map(String),
  fc
    .tuple(
      fc.constantFrom('', '-'),
      digits(25).map((text) => text.replace(/^0+(?=.)/, '')),
      fc.option(digits(25), { nil: null }),
      fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'E-', 'e-0'), fc.integer({ min: 0, max: 330 })), {
        nil: null,
      }),
    )
    .map(([sign, whole, fraction, exponent]) =>
      [sign, whole, fraction === null ? '' : `.${fraction}`, exponent?.join('') ?? ''].join(''),
    ),
  // Near the bounds of what is taken.
  fc.bigInt({ min: 2n ** 53n - 20n, max: 2n ** 53n + 20n }).map(String),
  fc
    .tuple(fc.integer({ min: 1, max: 9_999 }), fc.integer({ min: 290, max: 310 }))
    .map(([n, e]) => `${n}e-${e}`),
);

describe('numbers', () => {
  test('are held where a double is what is written, by exact arithmetic', () => {
    fc.assert(
      fc.property(number, (text) => {
        const read = readNumber(text);
        if (!shouldBeHeld(text)) expect(read).toEqual(new UnheldNumber(text));
        else expect(Object.is(read, Number(text) + 0)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });

  test('of a program are held where their text is', () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        const isNumber = Number.isFinite(value);
        expect(isHeld(value)).toBe(isNumber && shouldBeHeld(String(value)));
      }),
    );
  });

  test.each([
    ['0.1', 0.1],
    ['1.10', 1.1],
    ['-0', 0],
    ['-0.0e5', 0],
    ['0e999', 0],
    ['1.0', 1],
    ['1E2', 100],
    ['9007199254740991', 2 ** 53 - 1],
    ['-9007199254740991.0', -(2 ** 53) + 1],
    ['1e-298', 1e-298],
    [`0.${'0'.repeat(400)}1e400`, 0.1],
    [`1${'0'.repeat(400)}e-400`, 1],
    [`1.5${'0'.repeat(1_000)}`, 1.5],
    ['12345678.12345679', 12345678.12345679],
    ['9999999999999.9999', null],
    // The double's shortest text ends in 679.
    ['12345678.123456789', null],
    ['123456789012345678', null],
    ['9007199254740992', null],
    ['9007199254740993', null],
    ['1e21', null],
    ['1e400', null],
    ['-1e400', null],
    ['1e-400', null],
    ['5e-324', null],
    ['1e-300', null],
    ['0.1000000000000000055511151231257827', null],
    ['1.00000000000000000001', null],
    ['9'.repeat(310), null],
    [`0.${'0'.repeat(330)}1`, null],
  ])('%.30s', async (text, value) => {
    const expected = value ?? new UnheldNumber(text);
    for (const written of [`[${text}]`, `{"a":[${text}]}`, `[\t${text}\n,${text} ]`]) {
      const read = JSON.stringify(await parseJson(written));
      expect(read).toBe(written.replaceAll(text, value === null ? text : String(value)).replace(/\s/g, ''));
      if (value === null) expect(() => checkJson(written)).toThrow(/expected a number that a double holds/);
      else expect(() => checkJson(written)).not.toThrow();
    }
    expect(await parseJson(text)).toEqual(expected);
  });

  test.each(['"1e400"', '{"1e400":1}', '"\\"1e400"', '["9999999999999.9999"]'])(
    '%s has none',
    async (text) => {
      expect(await parseJson(text)).toEqual(JSON.parse(text));
    },
  );

  test('what is told of a long one is bounded', () => {
    expect(() => checkJson('9'.repeat(100_000))).toThrow(/^.{1,300}$/);
  });
});

describe('size', () => {
  test('nesting is no recursion, and bounded', async () => {
    const nested = (levels: number, text = '') => `[${text}${'['.repeat(levels)}${']'.repeat(levels)}]`;
    for (const text of [nested(300_000), nested(300_000, '1e400,'), nested(500_000).padEnd(1_100_000)])
      await parseJson(text);
    await expect(parseJson(nested(600_000))).rejects.toThrow(
      'expected at most 524288 levels of JSON, got more',
    );
    await expect(parseJson(`[${'{},'.repeat(2_000_000)}0]`)).rejects.toThrow('2000000 lists and objects');
  });

  test('a text past 1 MiB leaves the event loop to others', async () => {
    const entry = `{"action":"a","data":{"n":[1,2.5,"text"],"deep":{"a":{"b":null}}}}`;
    const text = `[${Array.from({ length: 120_000 }, () => entry).join(',')}]`;
    let turns = 0;
    let isDone = false;
    const reading = parseJson(text).finally(() => {
      isDone = true;
    });
    for (; !isDone; turns += 1) await setImmediate();
    expect(await reading).toHaveLength(120_000);
    expect(turns).toBeGreaterThan(5);
  });

  const shapes: [string, (size: number) => string][] = [
    ['numbers that are no sure ones', (size) => `[${'0.12345678901234567,'.repeat(size / 20)}0]`],
    ['one long number', (size) => '7'.repeat(size)],
    ['a long fraction', (size) => `0.${'0'.repeat(size)}1`],
    ['a long exponent', (size) => `1e${'0'.repeat(size)}1`],
    [
      'names',
      (size) => `{${Array.from({ length: size / 10 }, (_, at) => `"${at + 10_000_000}":0`).join(',')}}`,
    ],
    ['names that stand twice', (size) => `[${'{"a":1,"a":1},'.repeat(size / 14)}0]`],
    ['one name over and over', (size) => `{${'"a":1,'.repeat(size / 6)}"a":1}`],
    ['backslashes', (size) => `["${'\\\\'.repeat(size / 2)}",1e400]`],
    ['quotes', (size) => `["${'\\"'.repeat(size / 2)}",1e400]`],
    ['a string that does not end', (size) => `["${'\\"'.repeat(size / 2)}`],
    ['white space', (size) => `[${' '.repeat(size)}1e400]`],
    ['nesting', (size) => `${'['.repeat(size / 2)}1e400${']'.repeat(size / 2)}`],
    ['names twice in deep nesting', (size) => `${'{"a":1,"a":'.repeat(size / 12)}1${'}'.repeat(size / 12)}`],
  ];
  test.each(shapes)('time is linear in %s', async (_, shape) => {
    const cost = async (size: number) => {
      const text = shape(size);
      let best = Number.POSITIVE_INFINITY;
      for (let run = 0; run < 3; run += 1) {
        const start = process.threadCpuUsage();
        await readJson(text).catch(() => {});
        const { user, system } = process.threadCpuUsage(start);
        best = Math.min(best, user + system);
      }
      return best;
    };
    const [one, two, four] = [await cost(100_000), await cost(200_000), await cost(400_000)];
    // What is quadratic takes 16 times as long; 20 ms is what collecting garbage may take of it.
    expect(two).toBeLessThan(4 * one + 20_000);
    expect(four).toBeLessThan(8 * one + 20_000);
  });
});
