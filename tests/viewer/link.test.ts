import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromMicros } from '../../src/log/counts/time-spans.js';
import { StatsInterval } from '../../src/log/stats/log-stats.js';
import { bucketBounds } from '../../src/log/stats/time-buckets.js';
import { RANGES, type Range, readLink, type View, writeLink } from '../../web/stage/link.js';
import { type Bucket, emptyBuckets, emptyTimeline, extended } from '../../web/stage/list/buckets.js';
import { fromInputValue, startOfDay, toInputValue, trimInstant } from '../../web/stage/parts/times.js';

const instants = fc
  .date({ min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((at) => trimInstant(at.toISOString()));
const ids = fc.uuid();
const ISO = 'yyyy-MM-dd HH:mm:ss';
const zones = ['UTC', 'America/Sao_Paulo', 'Asia/Kathmandu', 'Europe/Berlin', 'Australia/Lord_Howe'];

describe('link', () => {
  test('a written view is read back', () => {
    const either = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null });
    const views = fc
      .record<View>({
        q: fc.string({ unit: 'grapheme' }).map((text) => text.trim()),
        range: either(fc.constantFrom(...(Object.keys(RANGES) as Range[]))),
        from: either(instants),
        to: either(instants),
        oldest: fc.boolean(),
        entry: either(ids),
        live: fc.boolean(),
        lang: either(fc.constantFrom('en', 'pt-BR')),
        tz: either(fc.constantFrom(...zones)),
        tenant: either(ids),
        client: either(ids),
        v: either(ids),
        isAsSaved: fc.boolean(),
        page: either(fc.constant('streams')),
        stream: either(ids),
      })
      .map((view) => (view.page ? view : { ...view, stream: null }))
      // What a saved view holds is read from it.
      .map((view) =>
        view.v && view.isAsSaved
          ? { ...view, q: '', range: null, from: null, to: null, oldest: false }
          : { ...view, isAsSaved: false },
      )
      .map((view) => (view.from || view.to ? { ...view, range: null } : view));
    fc.assert(
      fc.property(views, (view) => {
        expect(readLink(writeLink(view))).toEqual(view);
      }),
    );
  });

  test('invalid parameters are ignored', () => {
    const view = readLink(
      '?range=9d&from=yesterday&to=2026-13-01T00:00:00Z&entry=1&sort=up&live=yes&tz=Mars/Base',
    );
    expect(writeLink(view)).toBe('');
    expect(readLink('?from=2026-01-05T10:00:00+03:00&range=24h')).toMatchObject({
      from: '2026-01-05T07:00:00Z',
      range: null,
    });
  });
});

describe('date-time inputs', () => {
  test('an instant is read back in any zone', () => {
    fc.assert(
      fc.property(
        instants,
        fc.constantFrom(...zones),
        fc.constantFrom(ISO, 'dd/MM/yyyy HH:mm:ss'),
        (at, zone, pattern) => {
          const whole = trimInstant(`${at.slice(0, 19)}Z`);
          // The hour repeated when daylight saving ends is ambiguous.
          expect([0, 1_800_000, 3_600_000]).toContain(
            Math.abs(
              Date.parse(fromInputValue(toInputValue(whole, zone, pattern), zone, pattern)!) -
                Date.parse(whole),
            ),
          );
        },
      ),
    );
  });

  test('values are in the zone, with its daylight saving', () => {
    expect(fromInputValue('2026-07-01T12:00', 'Europe/Berlin', ISO)).toBe('2026-07-01T10:00:00Z');
    expect(fromInputValue('2026-01-01 12:00:30', 'Europe/Berlin', ISO)).toBe('2026-01-01T11:00:30Z');
    expect(toInputValue('2026-01-05T10:00:00Z', 'Asia/Kathmandu', ISO)).toBe('2026-01-05 15:45:00');
    expect(fromInputValue('', 'UTC', ISO)).toBeNull();
  });

  test('a date stands in the order of the language, or as ISO 8601 has it; alone it is the whole day', () => {
    const brazilian = 'dd/MM/yyyy HH:mm:ss';
    expect(fromInputValue('05/01/2026 10:00', 'UTC', brazilian)).toBe('2026-01-05T10:00:00Z');
    expect(fromInputValue('2026-01-05', 'UTC', brazilian)).toBe('2026-01-05T00:00:00Z');
    expect(fromInputValue('5/1/2026', 'UTC', brazilian, true)).toBe('2026-01-05T23:59:59Z');
    for (const wrong of ['yesterday', '2026-02-30', '2026-13-01', '2026-01-05 24:00', '31/12'])
      expect(fromInputValue(wrong, 'UTC', ISO), wrong).toBeUndefined();
  });
});

