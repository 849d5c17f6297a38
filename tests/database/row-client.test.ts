import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CopiedRow } from '../../src/database/copy-out.js';
import { CountedQuery } from '../../src/database/counted-query.js';
import { RowClient } from '../../src/database/row-client.js';
import type { TextRow } from '../../src/database/text-rows.js';
import { GrowingBytes, listOf } from '../../src/log/entry/growing-bytes.js';
import { instant } from '../../src/log/entry/instant.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

let database: TestDatabase;
let client: RowClient;
let plain: pg.Client;
beforeAll(async () => {
  database = await createDatabase();
  client = new RowClient({ connectionString: database.runtimeUrl, options: '-c timezone=UTC' });
  plain = new pg.Client({ connectionString: database.runtimeUrl, options: '-c timezone=UTC' });
  await Promise.all([client.connect(), plain.connect()]);
});
afterAll(async () => {
  await Promise.all([client.end(), plain.end()]);
  await database.drop();
});

const textRows = (sql: string, values: readonly unknown[]) =>
  CountedQuery.run(client, sql, values, { isText: true, took: () => {} }) as Promise<TextRow[]>;

/** PostgreSQL's text knows no NUL. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).map((each) => each.replaceAll('\u0000', '').toWellFormed()),
  fc.constantFrom('', 'ação', '\u{1f512}', '"', '\\', '\u001f\n', 'x'.repeat(90_000), 'é'.repeat(40_000)),
);
const value = fc.option(text);

describe('rows of a RowClient', () => {
  it('are those of the driver, parsed or as text', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(value, value, value), { maxLength: 60 }), async (rows) => {
        const sql = 'select r.* from unnest($1::text[], $2::text[], $3::text[]) r(a, b, c)';
        const columns = [0, 1, 2].map((at) => rows.map((row) => row[at]));
        const expected = (await plain.query({ text: sql, values: columns, rowMode: 'array' })).rows;
        expect((await client.query({ text: sql, values: columns, rowMode: 'array' })).rows).toEqual(expected);
        const read = await textRows(sql, columns);
        expect(read.map((row) => [2, 0, 1].map((at) => row.text(at)))).toEqual(
          expected.map(([a, b, c]) => [c, a, b]),
        );
      }),
      { numRuns: 40 },
    ));

  it('have no more columns than they have', async () => {
    const [row] = await textRows('select 1, 2', []);
    expect(() => row!.text(2)).toThrow('expected a row of more than 2 columns, got 2');
    expect(() => row!.readBy(new CopiedRow(3))).toThrow('expected a row of 3 columns, got 2');
  });

  it('are not to be had as text of another client', async () => {
    const read = CountedQuery.run(plain, 'select 1', [], { isText: true, took: () => {} });
    await expect(read).rejects.toThrow('expected a row of a RowClient, got another');
    expect((await plain.query('select 1 as n')).rows).toEqual([{ n: 1 }]);
  });

  it('leave errors, notices and what follows them as they are', async () => {
    await expect(client.query('select 1/0')).rejects.toMatchObject({ code: '22012' });
    const notices: unknown[] = [];
    client.on('notice', ({ message }) => notices.push(message));
    await client.query(`do $$ begin raise notice 'heard'; end $$`);
    expect(notices).toEqual(['heard']);
    expect((await client.query('select 2 as n')).rows).toEqual([{ n: 2 }]);
  });
});

describe('columns as JSON', () => {
  const written = async (
    sql: string,
    values: readonly unknown[],
    write: (out: GrowingBytes, row: CopiedRow) => void,
  ) => {
    const rows = await textRows(sql, values);
    const reader = new CopiedRow(1);
    const out = new GrowingBytes(8);
    const texts = rows.map((row) => {
      row.readBy(reader);
      out.ensureValue(reader, 0, 0);
      write(out, reader);
      return out.take().toString();
    });
    return { texts, stored: rows.map((row) => row.text(0)) };
  };

  it('of type text are strings, whatever is in them', () =>
    fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 20 }), async (values) => {
        const { texts } = await written('select unnest($1::text[])', [values], (out, row) =>
          out.string(row, 0),
        );
        expect(texts).toEqual(values.map((each) => JSON.stringify(each)));
      }),
      { numRuns: 40 },
    ));

  it('of type jsonb are what is parsed and written again', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.object({ withNullPrototype: false, maxDepth: 4, values: [text, fc.double(), fc.integer()] }),
            fc.constantFrom(
              { '10': 1, a: 2, '2': { b: 1, '1': 0 } },
              { a: [1.5, 1e21, 1e-7, -0.1, 2 ** 53, '1', '12 3', { '0': 1 }], b: {}, c: [] },
            ),
          ),
          { maxLength: 10 },
        ),
        async (values) => {
          const stored = values.map((each) => JSON.stringify(each).replaceAll('\\u0000', ''));
          const { texts, stored: columns } = await written(
            'select unnest($1::jsonb[])',
            [stored],
            (out, row) => out.compact(row, 0),
          );
          expect(texts).toEqual(columns.map((each) => JSON.stringify(JSON.parse(each!))));
        },
      ),
      { numRuns: 60 },
    ));

  it('of type timestamptz are instants', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc
              .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
              .map((date) => date.toISOString()),
            fc.constantFrom(
              'infinity',
              '-infinity',
              '0044-03-15 BC',
              '2026-01-05T10:00:00.123456Z',
              '2026-01-05T10:00:00.1Z',
            ),
          ),
          { maxLength: 10 },
        ),
        async (values) => {
          const { texts, stored } = await written(
            'select unnest($1::timestamptz[])',
            [values],
            (out, row) => {
              if (!out.utc(row, 0)) out.text(JSON.stringify(instant(row.text(0))));
            },
          );
          expect(texts).toEqual(stored.map((each) => JSON.stringify(instant(each!))));
        },
      ),
      { numRuns: 60 },
    ));

  it('are no more than may be, however many there are', () => {
    let written = 0;
    const long = () =>
      listOf(
        Array.from({ length: 1_000 }, () => 'x'.repeat(60_000)),
        (out, each) => {
          out.text(each);
          written += 1;
        },
        1_048_576,
      );
    expect(long).toThrow('expected at most 1048576 bytes, got more');
    expect(written).toBeLessThan(20);
    expect(listOf(['1'], (out, each) => out.text(each)).toString()).toBe('[1]');
  });

  it('are pieces of a list, together the whole, and none after an error of a list before', () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 12 }), fc.boolean(), (values, fails) => {
        const write = (out: GrowingBytes, each: string) => out.text(JSON.stringify(each));
        if (fails)
          expect(() =>
            listOf(values.concat(''), (out, each) => {
              write(out, each);
              if (each === '') throw new Error('refused');
            }),
          ).toThrow('refused');
        const pieces = listOf(values, write);
        expect(JSON.parse(Buffer.concat(pieces).toString())).toEqual(values);
        for (const piece of pieces.slice(0, -1)) expect(piece.length).toBeGreaterThanOrEqual(65_536);
      }),
    );
  });
});
