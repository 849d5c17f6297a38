export interface Series {
  readonly name: string;
  /** A few words under the name. */
  readonly why: string;
  /** Both greater than 0. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

const COLUMNS = 3;
const [WIDTH, HEIGHT] = [300, 170];
const MARGIN = { left: 44, right: 14, top: 44, bottom: 24 };

/** Small charts side by side as SVG, both axes logarithmic and the same in all, so that their slopes can be compared. */
export function drawChart({ title, series }: { title: string; series: readonly Series[] }): string {
  const points = series.flatMap((each) => each.points);
  const x = scale(points.map(([at]) => at));
  const y = scale(points.map(([, at]) => at));
  const rows = Math.ceil(series.length / COLUMNS);
  const [width, height] = [COLUMNS * WIDTH, rows * HEIGHT + 40];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="10" fill="#1f2937">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="12" y="24" font-size="15" font-weight="600">${xml(title)}</text>`,
    ...series.map((each, at) =>
      panel(each, { left: (at % COLUMNS) * WIDTH, top: 40 + Math.floor(at / COLUMNS) * HEIGHT, x, y }),
    ),
    '</svg>',
    '',
  ].join('\n');
}

interface Scale {
  readonly ticks: readonly number[];
  /** From 0 to 1. */
  readonly place: (value: number) => number;
}

/** Over whole powers of ten. */
function scale(values: readonly number[]): Scale {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    ticks: Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at)),
    place: (value) => (Math.log10(value) - low) / (high - low),
  };
}

function panel(
  { name, why, points }: Series,
  { left, top, x, y }: { left: number; top: number; x: Scale; y: Scale },
): string {
  const [inner, tall] = [WIDTH - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const across = (value: number) => left + MARGIN.left + x.place(value) * inner;
  const down = (value: number) => top + MARGIN.top + (1 - y.place(value)) * tall;
  const at = ([first, second]: readonly [number, number]) =>
    `${across(first).toFixed(1)},${down(second).toFixed(1)}`;
  return [
    `<text x="${left + 12}" y="${top + 18}" font-size="12" font-weight="600">${xml(name)}</text>`,
    `<text x="${left + 12}" y="${top + 32}" fill="#6b7280">${xml(why)}</text>`,
    ...y.ticks.map(
      (tick) =>
        `<path d="M${across(x.ticks[0]!)} ${down(tick)}H${across(x.ticks.at(-1)!)}" stroke="#e5e7eb"/>` +
        `<text x="${left + MARGIN.left - 6}" y="${down(tick) + 3}" text-anchor="end">${tick.toLocaleString('en')}</text>`,
    ),
    ...x.ticks.map(
      (tick) =>
        `<text x="${across(tick)}" y="${top + HEIGHT - 10}" text-anchor="middle">${short(tick)}</text>`,
    ),
    `<polyline points="${points.map(at).join(' ')}" fill="none" stroke="#2563eb" stroke-width="2"/>`,
    ...points.map(
      (point, nr) =>
        `<circle cx="${across(point[0])}" cy="${down(point[1])}" r="2.5" fill="#2563eb"/>` +
        `<text x="${across(point[0])}" y="${down(point[1]) - 6}" text-anchor="${nr === 0 ? 'start' : 'middle'}" fill="#2563eb">${point[1].toFixed(1)}</text>`,
    ),
  ].join('\n');
}

const short = (value: number): string => new Intl.NumberFormat('en', { notation: 'compact' }).format(value);
const xml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
