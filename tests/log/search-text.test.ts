import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSearchable, normalize, searchNeedle, searchText } from '../../src/log/entry/search-text.js';

const finds = (data: Record<string, unknown>, term: string) =>
  searchText({ data }).includes(searchNeedle(term));
/** Every character that has another case or another form, but for Hangul syllables. */
const VARIED: string[] = [];
for (let point = 0; point <= 0x2ffff; point += 1) {
  if ((point >= 0xac00 && point <= 0xdfff) || (point >= 0x20000 && point < 0x2f800)) continue;
  const each = String.fromCodePoint(point);
  if ([each.toLowerCase(), each.toUpperCase(), each.normalize('NFKD')].some((other) => other !== each))
    VARIED.push(each);
}
const hex = (text: string) => Array.from(text, (each) => each.codePointAt(0)!.toString(16)).join(' ');

describe('normalized text', () => {
  it.each([
    ['jose\u0301', 'josé'],
    ['istanbul', 'İSTANBUL'],
    ['password', 'pass\u200bword'],
    ['card declined', 'card\u00a0declined'],
    ['STRASSE', 'straße'],
    ['GROẞE', 'große'],
    ['ΟΔΟΣ', 'οδος'],
    ['οδοσ', 'οδος'],
    ['ﬁle', 'FILE'],
    ['１２３', '123'],
    ['Ｒｅｅｌ', 'reel'],
    ['two\r\n\tlines', 'two lines'],
    ['ideographic\u3000space', 'ideographic space'],
    ['next\u0085line', 'next line'],
    ['soft\u00adhyphen', 'softhyphen'],
    ['admin\u202egpj.exe', 'admingpj.exe'],
    ['tag\u{e0041}ged', 'tagged'],
    ['heart❤\ufe0f', 'heart❤'],
    ['i\u0307stanbul', 'istanbul'],
  ])('%j is %j, and each finds the other', (one, other) => {
    expect(normalize(one)).toBe(normalize(other));
    for (const [text, term] of [
      [one, other],
      [other, one],
    ] as const)
      expect(finds({ text: `before ${text} behind` }, term)).toBe(true);
  });

  it.each([
    ['ılık', 'ilik'],
    ['a', 'á'],
    ['ab', 'a b'],
    ['\u0600\u0661', '1'],
  ])('%j is not %j', (one, other) => {
    expect(normalize(one)).not.toBe(normalize(other));
  });

  it('of each character in either case and each composition is the same, but for the dotless i', () => {
    const different = new Set<string>();
    for (const each of VARIED) {
      const folded = normalize(each);
      const others = [each.toLowerCase(), each.toUpperCase(), each.toUpperCase().toLowerCase()];
      for (const other of [...others, ...['NFC', 'NFD', 'NFKC', 'NFKD'].map((form) => each.normalize(form))])
        if (normalize(other) !== folded) different.add(hex(each));
    }
    expect([...different]).toEqual([hex('ı')]);
  });

  it('is the same for characters that an expression without case takes for the same', () => {
    // Simple case folding of Unicode (ECMAScript, Canonicalize).
    const different: string[] = [];
    for (const each of VARIED) {
      const folded = normalize(each);
      if (folded === each || [...folded].length !== 1) continue;
      for (const other of [each.toLowerCase(), each.toUpperCase()])
        if (
          [...other].length === 1 &&
          new RegExp(`^\\u{${hex(each)}}$`, 'iu').test(other) &&
          normalize(other) !== folded
        )
          different.push(hex(each));
    }
    expect(different).toEqual([]);
  });

  it('has nothing left to normalize', () => {
    for (const each of VARIED) expect(normalize(normalize(each)) === normalize(each) || hex(each)).toBe(true);
    const text = fc.string({ unit: 'binary', maxLength: 20 });
    fc.assert(
      fc.property(text, (given) => {
        expect(normalize(normalize(given))).toBe(normalize(given));
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    ['', false],
    [' \t\u00a0', false],
    ['\u200b\u00ad', false],
    ['\u200b \u200b', false],
    ['%', true],
    ['\u0301', true],
  ])('%j can be looked for: %s', (term, is) => {
    expect(isSearchable(searchNeedle(term))).toBe(is);
  });
});

describe('searchText', () => {
  it('contains a needle exactly where one of its pieces does', () => {
    const word = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.string({
        unit: fc.constantFrom('a', 'B', 'ß', 'ſ', '\n', ' ', 'e', '\u0301', 'İ', '\u200b'),
        maxLength: 8,
      }),
    );
    fc.assert(
      fc.property(word, word, word, word, (key, text, module, term) => {
        const found = [key, text, module].some((piece) => normalize(piece).includes(normalize(term)));
        const has = searchText({ module, data: { [key]: [{ [key]: text }] } }).includes(searchNeedle(term));
        expect(has).toBe(found);
      }),
      { numRuns: 5_000 },
    );
  });

  it('has every field that is shown, and data, and nothing else', () => {
    const entry = {
      id: 'ID',
      module: 'Module',
      action: 'Action',
      severity: 'INFO',
      origin: 'MODULE',
      resourceType: 'Type',
      resourceId: 'Resource',
      resourceName: 'Called',
      actorId: 'Actor',
      actorName: 'Name',
      actorEmail: 'Mail',
      actorType: 'USER',
      onBehalfOfId: 'Behalf',
      onBehalfOfName: 'Whose',
      userAgent: 'Agent',
      requestId: 'Request',
      ipAddress: '2001:db8::7',
      tenantId: 'Tenant',
      clientId: 'Client',
      outcome: 'DENIED',
      data: { Key: [1.5, true, null, 'Text'] },
    };
    expect(searchText(entry).split('\n').sort()).toEqual(
      [
        ...[
          'id',
          'module',
          'action',
          'type',
          'resource',
          'called',
          'actor',
          'name',
          'mail',
          'behalf',
          'whose',
        ],
        ...['agent', 'request', '2001:db8::7', 'key', '1.5', 'true', 'text'],
      ].sort(),
    );
  });

  it.each<[Record<string, unknown>, string, boolean]>([
    [{ Card: 'DECLINED' }, 'card', true],
    [{ Card: 'DECLINED' }, 'declined', true],
    [{ a: 12.5 }, '2.', true],
    [{ a: true, b: [false] }, 'FALSE', true],
    [{ a: null }, 'null', false],
    [{ a: 'say "hi"\n' }, '"hi"\n', true],
    [{ a: 'back\\slash' }, '\\slash', true],
    [{ a: '100%' }, '0%', true],
    [{ a: '1000' }, '1%0', false],
    [{ a: 'xy' }, 'x_', false],
    [{ ab: 'cd' }, 'abcd', false],
    [{ ab: 'cd' }, 'ab\ncd', false],
    [{ a: ['one', 'two'] }, 'one two', false],
  ])('%j, looking for %j: %s', (data, term, found) => {
    expect(finds(data, term)).toBe(found);
  });
});
