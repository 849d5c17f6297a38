import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RawClient, requestText } from '../../support/raw-client.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../../support/reel.js';

const [TENANT, CLIENT] = [randomUUID(), randomUUID()];
let reel: TestReel;
let framed: TestReel;
let ana: string;
let module: string;
let link: string;
beforeAll(async () => {
  reel = await startReel({ REEL_PLAYGROUND: 'on' });
  framed = await startReel(
    { REEL_PLAYGROUND: 'on', REEL_ALLOWED_ORIGINS: 'https://app.example.com' },
    { ...reel.own, drop: async () => {} },
  );
  ana = await person({
    grants: [grant(TENANT, 'reel.logs.view:ACCOUNT'), grant(TENANT, `reel.logs.export:CLIENT:${CLIENT}`)],
  });
  module = await moduleToken();
  link = (await reel.rest(ana, 'POST', '/logs/export', {})).body.download_url;
});
afterAll(async () => {
  await framed?.close();
  await reel?.close();
});

/** The head of an answer, in lower case. */
async function headOf(bytes: string, url = reel.url): Promise<string> {
  const client = await RawClient.open(url);
  await client.write(Buffer.from(bytes, 'latin1'));
  const text = await client.until(/\r\n\r\n/);
  client.socket.destroy();
  return text.slice(0, text.indexOf('\r\n\r\n')).toLowerCase();
}

const EVIL = 'evil.example';

/** Of each kind of answer one. */
const asked: Readonly<Record<string, () => string>> = {
  'the viewer': () => requestText('GET /'),
  'the playground': () => requestText('GET /playground'),
  'the playground with a slash': () => requestText('GET /playground/'),
  'a file that is not there': () => requestText('GET /assets/none.js'),
  'a folder of files': () => requestText('GET /assets/'),
  'the keys': () => requestText('GET /.well-known/reel-keys'),
  health: () => requestText('GET /health/live'),
  metrics: () => requestText('GET /metrics'),
  'a list': () => requestText('GET /api/v1/reel/logs', { Authorization: `Bearer ${ana}` }),
  'a list with a slash': () => requestText('GET /api/v1/reel/logs//?x=1'),
  'a list with a slash and an absolute address': () =>
    requestText(`GET http://${EVIL}/api/v1/reel/logs/?x=1`),
  'a path of slashes': () => requestText(`GET //${EVIL}/`),
  'a path of slashes under the prefix': () => requestText(`GET /api/v1/reel//${EVIL}/`),
  'no credential': () => requestText('GET /api/v1/reel/logs'),
  'no path': () => requestText('GET /nothing'),
  'a method that is not there': () => requestText('DELETE /graphql'),
  'a body that is too long': () =>
    requestText('POST /graphql', { 'Content-Length': '999999', 'Content-Type': 'application/json' }),
  GraphQL: () => requestText('GET /graphql?query={__typename}', { 'Apollo-Require-Preflight': 'x' }),
  'an export': () => requestText(`GET ${link}`),
  'an export that is refused': () => requestText(`GET ${link}x`),
  'a bad address': () => requestText('GET /%'),
  'no HTTP': () => 'x\r\n\r\n',
  'headers that are too long together': () => requestText('GET /', { 'X-A': 'x'.repeat(200_000) }),
  'a header that is too long': () => requestText('GET /health/live', { 'X-A': 'x'.repeat(17_000) }),
  'an expectation': () => requestText('GET /health/live', { Expect: 'miracles' }),
  'a websocket of a foreign origin': () =>
    requestText('GET /graphql', {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      Origin: `https://${EVIL}`,
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    }),
};

