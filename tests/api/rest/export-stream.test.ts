import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LogExportFormat } from '../../../src/log/export/export-logs-input.js';
import { toCriteria } from '../../../src/log/filter/criteria.js';
import {
  anEntry,
  CLIENT,
  exporter,
  OTHER_CLIENT,
  READER,
  type RestServer,
  startRestServer,
  TENANT,
} from '../../support/rest-server.js';

const P = '/api/v1/reel';
const SCOPE = { tenantId: TENANT, clients: [CLIENT] };
const CRITERIA = toCriteria(SCOPE, null, new Date());
let server: RestServer;
beforeEach(async () => {
  server = await startRestServer();
});
afterEach(() => server.app.close());

const fill = (count: number) => {
  for (let n = 0; n < count; n++) {
    const sequence = server.reel.entries.length + 1;
    server.reel.entries.push(
      anEntry({ id: `01980000-0000-7000-8000-${String(sequence).padStart(12, '0')}`, sequence }),
    );
  }
};
const prepare = async (payload: unknown, headers = {}) => {
  const authorization = await exporter(CLIENT);
  const answer = await server.app.inject({
    method: 'POST',
    url: `${P}/logs/export`,
    headers: { authorization, 'content-type': 'application/json', ...headers },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });
  return { status: answer.statusCode, body: answer.json() };
};
const fetchLink = (url: string, method: 'GET' | 'HEAD' = 'GET') => server.app.inject({ method, url });

describe('preparing', () => {
  test('byte for byte', async () => {
    fill(3);
    const { status, body } = await prepare({});
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(['download_url', 'filename', 'record_count', 'expires_at']);
    expect(body).toMatchObject({
      filename: 'logs_20260105_100000.csv',
      record_count: 3,
      expires_at: '2026-01-05T11:00:00.000000Z',
    });
    expect(body.download_url.startsWith(`${P}/exports/logs_20260105_100000.csv?token=`)).toBe(true);
  });

  test('empty values are not given', async () => {
    const { status, body } = await prepare({
      filter: { module: '', severity: '', actor_id: null, start_date: '', search: '' },
      format: '',
      include_data: null,
    });
    expect([status, body.filename]).toEqual([200, 'logs_20260105_100000.csv']);
    expect((await prepare({ filter: '' })).status).toBe(200);
    expect((await prepare({ filter: null })).status).toBe(200);
  });

  test.each([['json'], ['ndjson']])('a %s file', async (format) => {
    expect((await prepare({ format })).body.filename).toBe(`logs_20260105_100000.${format}`);
  });

  test('a name that is not known is refused: it would widen the filter', async () => {
    const { status, body } = await prepare({ filter: { actors: 'x' }, formt: 'csv' });
    expect(status).toBe(422);
    expect(
      body.detail.map(({ loc, type }: { loc: string[]; type: string }) => `${loc.join('.')} ${type}`),
    ).toEqual(['body.filter.actors extra_forbidden', 'body.formt extra_forbidden']);
  });

  test('every fault at once', async () => {
    const { status, body } = await prepare({
      format: 'CSV',
      include_data: 'perhaps',
      filter: { severity: 'error', actor_id: 5, module: ['a'], page: 0 },
    });
    expect(status).toBe(422);
    expect(
      body.detail.map(({ loc, type }: { loc: string[]; type: string }) => `${loc.join('.')} ${type}`),
    ).toEqual([
      'body.format enum',
      'body.include_data bool_type',
      'body.filter.module string_type',
      'body.filter.severity enum',
      'body.filter.actor_id string_type',
      'body.filter.page extra_forbidden',
    ]);
    for (const [sent, type] of [
      ['', 'missing'],
      ['nonsense', 'json_invalid'],
      ['[]', 'model_attributes_type'],
    ] as const)
      expect((await prepare(sent)).body.detail).toMatchObject([{ loc: ['body'], type }]);
    expect((await prepare({ filter: 7 })).body.detail).toMatchObject([
      { loc: ['body', 'filter'], type: 'dict_type' },
    ]);
  });

  test('more entries than are allowed: the count and the limit are named', async () => {
    const small = await startRestServer({ maxRecords: 2 });
    small.reel.entries.push(...[1, 2, 3].map((sequence) => anEntry({ sequence })));
    await expect(small.exports.prepare(CRITERIA, {}, READER)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      message: expect.stringMatching(/at most 2 matching entries, got 3/),
    });
    small.reel.entries.pop();
    expect((await small.exports.prepare(CRITERIA, {}, READER)).recordCount).toBe(2);
    await small.app.close();
  });

  test('proofs: in NDJSON only', async () => {
    await server.exports.prepare(CRITERIA, { format: LogExportFormat.NDJSON, includeProofs: true }, READER);
    for (const format of [LogExportFormat.CSV, LogExportFormat.JSON])
      await expect(
        server.exports.prepare(CRITERIA, { format, includeProofs: true }, READER),
      ).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
      });
  });

  test('times relative to now are settled when the link is made', async () => {
    fill(1);
    const asked = vi.spyOn(server.sealed, 'streamSequenced');
    const filter = { query: 'since:-24h until:2026-01-05T09:00:00Z "free text"' };
    const criteria = toCriteria(SCOPE, filter, new Date(server.now.ms));
    expect([criteria.start, criteria.end]).toEqual([
      '2026-01-04T10:00:00.000000Z',
      '2026-01-05T09:00:00.000000Z',
    ]);
    const made = await server.exports.prepare(criteria, { filter }, READER);
    server.now.ms += 1_800_000;
    await server.exports
      .open(
        made.filename,
        new URL(made.downloadUrl, 'http://x').searchParams.get('token') as string,
        READER,
        new AbortController().signal,
      )
      .then(async ({ stream }) => {
        for await (const piece of stream) expect(piece).toContain('created_at');
      });
    expect(asked.mock.calls[0]?.[0]).toEqual(criteria);
  });
});

