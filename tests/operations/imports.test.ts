import { expect, test } from 'vitest';
import { areaOf, cycles, folderOf, imports, MAY_IMPORT, violations } from '../support/imports.js';

test('imports go one way between folders', () => {
  expect(imports().length).toBeGreaterThan(100);
  expect(violations()).toEqual([]);
});

test('every folder says what it may import', () => {
  const areas = new Set(imports().map(({ from }) => areaOf(from)));
  expect([...areas].filter((area) => !(area in MAY_IMPORT))).toEqual([]);
});

test('a cycle between folders is found, however long', () => {
  const tied = [
    { from: 'src/log/read/a.ts', to: 'src/log/entry/b.ts' },
    { from: 'src/log/entry/c.ts', to: 'src/log/write/d.ts' },
    { from: 'src/log/write/e.ts', to: 'src/log/read/f.ts' },
  ];
  expect(cycles(tied, folderOf)).toHaveLength(1);
  expect(cycles(tied, areaOf)).toEqual([]);
  expect(cycles(tied.slice(1), folderOf)).toEqual([]);
});
