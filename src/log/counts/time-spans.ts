/** Microseconds since 1970-01-01T00:00Z; bigint, since years past 2255 do not fit in a double. */
export type Micros = bigint;

/** Lengths of time that entries are counted by, each a multiple of the one before, aligned to 1970. */
export type Span = 'quarter' | 'day' | 'block';

/** A quarter of an hour, a UTC day, and sixteen days, so that years of entries take few rows. */
export const SPAN_MINUTES = { quarter: 15, day: 1440, block: 16 * 1440 } as const satisfies Record<
  Span,
  number
>;

/** A range of time, from inclusive to exclusive, and the span that its entries are counted by, or `entry` where they are counted singly. */
export interface TimeRange {
  span: Span | 'entry';
  from: Micros;
  until: Micros;
}

const lengthOf = (span: Span): Micros => BigInt(SPAN_MINUTES[span]) * 60n * 1_000_000n;
export const QUARTER = lengthOf('quarter');
export const DAY = lengthOf('day');
export const BLOCK = lengthOf('block');
/** Years 0001 to 9999, the range of the API's instants; both are starts of UTC days. */
export const EARLIEST: Micros = BigInt(Date.parse('0001-01-01T00:00:00Z')) * 1000n;
export const LATEST: Micros = BigInt(Date.parse('+010000-01-01T00:00:00Z')) * 1000n;

/** `2026-01-05T10:00:00.123456Z`, as parseInstant returns it. */
export const toMicros = (instant: string): Micros =>
  BigInt(Date.parse(`${instant.slice(0, 19)}Z`)) * 1000n + BigInt(instant.slice(20, -1).padEnd(6, '0'));

export function fromMicros(at: Micros): string {
  const micros = Number(at);
  // Hundreds of buckets have bounds, and bigint takes three times as long.
  if (Number.isSafeInteger(micros)) {
    const whole = Math.floor(micros / 1000);
    return instantOf(whole, micros - 1000 * whole);
  }
  const rest = modulo(at, 1000n);
  return instantOf(Number((at - rest) / 1000n), Number(rest));
}

const instantOf = (milliseconds: number, micros: number): string =>
  `${new Date(milliseconds).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`;

/** As PostgreSQL reads a timestamptz, which ends before year 0001's first day and after 9999's last at infinity. */
export function toTimestamp(at: Micros): string {
  if (at <= EARLIEST) return '-infinity';
  return at >= LATEST ? 'infinity' : fromMicros(at);
}

const FINEST_FIRST: readonly Span[] = ['quarter', 'day', 'block'];

/**
 * Splits a range of time so that no row that is read for a part crosses a cut. The parts are as coarse as `largest` allows,
 * in order, adjacent ones of the same span joined; what is shorter than `smallest` is counted singly.
 */
export function splitTime(
  from: Micros,
  until: Micros,
  cuts: readonly Micros[],
  largest: Span,
  smallest: Span = 'quarter',
): TimeRange[] {
  const ranges: TimeRange[] = [];
  const add = (span: TimeRange['span'], start: Micros, end: Micros) => {
    if (start >= end) return;
    const last = ranges.at(-1);
    if (last?.span === span && last.until === start) last.until = end;
    else ranges.push({ span, from: start, until: end });
  };
  const inside = cuts.filter((cut) => cut > from && cut < until).sort((a, b) => (a < b ? -1 : 1));
  let start = from;
  for (const end of [...inside, until]) {
    const spans = FINEST_FIRST.slice(FINEST_FIRST.indexOf(smallest), FINEST_FIRST.indexOf(largest) + 1);
    const addFrom = (
      span: TimeRange['span'],
      from: Micros,
      until: Micros,
      [coarser, ...rest]: readonly Span[],
    ) => {
      if (!coarser) return add(span, from, until);
      const inner = wholeUnits(from, until, lengthOf(coarser));
      add(span, from, inner.from);
      addFrom(coarser, inner.from, inner.until, rest);
      add(span, inner.until, until);
    };
    addFrom('entry', start, end, spans);
    start = end;
  }
  return ranges;
}

/** The whole units within a range; if there are none, an empty range at its end. */
function wholeUnits(from: Micros, until: Micros, unit: Micros): { from: Micros; until: Micros } {
  const [first, last] = [from + modulo(-from, unit), until - modulo(until, unit)];
  return first < last ? { from: first, until: last } : { from: until, until };
}

/** Never negative, as % is before 1970. */
const modulo = (value: bigint, unit: bigint) => ((value % unit) + unit) % unit;

export const floorTo = (at: Micros, unit: Micros): Micros => at - modulo(at, unit);