describe('streaming', () => {
  test('what was counted, in sealed order, whatever is written meanwhile', async () => {
    fill(2_500);
    server.reel.entries[7] = anEntry({ sequence: 8, clientId: OTHER_CLIENT });
    const { body } = await prepare({});
    expect(body.record_count).toBe(2_499);
    fill(100);
    const answer = await fetchLink(body.download_url);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': 'attachment; filename="logs_20260105_100000.csv"',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    const lines = answer.body.split('\r\n');
    expect(lines).toHaveLength(2_501);
    expect(
      lines[1]?.startsWith('01980000-0000-7000-8000-000000000001,2026-01-05T10:00:00.123456Z,guardian,'),
    ).toBe(true);
    expect(lines.slice(1, -1)).toEqual(lines.slice(1, -1).toSorted());
    expect((await fetchLink(body.download_url)).body).toBe(answer.body);
  });

  test.each([
    ['json', 'application/json', 'logs'],
    ['ndjson', 'application/x-ndjson', null],
  ])('%s, with data', async (format, type, key) => {
    fill(1);
    Object.assign(server.reel.entries[0] as object, { data: { a: [1] } });
    const { body } = await prepare({ format, include_data: true });
    const answer = await fetchLink(body.download_url);
    expect(answer.headers['content-type']).toBe(type);
    const row = key ? answer.json()[key][0] : answer.json();
    expect([row.data, Object.keys(row).at(-1)]).toEqual([{ a: [1] }, 'data']);
    const plain = await fetchLink((await prepare({ format })).body.download_url);
    expect(plain.body).not.toContain('"data"');
  });

  test('nothing to send: a header alone', async () => {
    const answer = await fetchLink((await prepare({})).body.download_url);
    expect(answer.body.split('\r\n')).toHaveLength(2);
    expect((await fetchLink((await prepare({ format: 'json' })).body.download_url)).body).toBe(
      '{"logs":[],"count":0}',
    );
    expect((await fetchLink((await prepare({ format: 'ndjson' })).body.download_url)).body).toBe('');
  });

  test('HEAD reads no entry', async () => {
    fill(1);
    const answer = await fetchLink((await prepare({})).body.download_url, 'HEAD');
    expect([answer.statusCode, answer.body, server.sealed.batches]).toEqual([405, '', 0]);
    expect(answer.headers.allow).toBe('GET');
  });

  test('no link, a forged one, another file, one past its time: 403, and no credential helps', async () => {
    const { body } = await prepare({});
    const url: string = body.download_url;
    for (const bad of [
      url.replace(/\?.*/, ''),
      url.replace(/\?.*/, '?token='),
      `${url}x`,
      url.replace('100000.csv', '100001.csv'),
      `${P}/exports/..%2F..%2Fetc?token=x`,
    ]) {
      const answer = await fetchLink(bad);
      expect([answer.statusCode, Object.keys(answer.json())]).toEqual([403, ['detail']]);
    }
    server.now.ms += 3_600_000;
    expect((await fetchLink(url)).statusCode).toBe(403);
  });

  test('a database that fails before the first row: 500 and no attachment', async () => {
    fill(1);
    const { body } = await prepare({});
    server.sealed.failsAfter = 0;
    const answer = await fetchLink(body.download_url);
    expect(answer.statusCode).toBe(500);
    expect(answer.headers['content-disposition']).toBeUndefined();
    expect(answer.json()).toMatchObject({ detail: 'Internal server error', error_id: expect.any(String) });
  });
});

