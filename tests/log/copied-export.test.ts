import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { type RawBuilder, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RowsTooLong } from '../../src/database/counted-query.js';
import type { CreateLogInput } from '../../src/log/entry/create-log-input.js';
import { personalColumns } from '../../src/log/entry/fields.js';
import { type ExportRequest, exportContent } from '../../src/log/export/export-content.js';
import { LogExportFormat } from '../../src/log/export/export-logs-input.js';
import { toCriteria } from '../../src/log/filter/criteria.js';
import type { LogFilter } from '../../src/log/filter/log-filter.js';
import { idFloor } from '../../src/log/filter/where.js';
import { LogReader } from '../../src/log/read/reader.js';
import { isStorable } from '../../src/query-line/values.js';
import { storeFirstVersion } from '../support/first-version.js';
import { openTrail, type Trail } from '../support/trail.js';

const tenantId = randomUUID();
const clientIds = [randomUUID(), randomUUID()];
let trail: Trail;
let count = 0;

const text = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.string({
      unit: fc.constantFrom(...'ab 0-=+@,;|"\'\r\n\t\u00a0\u3000\u2028＝＋ãé漢𝕏\\{}'),
      maxLength: 30,
    }),
    fc.constantFrom(
      '=1+1',
      'a, =b',
      'x;-y',
      '-5',
      '+1e5',
      '1/2',
      '12:30',
      '\u007f',
      '\ufeff=x',
      'São Paulo',
      'a\r\n=b',
    ),
  )
  .filter(isStorable);
const value = fc.oneof(
  text,
  fc.constantFrom(0.1, -0.5, 1e-7, 1e21, 123456789012345680000, 0.30000000000000004),
  fc.boolean(),
  fc.constant(null),
  fc.maxSafeInteger(),
);
const data = fc.dictionary(
  fc.oneof(text, fc.constantFrom('a', '10', '2', '-1', 'long key')),
  fc.oneof(value, fc.array(value, { maxLength: 3 }), fc.dictionary(text, value, { maxKeys: 3 })),
  { maxKeys: 5, noNullPrototype: true },
);
const input: fc.Arbitrary<CreateLogInput & { tenantId: string }> = fc.record(
  {
    tenantId: fc.constant(tenantId),
    module: fc.constantFrom('guardian', 'ação', 'a=b', '-x', 'a, b'),
    action: fc.constantFrom('users.create', '+1', 'a;b', '"x"'),
    clientId: fc.constantFrom(...clientIds),
    actorEmail: text,
    actorName: text,
    resourceType: text,
    resourceId: text,
    resourceName: text,
    userAgent: text,
    requestId: text,
    ipAddress: fc.constantFrom('203.0.113.7', '2001:db8::1', '::ffff:10.0.0.1'),
    occurredAt: fc.constantFrom(
      '2026-01-05T10:00:00.000001Z',
      '1066-10-14T09:00:00.5Z',
      '1999-12-31T23:59:59.999999Z',
      '0001-01-01T00:00:00Z',
    ),
    data,
    repair: fc.constant(true),
  },
  { requiredKeys: ['tenantId', 'module', 'action'] },
) as never;

beforeAll(async () => {
  trail = await openTrail();
  const inputs = fc.sample(input, { numRuns: 700, seed: 11 });
  const results = await trail.service.writeLogs(inputs);
  expect(results.filter((result) => 'entry' in result).length).toBeGreaterThan(500);
  const mild = fc.sample(input, { numRuns: 40, seed: 12 }).map(({ data: _, repair: __, ...each }) => ({
    ...each,
    resourceType: undefined,
    resourceId: undefined,
    resourceName: undefined,
    requestId: undefined,
    actorName: undefined,
  }));
  await storeFirstVersion(trail.database, mild);
  count = await trail.sequencer.catchUp(tenantId);
  // As an erasure leaves them.
  await trail.own.query(
    `update reel_log_entries set erased_at = now(), ${personalColumns().map((column) => `${column} = null`)}
     where tenant_id = $1 and mod(('x' || right(id::text, 2))::bit(8)::int, 9) = 0`,
    [tenantId],
  );
});
afterAll(() => trail?.close());

const requestOf = (
  form: Partial<ExportRequest>,
  filter: LogFilter | null = null,
  clients: string[] | null = null,
): ExportRequest => ({
  criteria: toCriteria({ tenantId, clients }, filter, new Date(Date.now() + 60_000)),
  format: LogExportFormat.NDJSON,
  includeData: true,
  includeProofs: false,
  allFields: true,
  spreadsheet: false,
  upTo: count,
  recordCount: count,
  ...form,
});

async function contentOf(request: ExportRequest, isCopied: boolean): Promise<Buffer> {
  const reader = new LogReader(trail.database);
  const recordCount = await reader.countSequenced(request.criteria, request.upTo);
  const { streamSequenced, copySequenced, countSequenced } = reader;
  const sources = {
    reader: {
      countSequenced: countSequenced.bind(reader),
      streamSequenced: streamSequenced.bind(reader),
      ...(isCopied && { copySequenced: copySequenced.bind(reader) }),
    },
    proofs: { bundles: async () => [], note: async () => null },
  };
  const pieces: Buffer[] = [];
  for await (const piece of exportContent({ ...request, recordCount }, sources))
    pieces.push(Buffer.from(piece as string));
  return Buffer.concat(pieces);
}

