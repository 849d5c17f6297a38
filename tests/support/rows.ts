import fc from 'fast-check';
import { TextRow } from '../../src/database/text-rows.js';
import type { Field } from '../../src/log/entry/fields.js';
import { ALL_COLUMNS, StoredEntry } from '../../src/log/entry/stored-entry.js';

const uuid = fc.uuid({ version: 7 });
const instant = fc.constant('2026-01-05T10:00:00.123456Z');
const textOrNull = fc.option(fc.string(), { nil: null });
/** Values of an entry's fields. */
export const entry = fc.record({
  id: uuid,
  module: fc.string(),
  action: fc.string(),
  severity: fc.constantFrom('INFO', 'CRITICAL'),
  origin: fc.constantFrom('SERVER', 'BROWSER'),
  actorId: textOrNull,
  actorType: fc.constantFrom('USER', 'SYSTEM'),
  actorEmail: textOrNull,
  actorName: textOrNull,
  onBehalfOfId: textOrNull,
  onBehalfOfName: textOrNull,
  tenantId: uuid,
  clientId: fc.option(uuid, { nil: null }),
  resourceType: textOrNull,
  resourceId: textOrNull,
  resourceName: textOrNull,
  outcome: fc.constantFrom(null, 'SUCCESS'),
  data: fc.option(fc.dictionary(fc.string(), fc.jsonValue()), { nil: null }),
  ipAddress: fc.option(fc.oneof(fc.ipV4(), fc.ipV6()), { nil: null }),
  userAgent: textOrNull,
  requestId: textOrNull,
  repaired: fc.array(fc.string(), { maxLength: 2 }),
  occurredAt: instant,
  createdAt: instant,
  sequence: fc.option(fc.nat(), { nil: null }),
  erasedAt: fc.constant(null),
});

/** These columns of a row with these values, as the database writes them. */
export function textsOf(values: Readonly<Record<string, unknown>>, columns = ALL_COLUMNS): (string | null)[] {
  return columns.fields.map(({ name, kind }: Field) => {
    const value = values[name] ?? null;
    if (value === null) return null;
    if (kind.names) return String(kind.names.indexOf(value as string));
    if (kind.type === 'timestamp with time zone')
      return (value as string).replace('T', ' ').replace('Z', '+00');
    return typeof value === 'string' ? value : JSON.stringify(value);
  });
}

/** As a DataRow message has it. */
export function rowOf(texts: readonly (string | null)[]): TextRow {
  const number = (bytes: 2 | 4, value: number) => {
    const written = Buffer.alloc(bytes);
    written.writeIntBE(value, 0, bytes);
    return written;
  };
  const columns = texts.flatMap((text) => {
    if (text === null) return [number(4, -1)];
    return [number(4, Buffer.byteLength(text)), Buffer.from(text)];
  });
  return new TextRow(Buffer.concat([Buffer.from('before'), number(2, texts.length), ...columns]), 6);
}

/** `others`: what follows the columns of its fields. */
export const storedEntry = (
  values: Readonly<Record<string, unknown>>,
  columns = ALL_COLUMNS,
  others: readonly (string | null)[] = [],
) => new StoredEntry(rowOf([...textsOf({ ...values, origin: 'MODULE' }, columns), ...others]), columns);
