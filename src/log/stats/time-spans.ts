/** Microseconds since 1970-01-01T00:00Z; bigint, since years past 2255 do not fit in a double. */
export type Micros = bigint;

/** What entries are counted by, each a multiple of the one before, all from 1970 on. */
export type Span = 'quarter' | 'day' | 'block';

/** A quarter of an hour, a UTC day, and sixteen of them: the longest that a tenant of years needs few rows of. */
export const SPAN_MINUTES = { quarter: 15, day: 1440, block: 16 * 1440 } as const satisfies Record<
  Span,
  number
>;

/** A stretch of time, from inclusive to exclusive, and what its entries are counted by, or that they are counted one by one. */
export interface Piece {
  span: Span | 'entry';
  from: Micros;
  until: Micros;
}

const lengthOf = (span: Span): Micros => BigInt(SPAN_MINUTES[span]) * 60n * 1_000_000n;
export const QUARTER = lengthOf('quarter');
export const DAY = lengthOf('day');
export const BLOCK = lengthOf('block');
/** Years 0001 to 9999, which is what an instant of the wire can say; both are whole days. */
export const EARLIEST: Micros = BigInt(Date.parse('0001-01-01T00:00:00Z')) * 1000n;
export const LATEST: Micros = BigInt(Date.parse('+010000-01-01T00:00:00Z')) * 1000n;

/** `2026-01-05T10:00:00.123456Z`, as parseInstant answers it. */
export const toMicros = (instant: string): Micros =>
  BigInt(Date.parse(`${instant.slice(0, 19)}Z`)) * 1000n + BigInt(instant.slice(20, -1).padEnd(6, '0'));

export function fromMicros(at: Micros): string {
  const rest = modulo(at, 1000n);
  const milliseconds = new Date(Number((at - rest) / 1000n)).toISOString();
  return `${milliseconds.slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}

/** As PostgreSQL reads a timestamptz, which ends before year 0001's first day and after 9999's last at infinity. */
export function toTimestamp(at: Micros): string {
  if (at <= EARLIEST) return '-infinity';
  return at >= LATEST ? 'infinity' : fromMicros(at);
}

const FINEST_FIRST: readonly Span[] = ['quarter', 'day', 'block'];

/**
 * Splits a stretch of time so that every entry of it lies in one piece, and every row that a piece is read from lies
 * wholly between two cuts. The pieces are as coarse as `largest` lets them be, in order, neighbours of one kind joined.
 */
export function splitTime(from: Micros, until: Micros, cuts: readonly Micros[], largest: Span): Piece[] {
  const pieces: Piece[] = [];
  const add = (span: Piece['span'], start: Micros, end: Micros) => {
    if (start >= end) return;
    const last = pieces.at(-1);
    if (last?.span === span && last.until === start) last.until = end;
    else pieces.push({ span, from: start, until: end });
  };
  const inside = cuts.filter((cut) => cut > from && cut < until).sort((a, b) => (a < b ? -1 : 1));
  let start = from;
  for (const end of [...inside, until]) {
    const spans = FINEST_FIRST.slice(0, FINEST_FIRST.indexOf(largest) + 1);
    const addFrom = (
      span: Piece['span'],
      from: Micros,
      until: Micros,
      [coarser, ...rest]: readonly Span[],
    ) => {
      if (!coarser) return add(span, from, until);
      const inner = whole(from, until, lengthOf(coarser));
      add(span, from, inner.from);
      addFrom(coarser, inner.from, inner.until, rest);
      add(span, inner.until, until);
    };
    addFrom('entry', start, end, spans);
    start = end;
  }
  return pieces;
}

/** The whole units within a stretch; where there are none, an empty stretch at its end. */
function whole(from: Micros, until: Micros, unit: Micros): { from: Micros; until: Micros } {
  const [first, last] = [from + modulo(-from, unit), until - modulo(until, unit)];
  return first < last ? { from: first, until: last } : { from: until, until };
}

/** Never negative, as % is before 1970. */
const modulo = (value: bigint, unit: bigint) => ((value % unit) + unit) % unit;

export const floorTo = (at: Micros, unit: Micros): Micros => at - modulo(at, unit);
