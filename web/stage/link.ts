import { parseInstant } from '../../src/query-line/values.js';

/** Ranges that count back from now, and how long they are in milliseconds. */
export const RANGES = {
  '1h': 3_600_000,
  '24h': 86_400_000,
  '7d': 604_800_000,
  '30d': 2_592_000_000,
} as const;
export type Range = keyof typeof RANGES;

/** What the address says; null, false and '' are what is left out of it. */
export interface View {
  /** The query line, as it was applied. */
  q: string;
  /** Null where from or to is given, and for all time. */
  range: Range | null;
  /** Instants, inclusive, `2026-01-05T10:00:00Z`. */
  from: string | null;
  to: string | null;
  oldest: boolean;
  entry: string | null;
  live: boolean;
  lang: string | null;
  tz: string | null;
  /** Only where it has to be said: a person of several tenants. */
  tenant: string | null;
  /** The client the view is narrowed to. */
  client: string | null;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const oneOf = (text: string | null, pattern: RegExp) => {
  const lower = text?.toLowerCase() ?? '';
  return pattern.test(lower) ? lower : null;
};

const instant = (text: string | null) => {
  // A + that stood for itself was read as a blank.
  const read = text && parseInstant(text.replace(/ (?=\d\d:\d\d$)/, '+'));
  return read ? short(read) : null;
};

/** An instant without zeros at the end of its fraction. */
export const short = (at: string) => at.replace(/(?:\.0*|(\.\d*?)0+)Z$/, '$1Z');

/** Whether the browser's Intl knows a time zone of that name. */
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== null;
  } catch {
    return false;
  }
}

/** Reads an address's search part. What cannot be read is as if it were not there. */
export function readLink(search: string): View {
  const said = new URLSearchParams(search);
  const [from, to] = [instant(said.get('from')), instant(said.get('to'))];
  const range = said.get('range');
  const tz = said.get('tz');
  return {
    q: said.get('q')?.trim() ?? '',
    range: !from && !to && range && Object.hasOwn(RANGES, range) ? (range as Range) : null,
    from,
    to,
    oldest: said.get('sort') === 'oldest',
    entry: oneOf(said.get('entry'), UUID),
    live: said.get('live') === '1',
    lang: said.get('lang'),
    tz: tz && isTimeZone(tz) ? tz : null,
    tenant: oneOf(said.get('tenant'), UUID),
    client: oneOf(said.get('client'), UUID),
  };
}

/** The search part of an address, with its `?`; empty where all is as by default. Reads well: only what must be is escaped. */
export function writeLink(view: View): string {
  const said: [string, string | null | false][] = [
    ['q', view.q],
    ['range', view.range],
    ['from', view.from],
    ['to', view.to],
    ['sort', view.oldest && 'oldest'],
    ['entry', view.entry],
    ['live', view.live && '1'],
    ['lang', view.lang],
    ['tz', view.tz],
    ['tenant', view.tenant],
    ['client', view.client],
  ];
  const escaped = (value: string) =>
    encodeURIComponent(value)
      .replace(/%(3A|2F|2C|40|3E|3D)/g, decodeURIComponent)
      .replace(/%20/g, '+');
  const parts = said
    .filter(([, value]) => value)
    .map(([name, value]) => `${name}=${escaped(value as string)}`);
  return parts.length > 0 ? `?${parts.join('&')}` : '';
}
