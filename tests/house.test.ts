import { expect, test } from 'vitest';
import { DOORS, faults, passages, roomOf } from './house.js';

test('every import goes through a door of the house', () => {
  expect(passages().length).toBeGreaterThan(100);
  expect(faults()).toEqual([]);
});

test('every room has its doors written down', () => {
  const rooms = new Set(passages().flatMap(({ from }) => [roomOf(from)]));
  expect([...rooms].filter((room) => !(room in DOORS))).toEqual([]);
});
