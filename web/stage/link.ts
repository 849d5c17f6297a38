import { parseInstant } from '../../src/query-line/values.js';
import { trimInstant } from './parts/times.js';

/** Ranges that end now, with their length in milliseconds. */
export const RANGES = {
  '15m': 900_000,
  '1h': 3_600_000,
  '24h': 86_400_000,
  '7d': 604_800_000,
  '30d': 2_592_000_000,
} as const;
export type Range = keyof typeof RANGES;

/** The state of the page that its URL holds. Null, false and '' are defaults, which the URL leaves out. */
export interface View {
  /** The query line last applied. */
  q: string;
  /** Null where from or to is set, and for all time. */
  range: Range | null;
  /** Instants, inclusive, `2026-01-05T10:00:00Z`. */
  from: string | null;
  to: string | null;
  oldest: boolean;
  entry: string | null;
  live: boolean;
  lang: string | null;
  tz: string | null;
  /** Needed only by users of several tenants. */
  tenant: string | null;
  /** The client that the view is limited to. */
  client: string | null;
  /** The saved view that is open. */
  v: string | null;
  /** Whether it is shown as it was saved: the URL then leaves query, time and order to it. */
  isAsSaved: boolean;
  /** Null: the audit log. */
  page: 'streams' | null;
  /** The stream that is open, of the page of streams. */
  stream: string | null;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const uuidOf = (text: string | null) => {
  const lower = text?.toLowerCase() ?? '';
  return UUID.test(lower) ? lower : null;
};

const instantOf = (text: string | null) => {
  // An unescaped + is decoded as a space.
  const instant = text && parseInstant(text.replace(/ (?=\d\d:\d\d$)/, '+'));
  return instant ? trimInstant(instant) : null;
};

/** Whether the browser's Intl knows this time zone. */
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== null;
  } catch {
    return false;
  }
}

/** Reads a URL's query string. Invalid parameters are ignored. */
export function readLink(search: string): View {
  const params = new URLSearchParams(search);
  const [from, to] = [instantOf(params.get('from')), instantOf(params.get('to'))];
  const range = params.get('range');
  const tz = params.get('tz');
  const page = params.get('page') === 'streams' ? 'streams' : null;
  const v = uuidOf(params.get('v'));
  return {
    q: params.get('q')?.trim() ?? '',
    range: !from && !to && range && Object.hasOwn(RANGES, range) ? (range as Range) : null,
    from,
    to,
    oldest: params.get('sort') === 'oldest',
    entry: uuidOf(params.get('entry')),
    live: params.get('live') === '1',
    lang: params.get('lang'),
    tz: tz && isTimeZone(tz) ? tz : null,
    tenant: uuidOf(params.get('tenant')),
    client: uuidOf(params.get('client')),
    v,
    isAsSaved: v !== null && !params.has('q'),
    page,
    stream: page && uuidOf(params.get('stream')),
  };
}

/** The query string for a view, with its `?`; empty where everything has its default. Escapes no more than it must, to stay readable. */
export function writeLink(view: View): string {
  const own: [string, string | null | false][] = [
    ['q', view.q],
    ['range', view.range],
    ['from', view.from],
    ['to', view.to],
    ['sort', view.oldest && 'oldest'],
  ];
  const params: [string, string | null | false][] = [
    ['v', view.v],
    ...(view.isAsSaved ? [] : own),
    ['entry', view.entry],
    ['live', view.live && '1'],
    ['lang', view.lang],
    ['tz', view.tz],
    ['tenant', view.tenant],
    ['client', view.client],
    ['page', view.page],
    ['stream', view.page && view.stream],
  ];
  const escaped = (value: string) =>
    encodeURIComponent(value)
      .replace(/%(3A|2F|2C|40|3E|3D)/g, decodeURIComponent)
      .replace(/%20/g, '+');
  const parts = params
    // Beside a view, a query says that it was changed, even where it is empty.
    .filter(([name, value]) => value || (name === 'q' && view.v))
    .map(([name, value]) => `${name}=${escaped(value || '')}`);
  return parts.length > 0 ? `?${parts.join('&')}` : '';
}
