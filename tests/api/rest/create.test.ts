import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  ANA,
  CLIENT,
  module,
  OTHER_TENANT,
  type RestServer,
  startRestServer,
  TENANT,
  viewer,
} from '../../support/rest-server.js';

const P = '/api/v1/reel';
let server: RestServer;
let authorization: string;
beforeAll(async () => {
  server = await startRestServer();
  authorization = await viewer();
});
beforeEach(() => {
  server.reel.entries.length = 0;
});
afterAll(() => server.app.close());

const post = async (body: unknown, as: string, headers: Record<string, string> = {}) => {
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await server.app.inject({
    method: 'POST',
    url: `${P}/logs`,
    headers: { authorization: as, 'content-type': 'application/json', ...headers },
    payload,
  });
  return { status: answer.statusCode, body: answer.json() };
};
const faultsOf = (body: { detail: { loc: string[]; type: string }[] }) =>
  body.detail.map(({ loc, type }) => `${loc.join('.')} ${type}`);

describe('creating', () => {
  const said = { module: 'guardian', action: 'users.create', tenant_id: TENANT };

  test('a module: 201, defaults filled in, nothing taken from its connection', async () => {
    const body = { ...said, data: { a: 1 }, client_id: null };
    const answer = await post(body, await module('guardian'), { 'user-agent': 'a module' });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      ...said,
      severity: 'INFO',
      data: { a: 1 },
      client_id: null,
      ip_address: null,
      user_agent: null,
      origin: 'MODULE',
    });
  });

  test('a name that is not known is refused, and the nearest named', async () => {
    const { status, body } = await post({ ...said, resourceType: 'invoice', modul: 'x' }, await module());
    expect(status).toBe(422);
    expect(faultsOf(body)).toEqual(['body.resourceType extra_forbidden', 'body.modul extra_forbidden']);
    expect(body.detail[0].msg).toContain('did you mean resource_type');
    expect(body.detail[1].msg).toContain('did you mean module');
  });

  test("every fault at once, where it is and in this wire's names", async () => {
    const body = {
      module: 7,
      severity: 'error',
      tenant_id: 'x',
      actor_id: 5,
      request_id: null,
      data: [1],
      resource_type: 'r'.repeat(101),
    };
    const { status, body: answer } = await post(body, await module(), { 'idempotency-key': 'k'.repeat(201) });
    expect(status).toBe(422);
    expect(new Set(faultsOf(answer))).toEqual(
      new Set([
        'body.module string_type',
        'body.action missing',
        'body.severity enum',
        'body.actor_id string_type',
        'body.tenant_id uuid_parsing',
        'body.resource_type string_too_long',
        'body.data dict_type',
        'header.Idempotency-Key string_too_long',
      ]),
    );
    for (const fault of answer.detail) {
      expect(Object.keys(fault)).toEqual(['type', 'loc', 'msg', 'input']);
      expect(fault.msg).not.toMatch(/[a-z][A-Z]/);
    }
  });

  test('a module needs to name the tenant', async () => {
    const { status, body } = await post({ module: 'a', action: 'b' }, await module());
    expect([status, faultsOf(body)]).toEqual([422, ['body.tenant_id missing']]);
  });

  test.each([
    ['', 'body missing'],
    ['{', 'body json_invalid'],
    ['nonsense', 'body json_invalid'],
    ['[]', 'body model_attributes_type'],
    ['null', 'body model_attributes_type'],
    ['"text"', 'body model_attributes_type'],
    [`[${'{},'.repeat(340_000)}1e400]`, 'body model_attributes_type'],
    ['1e400', 'body model_attributes_type'],
  ])('a body that cannot be read: %.30s', async (payload, fault) => {
    const { status, body } = await post(payload, await module());
    expect([status, faultsOf(body)]).toEqual([422, [fault]]);
  });

  test('bytes that are no UTF-8', async () => {
    const headers = { authorization: await module(), 'content-type': 'application/json' };
    const answer = await server.app.inject({
      method: 'POST',
      url: `${P}/logs`,
      headers,
      payload: Buffer.from([0x7b, 0xff, 0x7d]),
    });
    expect([answer.statusCode, faultsOf(answer.json())]).toEqual([422, ['body json_invalid']]);
  });

  test.each([
    [
      'deep',
      `{"module":"a","action":"b","tenant_id":"${TENANT}","data":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`,
    ],
    [
      'deep where text is expected',
      `{"action":"b","tenant_id":"${TENANT}","module":${'['.repeat(300_000)}${']'.repeat(300_000)}}`,
    ],
    ['a list of lists', `${'['.repeat(300_000)}${']'.repeat(300_000)}`],
    [
      'an integer past 2^53',
      `{"module":"a","action":"b","tenant_id":"${TENANT}","data":{"n":9007199254740993}}`,
    ],
    ['NUL', `{"module":"a","action":"b","tenant_id":"${TENANT}","data":{"n":"\\u0000"}}`],
    ['a lone surrogate', `{"module":"a\\ud800","action":"b","tenant_id":"${TENANT}"}`],
  ])('never 500: %s', async (_name, payload) => {
    const { status, body } = await post(payload, await module());
    expect(status).toBe(422);
    expect(JSON.stringify(body).length).toBeLessThan(2_000);
  });

  test('idempotency: a replay is 201 with the first entry, other content 409', async () => {
    const key = { 'idempotency-key': 'once' };
    const first = await post(said, await module(), key);
    const again = await post(said, await module(), key);
    expect([again.status, again.body]).toEqual([201, first.body]);
    const other = await post({ ...said, action: 'other' }, await module(), key);
    expect([other.status, Object.keys(other.body)]).toEqual([409, ['detail']]);
    expect((await post(said, await module(), { 'idempotency-key': '' })).status).toBe(422);
  });

  test("the module name reel is Reel's own, also beside other faults", async () => {
    for (const as of [await module(), await module('reel'), authorization]) {
      expect((await post({ ...said, module: 'reel' }, as)).status).toBe(403);
      expect((await post({ module: 'reel', severity: 'error' }, as)).status).toBe(403);
    }
  });

  test('a module may not write as another', async () => {
    expect((await post(said, await module('aurora'))).status).toBe(403);
  });

  test('a person: stored as theirs, what the body says of them is ignored', async () => {
    const body = {
      module: 'web',
      action: 'page.open',
      actor_email: 'x',
      actor_name: 5,
      ip_address: 'no address',
      user_agent: {},
      actor_id: ANA,
    };
    const answer = await post(body, authorization, { 'user-agent': 'a browser' });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      actor_id: ANA,
      actor_email: 'ana@example.com',
      actor_name: 'Ana',
      ip_address: '127.0.0.1',
      user_agent: 'a browser',
      origin: 'BROWSER',
      tenant_id: TENANT,
    });
  });

  test('a person: an actor or tenant that is not theirs, beside the other faults', async () => {
    const { status, body } = await post(
      { module: '', action: 'a', actor_id: CLIENT, tenant_id: OTHER_TENANT },
      authorization,
    );
    expect(status).toBe(422);
    expect(new Set(faultsOf(body))).toEqual(
      new Set(['body.module string_too_short', 'body.tenant_id value_error', 'body.actor_id value_error']),
    );
  });
});
