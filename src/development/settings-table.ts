import { type Env, SETTINGS, type Setting } from '../config/config.js';

type Row = Setting<unknown, unknown>;

/** docs/settings.md, whole, of what config.ts says about each setting. */
export function settingsPage(): string {
  const rows = Object.values(SETTINGS as Record<string, Row>).map((row) => [
    `\`${row.variable}\``,
    fallbackOf(row),
    row.kind.expects,
    row.meaning,
  ]);
  return `${[
    '# Settings',
    '',
    'Made by `npm run gen` of src/config.ts. An empty value is as if not given. A value out of range or an unknown',
    '`REEL_` variable stops the start with one line. `REEL_URL` and `REEL_TOKEN` are read by the commands export and',
    'tail alone.',
    '',
    markdownRow(['Variable', 'Default', 'Value', 'Meaning']),
    '|---|---|---|---|',
    ...rows.map(markdownRow),
  ].join('\n')}\n`;
}

const markdownRow = (cells: string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

function fallbackOf(row: Row): string {
  if (row.fallbackNote !== undefined) return row.fallbackNote;
  const of = (env: Env) => shown(row.fallback instanceof Function ? row.fallback(env) : row.fallback);
  const [development, production] = [of('development'), of('production')];
  return development === production
    ? development
    : `${development} in development, ${production} in production`;
}

function shown(value: unknown): string {
  if (value === null || (Array.isArray(value) && value.length === 0)) return 'none';
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return String(value);
}
