import { type Env, SETTINGS, type Setting } from '../config/config.js';
import { markdownTable } from './markdown.js';

type Row = Setting<unknown, unknown>;

/** The table of docs/settings.md, from the description of each setting. */
export function settingsTable(): string {
  const rows = Object.values(SETTINGS as Record<string, Row>).map((row) => [
    `\`${row.variable}\``,
    fallbackOf(row),
    row.kind.expects,
    row.meaning,
  ]);
  return `${markdownTable(['Variable', 'Default', 'Value', 'Meaning'], rows)}\n`;
}

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
