import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exportColumns } from '../../../src/log/entry/wire.js';
import { csvCell, EXPORT_FORMATS } from '../../../src/log/export/export-format.js';
import { guarded, readCsv } from '../../support/csv.js';
import { anEntry } from '../../support/rest-server.js';

const EXPORT_COLUMNS = exportColumns();

const HEADER =
  'id,created_at,module,action,severity,actor_id,actor_email,actor_name,tenant_id,client_id,resource_type,resource_id,ip_address,data';
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('"', ',', '\r', '\n', '=', '+', '-', '@', '\t', "'", '1', '.', 'e', ' '),
  }),
);

test('the columns, in the order of the contract', () => {
  expect(EXPORT_FORMATS.CSV.head(EXPORT_COLUMNS)).toBe(`${HEADER}\r\n`);
});

test('what is written as CSV reads as the same cells', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(anyText, anyText, fc.option(anyText)), { minLength: 1, maxLength: 5 }),
      (rows) => {
        const entries = rows.map(([action, resourceId, actorName]) =>
          anEntry({ action, resourceId, actorName, data: { action } }),
        );
        const { CSV } = EXPORT_FORMATS;
        const read = readCsv(
          CSV.head(EXPORT_COLUMNS) + CSV.rows(entries, EXPORT_COLUMNS, true) + CSV.tail(entries.length),
        );
        expect(read[0]?.join(',')).toBe(HEADER);
        expect(read.slice(1).map((cells) => [cells[3], cells[11], cells[7], cells[13]])).toEqual(
          rows.map(([action, resourceId, actorName]) => [
            guarded(action),
            guarded(resourceId),
            guarded(actorName ?? ''),
            guarded(JSON.stringify({ action })),
          ]),
        );
        for (const cells of read) expect(cells).toHaveLength(14);
      },
    ),
  );
});

describe('the guard against formulas', () => {
  test.each([
    '=1+1',
    '+cmd',
    '-cmd',
    '@SUM(A1)',
    '\tx',
    '\rx',
    '=',
    '-',
    '+',
    '-1+1',
    '--1',
    '+1-2',
    '1'.padStart(2, '='),
    '＝1',
    '＋1',
    '－1',
    '＠a',
  ])('%j is guarded', (text) => {
    expect(readCsv(`${csvCell(text)}\r\n`)).toEqual([[`'${text}`]]);
  });
  test.each([
    ['x;=HYPERLINK(1)', "x;'=HYPERLINK(1)"],
    ['\n=1', "'\n'=1"],
    ['a\tb\t=1', "a\tb\t'=1"],
    [' =1', " '=1"],
    ['a,@b', "a,'@b"],
    ['a\r\nb', 'a\r\nb'],
    ['a\r\n=1', "a\r\n'=1"],
    ['{"a":[1,-2]}', `{"a":[1,'-2]}`],
  ])('%j is guarded within: %j', (text, guardedText) => {
    expect(readCsv(`${csvCell(text)}\r\n`)).toEqual([[guardedText]]);
  });
  test.each(['-1', '+1', '-1.5', '+.5', '-1e9', '-1E+9', '', 'a=1', "'=1", 'a-b', '2026-01-05T10:00:00Z'])(
    '%j is left as it is',
    (text) => {
      expect(csvCell(text)).toBe(text);
    },
  );
});

test('JSON and NDJSON are verbatim, times and data as in an entry', () => {
  fc.assert(
    fc.property(anyText, fc.dictionary(fc.string(), fc.jsonValue()), (action, data) => {
      const sent = JSON.parse(JSON.stringify(data));
      const entries = [anEntry({ action, data: sent }), anEntry({ action, data: null, actorEmail: null })];
      const { JSON: file, NDJSON } = EXPORT_FORMATS;
      const whole = JSON.parse(
        file.head(EXPORT_COLUMNS) +
          file.rows(entries.slice(0, 1), EXPORT_COLUMNS, true) +
          file.rows(entries.slice(1), EXPORT_COLUMNS, false) +
          file.tail(2),
      );
      expect(Object.keys(whole)).toEqual(['logs', 'count']);
      expect(whole.count).toBe(2);
      expect(Object.keys(whole.logs[0]).join(',')).toBe(HEADER);
      expect(
        whole.logs.map((row: Record<string, unknown>) => [
          row.action,
          row.data,
          row.actor_email,
          row.created_at,
        ]),
      ).toEqual([
        [action, sent, 'ana@example.com', '2026-01-05T10:00:00.123456Z'],
        [action, null, null, '2026-01-05T10:00:00.123456Z'],
      ]);
      const lines = NDJSON.rows(entries, EXPORT_COLUMNS, true).split('\n');
      expect(lines.pop()).toBe('');
      expect(lines.map((line) => JSON.parse(line))).toEqual(whole.logs);
    }),
  );
});

test('a file of nothing', () => {
  const { CSV, JSON: file, NDJSON } = EXPORT_FORMATS;
  expect(file.head(EXPORT_COLUMNS) + file.tail(0)).toBe('{"logs":[],"count":0}');
  expect(CSV.head(EXPORT_COLUMNS) + CSV.tail(0)).toBe(`${HEADER}\r\n`);
  expect(NDJSON.head(EXPORT_COLUMNS) + NDJSON.tail(0)).toBe('');
});
