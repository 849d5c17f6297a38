import { type DataStep, parseDataPath } from '../../../src/query-line/data-path.js';

/** Columns that are shown where nothing else was chosen. */
export const STANDARD = ['time', 'severity', 'module', 'action', 'actor', 'resource'] as const;
const OPTIONAL = ['outcome', 'client', 'ip', 'email', 'behalf', 'origin', 'occurred', 'request'] as const;
export const NAMED_COLUMNS = [...STANDARD, ...OPTIONAL] as const;
type NamedColumn = (typeof NAMED_COLUMNS)[number];
/** A field of an entry, or a value in its data by its path. */
export type Column = NamedColumn | `data.${string}`;

/** `width` in pixels, where it was changed. */
export interface ShownColumn {
  key: Column;
  width?: number;
}

export const MIN_WIDTH = 56;
export const MAX_WIDTH = 1_200;
export const MAX_COLUMNS = 30;

/** Keys of the names in reel.columns. */
const NAMES: Record<NamedColumn, string> = {
  time: 'created_at',
  severity: 'severity',
  module: 'module',
  action: 'action',
  actor: 'actor',
  resource: 'resource',
  outcome: 'outcome',
  client: 'client_id',
  ip: 'ip_address',
  email: 'actor_email',
  behalf: 'on_behalf_of_name',
  origin: 'origin',
  occurred: 'occurred_at',
  request: 'request_id',
};

/** Pixels: the least width, and what is usually needed; none, where the least is what is needed. */
const WIDTHS: Record<NamedColumn | 'data', [least: number, usual: number]> = {
  time: [172, 0],
  severity: [92, 0],
  module: [64, 80],
  action: [124, 136],
  actor: [104, 128],
  resource: [150, 152],
  outcome: [84, 0],
  client: [110, 110],
  ip: [116, 0],
  email: [140, 160],
  behalf: [112, 120],
  origin: [80, 0],
  occurred: [172, 0],
  request: [120, 120],
  data: [110, 110],
};

export const isDataColumn = (column: Column): column is `data.${string}` => column.startsWith('data.');

/** The path of a column of data; null for any other column. */
export const pathOf = (column: Column): DataStep[] | null =>
  isDataColumn(column) ? parseDataPath(column.slice('data.'.length)) : null;

export function isColumn(text: unknown): text is Column {
  if (typeof text !== 'string') return false;
  return (NAMED_COLUMNS as readonly string[]).includes(text) || pathOf(text as Column) !== null;
}

export const isShownColumns = (value: unknown): value is ShownColumn[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.length <= MAX_COLUMNS &&
  new Set(value.map((each) => each?.key)).size === value.length &&
  value.every(
    ({ key, width }) => isColumn(key) && (width === undefined || (width >= MIN_WIDTH && width <= MAX_WIDTH)),
  );

export const defaultColumns = (): ShownColumn[] => STANDARD.map((key) => ({ key }));

export const nameOfColumn = (column: Column, t: (key: string) => string): string =>
  isDataColumn(column) ? column : t(`reel.columns.${NAMES[column]}`);

const widthsOf = (column: Column) => WIDTHS[isDataColumn(column) ? 'data' : column];

/** No text takes more of the list than this. */
const MAX_NEED = 400;

/** What a column takes: as it was chosen, or what it needs, in steps, so that another answer of the same kind moves nothing. */
function needed({ key, width }: ShownColumn, needOf: (column: Column) => number): number {
  const [least, usual] = widthsOf(key);
  if (width !== undefined) return width;
  return usual === 0 ? least : Math.ceil(Math.min(Math.max(needOf(key), usual), MAX_NEED) / 16) * 16;
}

/** Pixels of all columns, without the gaps between them, where each has what it needs. */
export const widthOf = (columns: readonly ShownColumn[], needOf: (column: Column) => number): number =>
  columns.reduce((sum, column) => sum + needed(column, needOf), 0);

/** Tracks of a CSS grid, in proportion to what each column needs for what it shows: `needOf`, in pixels. */
export const tracksOf = (columns: readonly ShownColumn[], needOf: (column: Column) => number): string =>
  columns
    .map((column) => {
      const [least, usual] = widthsOf(column.key);
      const need = needed(column, needOf);
      return column.width !== undefined || usual === 0 ? `${need}px` : `minmax(${least}px, ${need}fr)`;
    })
    .join(' ');

/** Pixels that the columns need at least, without the gaps between them. */
export const leastWidth = (columns: readonly ShownColumn[]): number =>
  columns.reduce((sum, { key, width }) => sum + (width ?? widthsOf(key)[0]), 0);

/** What stands at a path in data, as text; several values where the path goes through lists. Null where nothing does. */
export function textAt(data: unknown, path: readonly DataStep[]): string | null {
  let found: unknown[] = [data];
  for (const step of path)
    found = found.flatMap((value) => {
      if ('anyItem' in step) return Array.isArray(value) ? value : [];
      const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
      return isObject && Object.hasOwn(value, step.key) ? [(value as Record<string, unknown>)[step.key]] : [];
    });
  if (found.length === 0) return null;
  return found.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join(', ');
}
