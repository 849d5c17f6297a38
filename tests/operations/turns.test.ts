import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { type EndTurn, Turns } from '../../src/database/turns.js';

const refusal = new Error('too many wait');

/** What happens to turns: somebody asks, the turn that is so manieth ends, or one that waits hangs up. */
type Event = { ask: string; isBounded: boolean } | { end: number } | { hangUp: number };

const key = fc.constantFrom('a', 'b', 'c', 'd');
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ ask: key, isBounded: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ end: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ hangUp: fc.nat(20) }) },
);
const bounds = fc
  .record({ atOnce: fc.integer({ min: 1, max: 6 }), share: fc.double({ min: 0.2, max: 1, noNaN: true }) })
  .chain(({ atOnce, share }) =>
    fc.record({
      atOnce: fc.constant(atOnce),
      atOncePerKey: fc.constant(Math.max(1, Math.floor(atOnce * share))),
      waitingPerKey: fc.nat(4),
    }),
  );

interface Asked {
  key: string;
  nr: number;
  isBounded: boolean;
  end: EndTurn | null;
  gone: AbortController;
  outcome: 'waits' | 'taken' | 'ended' | 'refused' | 'left';
  /** Turns that each other key was given since this one was the first of its key, and within its bound. */
  passedBy: Map<string, number>;
}

const settled = () => new Promise((done) => setImmediate(done));

describe('turns', () => {
  test('whatever happens: bounds hold, nothing free is left to those that wait, and no key passes another twice', () =>
    fc.assert(
      fc.asyncProperty(bounds, fc.array(event, { maxLength: 60 }), async (limits, events) => {
        const turns = new Turns(limits, () => refusal);
        const all: Asked[] = [];
        const of = (outcome: Asked['outcome'], named?: string) =>
          all.filter((each) => each.outcome === outcome && (named === undefined || each.key === named));
        const isWithin = (named: string) => of('taken', named).length < limits.atOncePerKey;
        const onTaken = (asked: Asked) => {
          asked.outcome = 'taken';
          for (const first of new Map(
            of('waits')
              .toReversed()
              .map((each) => [each.key, each]),
          ).values())
            if (first.key !== asked.key && isWithin(first.key)) {
              const times = (first.passedBy.get(asked.key) ?? 0) + 1;
              first.passedBy.set(asked.key, times);
              expect(times).toBeLessThanOrEqual(1);
            }
        };
        const ask = (named: string, isBounded: boolean) => {
          const asked: Asked = {
            key: named,
            nr: all.length,
            isBounded,
            end: null,
            gone: new AbortController(),
            outcome: 'waits',
            passedBy: new Map(),
          };
          const waiting = of('waits', named).length;
          all.push(asked);
          turns.take(named, { signal: asked.gone.signal, isBounded }).then(
            (end) => {
              asked.end = end;
              onTaken(asked);
            },
            (error) => {
              asked.outcome = error === refusal ? 'refused' : 'left';
              if (error === refusal) {
                expect(isBounded).toBe(false);
                expect(waiting).toBeGreaterThanOrEqual(limits.waitingPerKey);
              }
            },
          );
        };
        for (const each of events) {
          if ('ask' in each) ask(each.ask, each.isBounded);
          else if ('end' in each) {
            const taken = of('taken');
            const one = taken[each.end % Math.max(1, taken.length)];
            if (one) {
              one.outcome = 'ended';
              one.end!();
              // Only the first call counts.
              one.end!();
            }
          } else {
            const waits = of('waits');
            waits[each.hangUp % Math.max(1, waits.length)]?.gone.abort(new Error('hung up'));
          }
          await settled();
          expect(of('taken').length).toBe(turns.atOnce);
          expect(of('waits').length).toBe(turns.waiting);
          expect(turns.atOnce).toBeLessThanOrEqual(limits.atOnce);
          for (const named of ['a', 'b', 'c', 'd']) {
            expect(of('taken', named).length).toBeLessThanOrEqual(limits.atOncePerKey);
            const waits = of('waits', named);
            expect(waits.filter(({ isBounded }) => !isBounded).length).toBeLessThanOrEqual(
              Math.max(limits.waitingPerKey, 0),
            );
            // Within a key, first come, first served.
            for (const { nr } of waits) expect(of('taken', named).every((taken) => taken.nr < nr)).toBe(true);
            if (waits.length > 0) expect(turns.atOnce === limits.atOnce || !isWithin(named)).toBe(true);
          }
        }
        for (const asked of all) {
          asked.gone.abort(new Error('hung up'));
          asked.end?.();
        }
        await settled();
        for (const asked of all) asked.end?.();
        expect([turns.atOnce, turns.waiting]).toEqual([0, 0]);
      }),
      { numRuns: 300 },
    ));

  test('one without waiting is given only where nobody waits', async () => {
    const turns = new Turns({ atOnce: 2, atOncePerKey: 1, waitingPerKey: 1 }, () => refusal);
    const end = turns.takeNow('a');
    expect(end).not.toBeNull();
    expect(turns.takeNow('a')).toBeNull();
    const waits = turns.take('a');
    await expect(turns.take('a')).rejects.toBe(refusal);
    expect(turns.takeNow('b')).not.toBeNull();
    expect(turns.takeNow('c')).toBeNull();
    end!();
    (await waits)();
    expect(turns.takeNow('a')).not.toBeNull();
  });

  test('who has waited too long is refused, unless the number of those is bounded elsewhere', async () => {
    vi.useFakeTimers();
    try {
      const turns = new Turns({ atOnce: 1, atOncePerKey: 1, waitingPerKey: 5, waitMs: 1_000 }, () => refusal);
      const end = await turns.take('a');
      const refused = expect(turns.take('b')).rejects.toBe(refusal);
      const stays = turns.take('b', { isBounded: true });
      await vi.advanceTimersByTimeAsync(1_001);
      await refused;
      expect(turns.waiting).toBe(1);
      end();
      (await stays)();
    } finally {
      vi.useRealTimers();
    }
  });
});
