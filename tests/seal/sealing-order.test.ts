import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FAR, MOST_OF_A_TURN, sealingOrder, type WaitingLog } from '../../src/seal/sealing-order.js';

const waiting = fc.uniqueArray(
  fc.record({
    tenantId: fc.string({ minLength: 1, maxLength: 4 }),
    oldestAt: fc.nat(1_000),
    entries: fc.integer({ min: 1, max: FAR }),
  }),
  { selector: ({ tenantId }) => tenantId, maxLength: 100 },
);

describe('the order of sealing', () => {
  test('gives each tenant one turn of something in each round, and none more than a turn may take', () =>
    fc.assert(
      fc.property(waiting, (logs) => {
        const groups = sealingOrder(logs, new Map());
        const takes = groups.flat();
        expect(takes.map(({ tenantId }) => tenantId).toSorted()).toEqual(
          logs.map(({ tenantId }) => tenantId).toSorted(),
        );
        for (const group of groups) {
          const most = group.reduce((sum, take) => sum + take.most, 0);
          expect(most).toBeGreaterThan(0);
          expect(most).toBeLessThanOrEqual(MOST_OF_A_TURN);
        }
      }),
    ));

  test('those of few entries go by the age of the oldest, or by their last turn if that is later', () =>
    fc.assert(
      fc.property(
        waiting,
        fc.dictionary(fc.string({ minLength: 1, maxLength: 4 }), fc.nat(2_000)),
        (logs, at) => {
          const servedAt = new Map(Object.entries(at));
          const few = logs.map((log) => ({ ...log, entries: Math.min(log.entries, 10) }));
          const since = new Map(
            few.map(({ tenantId, oldestAt }) => [tenantId, Math.max(oldestAt, servedAt.get(tenantId) ?? 0)]),
          );
          const order = sealingOrder(few, servedAt)
            .flat()
            .map(({ tenantId }) => since.get(tenantId)!);
          expect(order).toEqual(order.toSorted((a, b) => a - b));
        },
      ),
    ));

  test('a backlog waits behind who came since its last turn', () => {
    const logs: WaitingLog[] = [
      { tenantId: 'backlog', oldestAt: 0, entries: FAR },
      { tenantId: 'lone', oldestAt: 100, entries: 1 },
    ];
    const first = (servedAt: number | null) =>
      sealingOrder(logs, new Map(servedAt === null ? [] : [['backlog', servedAt]]))[0]![0]!.tenantId;
    expect([first(null), first(50), first(150)]).toEqual(['backlog', 'backlog', 'lone']);
  });

  test('five thousand tenants are few transactions, and many backlogs are shared out', () => {
    const many = (count: number, entries: number) =>
      Array.from({ length: count }, (_, nr) => ({ tenantId: String(nr), oldestAt: nr, entries }));
    expect(sealingOrder(many(5_000, 3), new Map()).length).toBeLessThanOrEqual(20);
    const takes = sealingOrder(many(100, FAR), new Map()).flat();
    expect(takes.reduce((sum, { most }) => sum + most, 0)).toBeLessThanOrEqual(50_000);
    expect(sealingOrder(many(1, FAR), new Map())).toEqual([[{ tenantId: '0', most: MOST_OF_A_TURN }]]);
  });
});