describe('over a socket', () => {
  const listen = async () => {
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    return (server.app.server.address() as AddressInfo).port;
  };
  const open = async (port: number, path: string) => {
    const call = request({ port, path, host: '127.0.0.1' }).end();
    const [answer] = await once(call, 'response');
    return { call, answer };
  };

  test.each([
    ['entries were cleaned up', () => server.reel.entries.splice(0, 1)],
    ['the database fails midway', () => Object.assign(server.sealed, { failsAfter: 1 })],
  ])('%s: the file is visibly cut off, never merely short', async (_why, harm) => {
    fill(1_500);
    const { body } = await prepare({});
    harm();
    const { answer } = await open(await listen(), body.download_url);
    await expect(
      (async () => {
        for await (const _piece of answer);
      })(),
    ).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  test('a reader who does not read is waited for, and one who goes away ends the walk', async () => {
    fill(300_000);
    const { body } = await prepare({});
    const { call, answer } = await open(await listen(), body.download_url);
    answer.pause();
    await vi.waitFor(() => expect(server.sealed.batches).toBeGreaterThan(0), 60_000);
    let before = -1;
    await vi.waitFor(
      () => {
        const now = server.sealed.batches;
        const settled = now === before;
        before = now;
        expect(settled).toBe(true);
      },
      { interval: 300, timeout: 60_000 },
    );
    expect(server.sealed.batches).toBeLessThan(300);
    expect(server.sealed.ended).toBe(false);
    call.destroy();
    await vi.waitFor(() => expect(server.sealed.ended).toBe(true), { timeout: 60_000 });
    expect(server.sealed.batches).toBeLessThan(300);
  });

  test('a socket is not closed for the silence of the database, but for that of the reader', async () => {
    const quiet = await startRestServer({ quietMs: 150 });
    for (let sequence = 1; sequence <= 60_000; sequence++) quiet.reel.entries.push(anEntry({ sequence }));
    const made = await quiet.exports.prepare(CRITERIA, {}, READER);
    await quiet.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = quiet.app.server.address() as AddressInfo;
    const few = await quiet.exports.prepare(
      { ...CRITERIA, scope: { ...SCOPE, clients: [OTHER_CLIENT] } },
      {},
      READER,
    );
    quiet.sealed.pauseMs = 10;
    let text = '';
    for await (const piece of (await open(port, few.downloadUrl)).answer) text += piece;
    expect(text.split('\r\n')).toHaveLength(2);
    quiet.sealed.pauseMs = 0;
    quiet.sealed.ended = false;
    const { answer } = await open(port, made.downloadUrl);
    answer.pause().on('error', () => {});
    await vi.waitFor(() => expect(quiet.sealed.ended).toBe(true), { timeout: 60_000 });
    await quiet.app.close();
  });
});

describe('downloads of one client', () => {
  test('are four at once; a fifth waits, and leaves the line when its caller hangs up', async () => {
    fill(1);
    const { body } = await prepare({});
    await server.app.listen({ port: 0 });
    const { port } = server.app.server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}${body.download_url}`;
    let goOn = () => {};
    const held = new Promise<void>((done) => {
      goOn = done;
    });
    const entries = [...server.reel.entries];
    const read = vi.spyOn(server.sealed, 'streamSequenced').mockImplementation(async function* () {
      await held;
      yield entries;
    });
    const gone = new AbortController();
    const first = Array.from({ length: 4 }, () => fetch(url));
    await expect.poll(() => read.mock.calls.length).toBe(4);
    const impatient = fetch(url, { signal: gone.signal }).catch((error: Error) => error.name);
    const patient = fetch(url);
    await expect.poll(() => server.exports.waiting).toBe(2);
    gone.abort();
    expect(await impatient).toBe('AbortError');
    await expect.poll(() => server.exports.waiting).toBe(1);
    expect(read.mock.calls.length).toBe(4);
    goOn();
    for (const answer of await Promise.all([...first, patient])) {
      expect(answer.status).toBe(200);
      expect(await answer.text()).toContain('01980000');
    }
    expect(server.exports.waiting).toBe(0);
  });
});
