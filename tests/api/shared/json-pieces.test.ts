import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { objectPieces } from '../../../src/http/json-pieces.js';

const space = fc.constantFrom('', '', ' ', '\n', '\t\r ');
/** JSON of an object with few names, spaced at random, and what it holds, in order. */
const written = fc
  .tuple(
    fc.array(
      fc.tuple(
        fc.constantFrom('list', 'a', '', 'é"\\', '}]', '__proto__'),
        fc.oneof(
          fc.json(),
          fc.array(fc.json({ maxDepth: 2 })).map((items) => `[${items.join(' , ')}]`),
        ),
      ),
      { maxLength: 5 },
    ),
    space,
  )
  .map(([members, gap]) => ({
    text: `${gap}{${gap}${members
      .map(([name, json]) => `${gap}${JSON.stringify(name)}${gap}:${gap}${json}${gap}`)
      .join(',')}}${gap}`,
    members: members.map(([name, json]) => [name, JSON.parse(json) as unknown] as const),
  }));

const piecesOf = (text: string) => [...objectPieces(text, 'list')].filter((piece) => piece !== null);

describe('the pieces of an object', () => {
  test('are its members, and the items of the list, each as its own text', () => {
    fc.assert(
      fc.property(written, ({ text, members }) => {
        const expected = members.flatMap(([name, value]): unknown[] =>
          name === 'list' && Array.isArray(value)
            ? [[name, '['], ...value.map((item: unknown) => ['item', item])]
            : [[name, value]],
        );
        const found = piecesOf(text).map((piece) =>
          'item' in piece
            ? ['item', JSON.parse(piece.item)]
            : [piece.member, piece.text === '[' ? '[' : JSON.parse(piece.text)],
        );
        expect(JSON.stringify(found)).toBe(JSON.stringify(expected));
      }),
      { numRuns: 500 },
    );
  });

  test('of a text that is no JSON, one is none either, or what stands around them is told', () => {
    fc.assert(
      fc.property(
        written,
        fc.nat(),
        fc.constantFrom('', '"', ',', '\\', '}', ']', '[', '{', ':', '-', 'x', '\0', '\ufeff'),
        ({ text }, at, piece) => {
          const place = at % (text.length + 1);
          const broken = text.slice(0, place) + piece + text.slice(place + 1);
          const isObject = (() => {
            try {
              const value: unknown = JSON.parse(broken);
              return typeof value === 'object' && value !== null && !Array.isArray(value);
            } catch {
              return false;
            }
          })();
          const isRead = (() => {
            try {
              for (const each of piecesOf(broken)) {
                const part = 'item' in each ? each.item : each.text;
                if (part !== '[') JSON.parse(part);
              }
              return true;
            } catch (error) {
              expect(error).toBeInstanceOf(SyntaxError);
              return false;
            }
          })();
          expect(isRead).toBe(isObject);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test.each<[string, (size: number) => string]>([
    ['nesting', (size) => `{"list":[${'['.repeat(size / 2)}${']'.repeat(size / 2)}]}`],
    ['items', (size) => `{"list":[${'0,'.repeat(size / 2)}0]}`],
    ['members', (size) => `{${'"a":0,'.repeat(size / 6)}"a":0}`],
    ['backslashes', (size) => `{"list":["${'\\\\'.repeat(size / 2)}"]}`],
    ['quotes', (size) => `{"list":["${'\\"'.repeat(size / 2)}"]}`],
    ['a string that does not end', (size) => `{"list":["${'\\"'.repeat(size / 2)}`],
    ['white space', (size) => `{${' '.repeat(size)}`],
  ])('time is linear in %s', (_, shape) => {
    const cost = (size: number) => {
      const text = shape(size);
      let best = Number.POSITIVE_INFINITY;
      for (let run = 0; run < 3; run += 1) {
        const start = process.threadCpuUsage();
        try {
          piecesOf(text);
        } catch {}
        const { user, system } = process.threadCpuUsage(start);
        best = Math.min(best, user + system);
      }
      return best;
    };
    const [one, four] = [cost(200_000), cost(800_000)];
    // What is quadratic takes 16 times as long; 20 ms is what collecting garbage may take of it.
    expect(four).toBeLessThan(8 * one + 20_000);
  });
});
