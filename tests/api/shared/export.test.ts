import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grant, person } from '../../support/reel.js';
import {
  camel,
  ENTRY,
  type Exported,
  FIRST,
  type Fields,
  idsOf,
  module,
  reel,
  startTrail,
  TENANT,
  trail,
  WIRES,
} from '../../support/wires.js';

beforeAll(startTrail);
afterAll(() => reel.close());

describe.each(WIRES)('%s: an export', (_, wire) => {
  const COLUMNS =
    'id created_at module action severity actor_id actor_email actor_name tenant_id client_id resource_type resource_id ip_address'.split(
      ' ',
    );
  const TYPES: Record<string, string> = {
    CSV: 'text/csv; charset=utf-8',
    JSON: 'application/json',
    NDJSON: 'application/x-ndjson',
  };
  const exporter = () => person({ grants: [grant(TENANT, `reel.logs.export:CLIENT:${FIRST}`)] });
  const ofFirst = () => trail.filter(({ clientId }) => clientId === FIRST);
  const download = async (made: Exported) => {
    const answer = await fetch(reel.url + made.downloadUrl);
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  const rowsOf = (text: string, format: string): Fields[] => {
    if (format === 'NDJSON')
      return text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line));
    if (format === 'JSON') {
      const { logs, count, ...others } = JSON.parse(text);
      expect(others).toEqual({});
      expect(count).toBe(logs.length);
      return logs;
    }
    const [header = [], ...rows] = readCsv(text);
    return rows.map((row) =>
      Object.fromEntries(header.map((name, at) => [name, row[at] === '' ? null : row[at]])),
    );
  };

  it.each([
    ['CSV', false],
    ['CSV', true],
    ['JSON', false],
    ['JSON', true],
    ['NDJSON', false],
    ['NDJSON', true],
  ])('as %s (with data: %s) holds the rows that were counted, oldest first', async (format, includeData) => {
    const { value: made } = await wire.export(await exporter(), {}, { format, includeData });
    const expected = ofFirst();
    expect(made.recordCount).toBe(expected.length);
    expect(made.filename).toMatch(new RegExp(`^logs_\\d{8}_\\d{6}\\.${format.toLowerCase()}$`));
    expect(Date.parse(made.expiresAt)).toBeGreaterThan(Date.now() + 59 * 60_000);
    expect(made.downloadUrl).toMatch(/^\/api\/v1\/reel\/exports\//);
    const { status, headers, text } = await download(made);
    expect(status).toBe(200);
    expect(headers.get('content-type')?.toLowerCase()).toContain(TYPES[format]);
    expect(headers.get('content-disposition')).toBe(`attachment; filename="${made.filename}"`);
    const rows = rowsOf(text, format);
    expect(rows.map(({ id }) => id)).toEqual(idsOf(expected));
    for (const [at, row] of rows.entries()) {
      expect(Object.keys(row)).toEqual(includeData ? [...COLUMNS, 'data'] : COLUMNS);
      const source = expected[at]!;
      for (const name of COLUMNS) expect(row[name]).toBe(source[camel(name)]);
      if (!includeData) continue;
      const data = format === 'CSV' && row.data !== null ? JSON.parse(String(row.data)) : row.data;
      expect(data).toEqual(source.data);
    }
  });

  it('takes every filter', async () => {
    const token = await exporter();
    for (const [filter, keep] of [
      [{ module: 'aurora' }, ({ module }: Fields) => module === 'aurora'],
      [{ action: 'users.*' }, ({ action }: Fields) => String(action).startsWith('users.')],
      [{ search: 'OFF_' }, ({ id }: Fields) => id === trail[0]!.id],
      [{ minSeverity: 'INFO' }, ({ severity }: Fields) => severity !== 'DEBUG'],
      [{ endDate: trail[1]!.createdAt }, ({ id }: Fields) => id === trail[0]!.id || id === trail[1]!.id],
      [{ module: 'none' }, () => false],
      [{ module: '', severity: '', search: '' }, () => true],
    ] as [Fields, (entry: Fields) => boolean][]) {
      const { value: made } = await wire.export(token, filter, { format: 'NDJSON' });
      const expected = idsOf(ofFirst().filter(keep));
      expect(made.recordCount).toBe(expected.length);
      expect(rowsOf((await download(made)).text, 'NDJSON').map(({ id }) => id)).toEqual(expected);
    }
  });

  it('of nothing has its header still', async () => {
    const token = await exporter();
    const texts = await Promise.all(
      ['CSV', 'JSON', 'NDJSON'].map(async (format) => {
        const { value } = await wire.export(token, { module: 'none' }, { format });
        return (await download(value)).text;
      }),
    );
    expect(texts[0]!.trimEnd()).toBe(COLUMNS.join(','));
    expect(JSON.parse(texts[1]!)).toEqual({ logs: [], count: 0 });
    expect(texts[2]).toBe('');
  });

  it('has every entry acknowledged before it, and none written after', async () => {
    const [tenantId, clientId] = [randomUUID(), randomUUID()];
    const token = await person({ grants: [grant(tenantId, `reel.logs.export:CLIENT:${clientId}`)] });
    const write = () => wire.create(module, { ...ENTRY, tenantId, clientId });
    for (let at = 1; at <= 5; at++) {
      await write();
      const { value: made } = await wire.export(token, {}, { format: 'NDJSON' });
      expect(made.recordCount).toBe(at);
      if (at < 5) continue;
      await Promise.all([write(), write(), write()]);
      for (let time = 0; time < 2; time++)
        expect(rowsOf((await download(made)).text, 'NDJSON')).toHaveLength(at);
    }
  });

  it('as CSV is quoted, and guards what a spreadsheet would run', async () => {
    const [tenantId, clientId] = [randomUUID(), randomUUID()];
    const token = await person({ grants: [grant(tenantId, `reel.logs.export:CLIENT:${clientId}`)] });
    const names = [
      '=1+1',
      '+x',
      '-x',
      '@x',
      '\tx',
      '\rx',
      '-5',
      '+1.5',
      'a,b',
      'a"b',
      'a\r\nb',
      "'x",
      ' =x',
      '-1e3',
    ];
    for (const actorName of names) await wire.create(module, { ...ENTRY, tenantId, clientId, actorName });
    const { value } = await wire.export(token, {});
    const rows = rowsOf((await download(value)).text, 'CSV');
    const guarded = ["'=1+1", "'+x", "'-x", "'@x", "'\tx", "'\rx"];
    const shown = rows.map((row) => row.actor_name);
    const rest = names.slice(guarded.length).map((name) => (name === ' =x' ? " '=x" : name));
    expect(shown).toEqual([...guarded, ...rest]);
    const { value: verbatim } = await wire.export(token, {}, { format: 'JSON' });
    expect(rowsOf((await download(verbatim)).text, 'JSON').map((row) => row.actor_name)).toEqual(names);
  });

  it('is opened by its own link alone, unchanged', async () => {
    const { value: made } = await wire.export(await exporter(), {});
    const [path = '', token = ''] = made.downloadUrl.split('?token=');
    const half = Math.floor(token.length / 2);
    for (const link of [
      path,
      `${path}?token=`,
      `${path}?token=${token.slice(0, -2)}`,
      `${path}?token=${token.slice(0, half)}${token[half] === 'A' ? 'B' : 'A'}${token.slice(half + 1)}`,
      `${path.replace('.csv', '.json')}?token=${token}`,
    ]) {
      const answer = await fetch(reel.url + link);
      expect(answer.status).toBe(403);
      expect(await answer.json()).toEqual({ detail: expect.any(String) });
    }
    expect((await fetch(reel.url + made.downloadUrl, { method: 'HEAD' })).status).toBe(405);
  });

  it('of a bad filter or format is refused', async () => {
    const token = await exporter();
    expect((await wire.export(token, { severity: 'error' })).code).toBe('BAD_USER_INPUT');
    expect((await wire.export(token, { startDate: 'x' })).code).toBe('BAD_USER_INPUT');
    expect((await wire.export(token, {}, { format: 'XML' })).code).toBe('BAD_USER_INPUT');
  });
});

/** RFC 4180: quoted cells may hold commas, line breaks and doubled quotes. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/gy;
  while (cell.lastIndex < text.length) {
    const [, quoted, bare = '', end] = cell.exec(text) ?? expect.unreachable(`no CSV: ${text}`);
    row.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    rows.push(row);
    row = [];
  }
  return rows;
}
