import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pageText, root } from './pages.js';

const page = pageText('docs/security.md');
const rows = page
  .split('\n')
  .filter(
    (line) => line.startsWith('| ') && !line.startsWith('| Requirement') && !line.startsWith('| Advice'),
  )
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

/** The requirements of levels 1 and 2 of ASVS 5.0.0, by section. */
const REQUIREMENTS: Record<string, string> = {
  '1.1': '1 2',
  '1.2': '1 2 3 4 5 6 7 8 9',
  '1.3': '1 2 3 4 5 6 7 8 9 10 11',
  '1.4': '1 2 3',
  '1.5': '1 2',
  '2.1': '1 2 3',
  '2.2': '1 2 3',
  '2.3': '1 2 3 4',
  '2.4': '1',
  '3.2': '1 2',
  '3.3': '1 2 3 4',
  '3.4': '1 2 3 4 5 6',
  '3.5': '1 2 3 4 5',
  '3.7': '1 2',
  '4.1': '1 2 3',
  '4.2': '1',
  '4.3': '1 2',
  '4.4': '1 2 3 4',
  '5.1': '1',
  '5.2': '1 2 3',
  '5.3': '1 2',
  '5.4': '1 2 3',
  '6.1': '1 2 3',
  '6.2': '1 2 3 4 5 6 7 8 9 10 11 12',
  '6.3': '1 2 3 4',
  '6.4': '1 2 3 4',
  '6.5': '1 2 3 4 5',
  '6.6': '1 2 3',
  '6.8': '1 2 3 4',
  '7.1': '1 2 3',
  '7.2': '1 2 3 4',
  '7.3': '1 2',
  '7.4': '1 2 3 4 5',
  '7.5': '1 2',
  '7.6': '1 2',
  '8.1': '1 2',
  '8.2': '1 2 3',
  '8.3': '1',
  '8.4': '1',
  '9.1': '1 2 3',
  '9.2': '1 2 3 4',
  '10.1': '1 2',
  '10.2': '1 2',
  '10.3': '1 2 3 4',
  '10.4': '1 2 3 4 5 6 7 8 9 10 11',
  '10.5': '1 2 3 4 5',
  '10.6': '1 2',
  '10.7': '1 2 3',
  '11.1': '1 2',
  '11.2': '1 2 3',
  '11.3': '1 2 3',
  '11.4': '1 2 3 4',
  '11.5': '1',
  '11.6': '1',
  '12.1': '1 2 3',
  '12.2': '1 2',
  '12.3': '1 2 3 4',
  '13.1': '1',
  '13.2': '1 2 3 4 5',
  '13.3': '1 2',
  '13.4': '1 2 3 4 5',
  '14.1': '1 2',
  '14.2': '1 2 3 4',
  '14.3': '1 2 3',
  '15.1': '1 2 3',
  '15.2': '1 2 3',
  '15.3': '1 2 3 4 5 6 7',
  '16.1': '1',
  '16.2': '1 2 3 4 5',
  '16.3': '1 2 3 4',
  '16.4': '1 2 3',
  '16.5': '1 2 3',
  '17.1': '1',
  '17.2': '1 2 3 4',
  '17.3': '1 2',
};

/** `6.5.1–6.5.5, 6.6.1–6.6.3` and the like. */
function numbersOf(cell: string): string[] {
  const numbers: string[] = [];
  for (const [, section, first, last] of cell.matchAll(/(\d+\.\d+)\.(\d+)(?:–\d+\.\d+\.(\d+))?/g))
    for (const each of REQUIREMENTS[section!]?.split(' ') ?? [])
      if (Number(each) >= Number(first) && Number(each) <= Number(last ?? first))
        numbers.push(`${section}.${each}`);
  return numbers;
}

describe('docs/security.md', () => {
  test('has each requirement once', () => {
    const all = Object.entries(REQUIREMENTS).flatMap(([section, each]) =>
      each.split(' ').map((number) => `${section}.${number}`),
    );
    expect(all).toHaveLength(253);
    const named = rows.flatMap(([first = '']) => (/^\d/.test(first) ? numbersOf(first) : []));
    expect(named.toSorted()).toEqual(all.toSorted());
  });

  test('says of each what Reel does or that it is the operator’s, and what shows it', () => {
    expect(rows.length).toBeGreaterThan(100);
    for (const cells of rows) {
      expect([cells[0], cells.length]).toEqual([cells[0], 4]);
      const [, does = '', shown = '', operators = ''] = cells;
      expect([cells[0], does !== '' || operators !== '']).toEqual([cells[0], true]);
      expect([cells[0], shown]).toEqual([cells[0], expect.stringMatching(/^(?:–|`tests\/)/)]);
    }
  });

  test('names tests that are there', () => {
    const files = new Set([...page.matchAll(/`(tests\/[\w./-]+\.ts)`/g)].map(([, file]) => file!));
    expect(files.size).toBeGreaterThan(40);
    expect([...files].filter((file) => !existsSync(join(root, file)))).toEqual([]);
    const folders = new Set([...page.matchAll(/`((?:src|web)\/[\w./-]+)`/g)].map(([, path]) => path!));
    expect([...folders].filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
