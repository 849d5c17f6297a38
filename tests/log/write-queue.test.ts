import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WriteQueue } from '../../src/log/write/write-queue.js';

interface Item {
  writer: string;
  tenant: string;
  nr: number;
  cost: number;
}

const QUANTUM = 16;
const MOST = 1_000;
const items = (most: number) =>
  fc
    .array(
      fc.record({
        writer: fc.constantFrom('a', 'b', 'c'),
        tenant: fc.constantFrom('x', 'y'),
        cost: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: MOST })),
      }),
      { maxLength: most },
    )
    .map((all) => all.map((item, nr): Item => ({ ...item, nr })));

const queueOf = (all: readonly Item[]) => {
  const queue = new WriteQueue<Item>(({ cost }) => cost, QUANTUM);
  for (const item of all) queue.push(item.writer, item.tenant, item);
  return queue;
};
const drain = (queue: WriteQueue<Item>, most = Number.POSITIVE_INFINITY) => {
  const taken: Item[] = [];
  while (queue.length > 0 && taken.length < most) taken.push(queue.shift()!);
  return taken;
};
const costOf = (all: readonly Item[]) => all.reduce((sum, { cost }) => sum + cost, 0);

describe('the queue of writes', () => {
  test('gives each item once, those of a writer and tenant in order, and the head is what comes next', () =>
    fc.assert(
      fc.property(items(60), items(30), fc.nat(40), (first, later, between) => {
        const queue = queueOf(first);
        const taken = drain(queue, between);
        for (const item of later)
          queue.push(item.writer, item.tenant, { ...item, nr: item.nr + first.length });
        while (queue.length > 0) {
          const head = queue.head();
          expect(queue.shift()).toBe(head);
          taken.push(head!);
        }
        expect(queue.head()).toBeUndefined();
        expect(taken.map(({ nr }) => nr).toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: first.length + later.length }, (_, nr) => nr),
        );
        for (const line of Map.groupBy(taken, ({ writer, tenant }) => `${writer} ${tenant}`).values())
          expect(line.map(({ nr }) => nr)).toEqual(line.map(({ nr }) => nr).toSorted((a, b) => a - b));
      }),
    ));

  test('while two writers wait, neither has had more than the other but for a turn, whatever their items cost', () =>
    fc.assert(
      fc.property(items(80), (all) => {
        const queue = queueOf(all);
        const served = { a: 0, b: 0 };
        const left = (writer: string) => all.some((item) => item.writer === writer && !taken.has(item));
        const taken = new Set<Item>();
        while (left('a') && left('b')) {
          const item = queue.shift()!;
          taken.add(item);
          if (item.writer !== 'c') served[item.writer as 'a' | 'b'] += item.cost;
          expect(Math.abs(served.a - served.b)).toBeLessThanOrEqual(2 * (QUANTUM + MOST));
        }
      }),
    ));

  test('one writer with many tenants takes no more of another than with one', () => {
    const flood = Array.from({ length: 2_000 }, (_, nr) => ({
      writer: 'flood',
      tenant: String(nr % 500),
      nr,
      cost: 1,
    }));
    const queue = queueOf([...flood, { writer: 'lone', tenant: 'x', nr: 2_000, cost: 1 }]);
    expect(
      costOf(
        drain(queue)
          .slice(0, QUANTUM + 1)
          .filter(({ writer }) => writer === 'lone'),
      ),
    ).toBe(1);
  });

  test('a tenant gets its turn beside a flood of another by the same writer', () => {
    const flood = Array.from({ length: 2_000 }, (_, nr) => ({ writer: 'a', tenant: 'flood', nr, cost: 1 }));
    const queue = queueOf([...flood, { writer: 'a', tenant: 'lone', nr: 2_000, cost: 1 }]);
    expect(drain(queue, 2 * QUANTUM + 1).some(({ tenant }) => tenant === 'lone')).toBe(true);
  });
});