describe('buckets that the page adds to a timeline', () => {
  const at = (instant: string) => Date.parse(instant);
  const startsOf = (buckets: readonly Bucket[]) => buckets.map(({ start }) => trimInstant(start));
  /** Berlin's clock was set back at 01:00Z on this Sunday. */
  const berlin = { interval: 'DAY', timeZone: 'Europe/Berlin' } as const;
  const autumn = ['2026-10-23T22:00:00Z', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'];

  test('are those of the server, in any zone and over any change of its clock', () => {
    const changing = [
      ...zones,
      'Africa/Cairo',
      'Africa/Casablanca',
      'America/Havana',
      'America/Asuncion',
      'Asia/Beirut',
      'Pacific/Auckland',
    ];
    const spans = fc.record({
      from: fc.integer({ min: at('2012-01-01T00:00:00Z'), max: at('2037-01-01T00:00:00Z') }),
      interval: fc.constantFrom(...Object.values(StatsInterval)),
      timeZone: fc.constantFrom(...changing),
      length: fc.double({ min: 0, max: 60, noNaN: true }),
    });
    const lengths = { MINUTE: 1, HOUR: 60, DAY: 1_440, WEEK: 10_080, MONTH: 44_640 };
    fc.assert(
      fc.property(spans, ({ from, interval, timeZone, length }) => {
        const until = from + Math.floor(length * lengths[interval] * 60_000);
        const bounds = bucketBounds(BigInt(from) * 1000n, BigInt(until) * 1000n, interval, timeZone).map(
          (bound) => trimInstant(fromMicros(bound)),
        );
        const buckets = emptyBuckets(from, until, { interval, timeZone });
        expect(startsOf(buckets)).toEqual(bounds.slice(0, -1));
        expect(buckets.map(({ end }) => trimInstant(end))).toEqual(bounds.slice(1));
      }),
      { numRuns: 500 },
    );
  });

  test('each day begins at its own midnight after a change of the clock', () => {
    const [first, until] = [at('2026-10-24T10:00:00Z'), at('2026-10-26T10:00:00Z')];
    expect(startsOf(emptyTimeline(first, until, berlin, null))).toEqual(autumn);
    const whole = emptyTimeline(first, first, berlin, null);
    expect(startsOf(extended(whole, until, berlin))).toEqual(autumn);
    expect(extended(whole, first, berlin)).toBe(whole);
    // In 2017 this zone's clock went from 00:00 to 01:00.
    expect(startOfDay(at('2017-10-15T12:00:00Z'), 'America/Sao_Paulo')).toBe('2017-10-15T03:00:00Z');
  });

  test('none are drawn of a time that was not looked at', () => {
    const [from, until] = [at('2026-10-20T10:00:00Z'), at('2026-10-26T10:00:00Z')];
    expect(emptyTimeline(from, until, berlin, { searchedUntil: null })).toEqual([]);
    const reached = { searchedUntil: '2026-10-24T13:00:00.000000Z' };
    expect(startsOf(emptyTimeline(from, until, berlin, reached))).toEqual(autumn.slice(1));
  });
});