describe.each(Object.keys(asked))('the answer with %s', (name) => {
  test('is never sniffed, and says nothing of itself elsewhere', async () => {
    const head = await headOf(asked[name]!());
    expect(head).toMatch(/^http\/1\.1 [234]\d\d /);
    expect(head).toContain('\r\nx-content-type-options: nosniff');
    expect(head).toContain('\r\nreferrer-policy: no-referrer');
  });

  test('leads nowhere that the request named', async () => {
    const text = asked[name]!().replace('Host: reel.test', `Host: ${EVIL}\r\nX-Forwarded-Host: ${EVIL}`);
    const client = await RawClient.open(reel.url);
    await client.write(Buffer.from(text, 'latin1'));
    const answer = await client.until(/\r\n\r\n/);
    client.socket.destroy();
    if (!name.startsWith('a path of slashes under')) expect(answer).not.toContain(EVIL);
    const location = /\r\nlocation: (.*)\r\n/i.exec(answer)?.[1];
    if (location !== undefined) expect(location).toMatch(/^(\/(?!\/)|\.\.\/)/);
  });
});

test.each([
  ['/', /script-src 'self';/],
  ['/playground', /script-src 'self';/],
])('%s may be framed by the pages of REEL_ALLOWED_ORIGINS alone', async (path, scripts) => {
  const [closed, open] = [
    await headOf(requestText(`GET ${path}`)),
    await headOf(requestText(`GET ${path}`), framed.url),
  ];
  for (const head of [closed, open]) {
    const policy = /\r\ncontent-security-policy: (.*)/.exec(head)?.[1];
    expect(policy).toMatch(scripts);
    expect(policy).toMatch(/default-src 'none'/);
    // GraphiQL's editor sets attributes of style: nothing else is inline.
    const inline = path === '/playground' ? "style-src-attr 'unsafe-inline'" : '';
    expect(policy).toContain(inline);
    expect(policy!.replace(inline, '').replace('https://app.example.com', '')).not.toMatch(
      /unsafe|\*|https?:/,
    );
  }
  expect(closed).toContain("frame-ancestors 'none'");
  expect(closed).toContain('x-frame-options: deny');
  expect(open).toContain('frame-ancestors https://app.example.com');
  expect(open).not.toContain('x-frame-options');
});

test('neither a link to an export nor what is behind it is stored on the way', async () => {
  const bearer = { Authorization: `Bearer ${ana}`, 'Content-Type': 'application/json' };
  const ask = '{"query":"mutation { exportLogs(input: {}) { downloadUrl } }"}';
  for (const text of [
    requestText(`GET ${link}`),
    requestText(`GET ${link}x`),
    requestText('POST /api/v1/reel/logs/export', { ...bearer, 'Content-Length': '2' }, '{}'),
    requestText('POST /graphql', { ...bearer, 'Content-Length': String(ask.length) }, ask),
  ])
    expect(await headOf(text)).toContain('\r\ncache-control: no-store');
});

describe('a body', () => {
  const ENTRY = JSON.stringify({ module: 'm', action: 'a', tenant_id: TENANT });
  const send = async (path: string, body: string, type: string | undefined, token: string) => {
    const headers = {
      Authorization: `Bearer ${token}`,
      'Content-Length': String(Buffer.byteLength(body)),
      ...(type === undefined ? {} : { 'Content-Type': type }),
    };
    return Number((await headOf(requestText(`POST ${path}`, headers, body))).slice(9, 12));
  };
  const places = [
    ['/api/v1/reel/logs', ENTRY, 201, () => module],
    ['/api/v1/reel/logs/batch', `{"entries":[${ENTRY}]}`, 200, () => module],
    ['/api/v1/reel/logs/export', '{}', 200, () => ana],
    ['/graphql', '{"query":"{ __typename }"}', 200, () => module],
  ] as const;

  test.each(places)('to %s needs a type', async (path, body, fine, token) => {
    for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON'])
      expect([type, await send(path, body, type, token())]).toEqual([type, fine]);
    for (const type of [
      undefined,
      '',
      ' ',
      ';',
      'json',
      'application',
      'application/',
      '/json',
      'text/plain',
      'application/json, text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'multipart/form-data; boundary=x',
      'application/jsonx',
      '*/*',
      'application/*',
      '\xff',
      'application/json\xff',
    ])
      expect([type, await send(path, body, type, token())]).toEqual([type, 415]);
  });

  test('that is none needs none', async () => {
    const headers = { Authorization: `Bearer ${module}`, 'Content-Length': '0' };
    expect(await headOf(requestText('POST /api/v1/reel/logs', headers))).toMatch(/^http\/1\.1 422 /);
  });
});