async function isSame(request: ExportRequest): Promise<number> {
  const [copied, read] = [await contentOf(request, true), await contentOf(request, false)];
  if (!copied.equals(read)) expect(copied.toString().split('\n')).toEqual(read.toString().split('\n'));
  return copied.length;
}

describe('a file of copied rows is, byte for byte, that of read entries', () => {
  const { CSV, NDJSON } = LogExportFormat;
  for (const format of [CSV, LogExportFormat.JSON, NDJSON])
    for (const spreadsheet of format === CSV ? [false, true] : [false])
      for (const allFields of [false, true])
        for (const includeData of [false, true])
          test(`${format}${spreadsheet ? ' for spreadsheets' : ''}${allFields ? ', all fields' : ''}${includeData ? ', with data' : ''}`, async () => {
            expect(await isSame(requestOf({ format, spreadsheet, allFields, includeData }))).toBeGreaterThan(
              100_000,
            );
          });

  test('whatever it is filtered by', async () => {
    const filters: LogFilter[] = [
      { modules: ['guardian', 'a, b'] },
      { query: 'action:"+1" -module:ação' },
      { query: 'ip:203.0.113.0/24' },
      { query: `data.a:"it's"` },
      { query: 'data.a>5' },
      { query: "text'with\\quotes" },
      { query: '"São Paulo"' },
      { query: 'since:-24h' },
      { query: 'module:none' },
    ];
    for (const filter of filters) await isSame(requestOf({}, filter));
    await isSame(requestOf({ format: CSV }, null, [clientIds[0]!]));
    await isSame(requestOf({ format: LogExportFormat.JSON, upTo: 0 }));
  });
});

test('entries whose ids are of another time are where the order has them', async () => {
  const other = randomUUID();
  const inputs = Array.from({ length: 1_000 }, (_, n) => ({
    tenantId: other,
    module: 'm',
    action: `a.${n}`,
  }));
  await trail.service.writeLogs(inputs);
  const upTo = await trail.sequencer.catchUp(other);
  const criteria = toCriteria({ tenantId: other, clients: null }, null, new Date(Date.now() + 60_000));
  const request = { ...requestOf({}), criteria, upTo };
  // A few, which are looked up, then half of them.
  for (const [share, at] of [
    [100, '2020-05-01T10:00:00Z'],
    [2, '2022-07-01T10:00:00Z'],
  ] as const) {
    const ids = await trail.own.query(
      'select seq, entry_id from reel_log_sequence where tenant_id = $1 and seq % $2 = 0',
      [other, share],
    );
    for (const { seq, entry_id } of ids) {
      const id = `${idFloor(at).slice(0, 24)}${String(seq).padStart(12, '0')}`;
      await trail.own.query(
        'update reel_log_entries set id = $3, created_at = $4 where tenant_id = $1 and id = $2',
        [other, entry_id, id, at],
      );
      await trail.own.query(
        'update reel_log_sequence set entry_id = $3 where tenant_id = $1 and entry_id = $2',
        [other, entry_id, id],
      );
    }
    expect(await isSame(request)).toBeGreaterThan(100_000);
  }
});

const copied = (query: RawBuilder<unknown>, most: number) =>
  trail.database.copy(tenantId, (execute) => execute.copyBytes(query, most));

test('values that stand in the text are what they are as parameters', async () => {
  const values = fc.oneof(text, fc.array(fc.option(text), { maxLength: 4 }));
  await fc.assert(
    fc.asyncProperty(values, async (each) => {
      const query = Array.isArray(each)
        ? sql`select to_json(${each}::text[])::text`
        : sql`select ${each}::text`;
      const bytes = await copied(query, 1_000_000);
      // Header, number of columns, length; behind it the trailer.
      const content = bytes.toString('utf8', 25, bytes.length - 2);
      expect(Array.isArray(each) ? JSON.parse(content) : content).toEqual(each);
    }),
    { numRuns: 60 },
  );
  await expect(copied(sql`select ${new Date()}::text`, 1_000)).rejects.toThrow(TypeError);
});

test('more bytes than asked for end the statement, and the connection serves on', async () => {
  const much = sql`select repeat('x', 1000) from reel_log_sequence, reel_log_sequence b, reel_log_sequence c`;
  await expect(copied(much, 1_000_000)).rejects.toThrow(RowsTooLong);
  expect((await copied(sql`select 1`, 1_000)).length).toBeGreaterThan(20);
});

test('nothing is read any more once a file is given up', async () => {
  const reader = new LogReader(trail.database);
  let reads = 0;
  const { database } = trail;
  const watched = new LogReader({
    read: (...read) => database.read(...read),
    query: (...query) => database.query(...query),
    copy: async (...copy) => {
      reads += 1;
      const rows = await database.copy(...copy);
      reads -= 1;
      return rows;
    },
  });
  for await (const _ of exportContent(
    { ...requestOf({}), recordCount: count },
    { reader: watched, proofs: { bundles: async () => [], note: async () => null } },
  ))
    break;
  expect(reads).toBe(0);
  expect(await reader.countSequenced(requestOf({}).criteria, count)).toBe(count);
});
