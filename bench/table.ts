/** One line of a result: what was measured, Reel's figure, the baseline's (plain SQL or another), and the target. */
export interface Line {
  what: string;
  reel: number;
  bare?: number;
  unit: 'ms' | '/s' | 'KiB' | 'MiB' | 'µs' | 's' | 'entries';
  aim?: string;
  note?: string;
}

/** As text; the ratio is that of Reel's figure to the baseline's. */
export function table(lines: readonly Line[]): string {
  const head = ['', 'Reel', 'bare', 'ratio', 'aim', ''];
  const rows = lines.map(({ what, reel, bare, unit, aim = '', note = '' }) => [
    what,
    `${figure(reel)} ${unit}`,
    bare === undefined ? '' : `${figure(bare)} ${unit}`,
    bare === undefined ? '' : `${(reel / bare).toFixed(2)}`,
    aim,
    note,
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const figure = (value: number) =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value >= 10 ? value.toFixed(1) : value.toFixed(2);
