import { randomUUID } from 'node:crypto';

/** The types that columns of Reel's tables have. */
export type ColumnType =
  | 'uuid'
  | 'bytea'
  | 'text'
  | 'smallint'
  | 'bigint'
  | 'timestamp with time zone'
  | 'jsonb'
  | 'inet'
  | 'text[]'
  | 'integer[]';

/** Draws whole numbers from 0 to before `end`. */
export type Draw = (end: number) => number;

/** Another value, in SQL. */
export interface Flip {
  sql: string;
  /** In words. */
  what: string;
}

/** The same numbers for the same seed (mulberry32). */
export function seeded(seed: number): Draw {
  let state = seed;
  return (end) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end);
  };
}

export const quoted = (text: string) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** `text`: the value as PostgreSQL prints it, or null. Never returns the same value. */
export function flip(type: ColumnType, text: string | null, draw: Draw): Flip {
  if (text === null) return { sql: `${quoted(SOME[type])}::${type}`, what: `null to ${SOME[type]}` };
  const other = FLIPS[type](text, draw);
  return { sql: `${quoted(other)}::${type}`, what: `${text.slice(0, 60)} to ${other.slice(0, 60)}` };
}

const SOME: Record<ColumnType, string> = {
  uuid: randomUUID(),
  bytea: '\\x00',
  text: 'x',
  smallint: '1',
  bigint: '1',
  'timestamp with time zone': '2026-01-05 10:00:00.5+00',
  jsonb: '{}',
  inet: '::1',
  'text[]': '{x}',
  'integer[]': '{1}',
};

/** Values that a row can have and that no writer writes. */
export const ODD: Partial<Record<ColumnType, readonly string[]>> = {
  'timestamp with time zone': [
    'infinity',
    '-infinity',
    '294276-12-31 23:59:59.999999+00',
    '4714-11-24 00:00:00+00 BC',
    '20000-01-01 00:00:00+00',
  ],
  jsonb: ['5', '"x"', '[]', 'null', '{}', '1e400', '{"a":12345678901234567890}', '[[[{}]]]'],
  bigint: ['0', '-1', '-9223372036854775808', '9223372036854775807'],
  smallint: ['-1', '-32768', '32767', '5'],
  inet: ['0.0.0.0/0', '::/0'],
  text: ['', '\u{10ffff}', '\n\n', '\uffff'],
  'text[]': ['{}', '{NULL}', '{""}', '[0:0]={data}', '{{data}}', '{request_id,data}'],
  'integer[]': ['{}', '{NULL}', '{1,2}', '[0:0]={1}', '{{1}}'],
  bytea: ['\\x', `\\x${'00'.repeat(33)}`],
};

const FLIPS: Record<ColumnType, (text: string, draw: Draw) => string> = {
  uuid: (text, draw) => {
    const at = [...text].flatMap((each, index) => (each === '-' ? [] : [index]))[draw(32)]!;
    return replaceAt(text, at, (Number.parseInt(text[at]!, 16) ^ (1 << draw(4))).toString(16));
  },
  bytea: (text, draw) => {
    if (text.length === 2) return '\\x00';
    const at = 2 + draw(text.length - 2);
    return replaceAt(text, at, (Number.parseInt(text[at]!, 16) ^ (1 << draw(4))).toString(16));
  },
  text: (text, draw) => {
    const positions = [...text].flatMap((each, index) => (each >= ' ' && each <= '~' ? [index] : []));
    const characters = [...text];
    const at = positions[draw(positions.length)];
    if (at === undefined) return `${text}x`;
    // One of the bits that leave it a single character.
    characters[at] = String.fromCharCode(characters[at]!.charCodeAt(0) ^ (1 << draw(5)));
    return characters.join('');
  },
  smallint: (text, draw) => String(BigInt.asIntN(16, BigInt(text) ^ (1n << BigInt(draw(16))))),
  bigint: (text, draw) => String(BigInt.asIntN(64, BigInt(text) ^ (1n << BigInt(draw(64))))),
  // A flipped bit of the microseconds: within three thousand years to the past and the future.
  'timestamp with time zone': (text, draw) => {
    const [seconds, fraction = ''] = text.replace('+00', '').split('.');
    const micros =
      BigInt(Date.parse(`${seconds!.replace(' ', 'T')}Z`)) * 1000n + BigInt(fraction.padEnd(6, '0'));
    const other = micros ^ (1n << BigInt(draw(55)));
    const start = new Date(Number(other / 1000n)).toISOString();
    return `${start.slice(0, -1)}${String(other % 1000n).padStart(3, '0')}+00`;
  },
  jsonb: (text, draw) => {
    for (;;) {
      const other = FLIPS.text(text, draw);
      try {
        if (JSON.stringify(JSON.parse(other)) !== JSON.stringify(JSON.parse(text))) return other;
      } catch {
        // Draw again.
      }
    }
  },
  'text[]': (text, draw) => {
    const names = text.slice(1, -1).split(',');
    const at = draw(names.length);
    // Of letters, so that it is as a list has it: without quotation marks.
    const places = [...names[at]!].flatMap((each, index) => (/[a-y]/.test(each) ? [index] : []));
    const place = places[draw(places.length)]!;
    const letter = String.fromCharCode(names[at]!.charCodeAt(place) + 1);
    return `{${names.with(at, replaceAt(names[at]!, place, letter)).join(',')}}`;
  },
  'integer[]': (text, draw) => {
    const numbers = text.slice(1, -1).split(',').map(Number);
    const at = draw(numbers.length);
    return `{${numbers.with(at, numbers[at]! ^ (1 << draw(32))).join(',')}}`;
  },
  inet: (text, draw) =>
    text
      .split('.')
      .map((part, index) => (index === 3 ? String(Number(part) ^ (1 << draw(8))) : part))
      .join('.'),
};

const replaceAt = (text: string, at: number, by: string) => text.slice(0, at) + by + text.slice(at + 1);
