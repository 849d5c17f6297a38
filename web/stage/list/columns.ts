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

/** Least width in pixels, and the share of what is left over. */
const WIDTHS: Record<NamedColumn | 'data', [min: number, share: number]> = {
  time: [172, 0],
  severity: [92, 0],
  module: [80, 0.8],
  action: [128, 1.4],
  actor: [112, 1.2],
  resource: [128, 1.6],
  outcome: [84, 0],
  client: [110, 0.8],
  ip: [116, 0],
  email: [140, 1.2],
  behalf: [112, 1],
  origin: [80, 0],
  occurred: [172, 0],
  request: [120, 1],
  data: [110, 1],
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

/** Tracks of a CSS grid. */
export const tracksOf = (columns: readonly ShownColumn[]): string =>
  columns
    .map(({ key, width }) => {
      const [min, share] = widthsOf(key);
      if (width !== undefined) return `${width}px`;
      return share === 0 ? `${min}px` : `minmax(${min}px, ${share}fr)`;
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
