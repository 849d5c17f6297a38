import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { markedText, piecesOf } from '../../web/stage/parts/recorded-text.js';
import { rowsOf, startViewer, type TestViewer } from '../support/viewer.js';

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

describe('a recorded text in pieces', () => {
  const odd = fc.constantFrom(
    '\u202e',
    '\u2066',
    '\u200b',
    '\u0000',
    '\u00ad',
    '\u2028',
    '\u{e0041}',
    '\ufe0f',
    '\u200d',
    '👩',
    'é',
    '\n',
  );

  test('loses nothing and lets no character pass unseen', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(odd, fc.string({ unit: 'binary' }))), (parts) => {
        const text = parts.join('');
        const pieces = piecesOf(text);
        const written = pieces.map(({ text: piece, isMark }) =>
          isMark ? String.fromCodePoint(Number.parseInt(piece.slice(2), 16)) : piece,
        );
        expect(written.join('')).toBe(text);
        for (const { text: piece, isMark } of pieces)
          if (!isMark)
            expect(
              piece.replace(/[\n\t\r]|\p{Extended_Pictographic}(?:\uFE0F|\u200D|\p{Emoji_Modifier})*/gu, ''),
            ).not.toMatch(UNSEEN);
      }),
    );
  });

  test.each([
    ['plain', ['plain']],
    ['admin\u202egpj.exe', ['admin', 'U+202E', 'gpj.exe']],
    ['pay\u200bpal', ['pay', 'U+200B', 'pal']],
    ['👩\u200d💻 ok', ['👩\u200d💻 ok']],
    ['a\u200db', ['a', 'U+200D', 'b']],
    ['p\u0430dari\u0430', ['p', 'U+0430', 'dari', 'U+0430']],
    ['\u041c\u043e\u0441\u043a\u0432\u0430 Lisboa', ['\u041c\u043e\u0441\u043a\u0432\u0430 Lisboa']],
    ['\u{e0001}', ['U+E0001']],
  ])('%j', (text, expected) => {
    expect(piecesOf(text).map((piece) => piece.text)).toEqual(expected);
  });

  test('as text alone, in brackets and isolated', () => {
    expect(markedText('a\u202eb')).toBe('\u2068a[U+202E]b\u2069');
  });
});

describe('in the viewer', () => {
  let viewer: TestViewer;
  let ids: string[];
  beforeAll(async () => {
    viewer = await startViewer();
    ids = await viewer.write([
      {
        action: 'files.open',
        actorName: 'admin\u202egpj.exe',
        actorEmail: 'a\u202emoc.elpmaxe@b.example',
        resourceType: 'shop',
        resourceId: 'pay\u200bpal',
        resourceName: 'pay\u200bpal',
        onBehalfOfName: 'No\u2067ra',
        data: { 'key\u200b': 'x\u202ey', before: { v: 'a\u00adb' }, after: { v: 'c' } },
      },
    ]);
  });
  afterAll(() => viewer?.close());

  test('what cannot be seen is marked wherever a recorded text stands, and each is isolated', async () => {
    const { page, watched, close } = await viewer.open(`?entry=${ids[0]}`);
    const details = page.locator('.details');
    await details.getByText('U+00AD').first().waitFor();
    const shown = await page.evaluate(() => {
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      const found: { text: string; isIsolated: boolean }[] = [];
      while (walker.nextNode())
        found.push({
          text: walker.currentNode.textContent ?? '',
          isIsolated: walker.currentNode.parentElement?.closest('bdi, textarea, input') !== null,
        });
      const titles = [...document.querySelectorAll('[title], [aria-label]')].flatMap((element) => [
        element.getAttribute('title') ?? '',
        element.getAttribute('aria-label') ?? '',
      ]);
      return { found, titles };
    });
    for (const text of [...shown.found.map((each) => each.text), ...shown.titles])
      expect(text).not.toMatch(/[\u202e\u200b\u2067\u00ad]/u);
    for (const { text, isIsolated } of shown.found)
      if (/gpj\.exe|moc\.elpmaxe|U\+/.test(text) && !text.includes('\u2068'))
        expect({ text, isIsolated }).toEqual({ text, isIsolated: true });
    expect(await rowsOf(page).first().locator('[data-column=actor]').textContent()).toContain(
      'adminU+202Egpj.exe',
    );
    expect(watched).toEqual({ foreign: [], violations: [], errors: [] });
    await close();
  });
});
