import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { searchNeedle, searchText } from '../../src/log/entry/search-text.js';

const finds = (data: Record<string, unknown>, term: string) =>
  searchText(data)?.includes(searchNeedle(term)) ?? false;

describe('searchText', () => {
  it('finds every part of every key and text, in any case', () => {
    const word = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(word, word, fc.nat(11), fc.nat(11), (key, text, from, to) => {
        const data = { [key]: [{ inner: text }] };
        const part = Array.from(text).slice(Math.min(from, to), Math.max(from, to)).join('');
        for (const term of [key, text, part, text.toLowerCase()]) expect(finds(data, term)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[Record<string, unknown>, string, boolean]>([
    [{ Card: 'DECLINED' }, 'card', true],
    [{ Card: 'DECLINED' }, 'declined', true],
    [{ a: 'STRASSE Ä' }, 'ä', true],
    [{ a: 'ΟΔΟΣ' }, 'οδος', true],
    [{ a: 'ΟΔΟΣ' }, 'οδοσ', true],
    [{ a: 'ΟΔΟΣ ΟΔΟΣΑ' }, 'οδοσα', true],
    [{ a: 12.5 }, '12.5', true],
    [{ a: 12.5 }, '2.', true],
    [{ a: true, b: [false] }, 'FALSE', true],
    [{ a: null }, 'null', false],
    [{ a: 'say "hi"\n' }, '"hi"\n', true],
    [{ a: 'back\\slash' }, '\\slash', true],
    [{ a: '100%' }, '0%', true],
    [{ a: '1000' }, '1%0', false],
    [{ a: 'xy' }, 'x_', false],
    [{ ab: 'cd' }, 'abcd', false],
    [{ a: ['one', 'two'] }, 'onetwo', false],
    [{ a: 'one', b: 'x' }, 'one\uFFFFb', false],
    [{ a: 'one\uFFFFb' }, 'one\uFFFFb', true],
  ])('%j, looking for %j: %s', (data, term, found) => {
    expect(finds(data, term)).toBe(found);
  });

  it('is null where there is nothing to find', () => {
    expect(searchText(null)).toBeNull();
    expect(searchText({})).toBeNull();
  });
});
