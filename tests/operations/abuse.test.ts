import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WatchedReel } from '../support/abuse.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { makeDataDir } from '../support/process.js';
import { frame, requestText, UPGRADE } from '../support/raw-client.js';
import { grant, moduleToken, person } from '../support/reel.js';

/** Of CPU time by one request, of which 100 are meant, with a wide margin: collecting garbage beside others takes several times as much. */
const HOLD_MS = 2 * 100;
/** Resident, in MiB. */
const MEMORY_MIB = 512;
const MIB = 1_048_576;

const [tenantId, clientId] = [randomUUID(), randomUUID()];
let dataDir: string;
let own: TestDatabase;
let reel: WatchedReel;
let url: string;
let [module, reader] = ['', ''];
beforeAll(async () => {
  [dataDir, own] = await Promise.all([makeDataDir(), createDatabase()]);
  reel = new WatchedReel(dataDir, own);
  url = await reel.ready();
  module = await moduleToken();
  reader = await person({
    grants: [
      grant(tenantId, 'reel.logs.view:ACCOUNT'),
      grant(tenantId, `reel.logs.export:CLIENT:${clientId}`),
    ],
  });
  // Compiled, connected and sealed once.
  await post('/api/v1/reel/logs/batch', module, JSON.stringify({ entries: [entry({ a: 1 })] }));
  await ask('{ logs { nodes { id data } } }');
  await reel.longestHold();
});
afterAll(async () => {
  await reel?.stop();
  await own?.drop();
  await rm(dirname(dataDir), { recursive: true, force: true });
});

/** Without kept connections, which the server may close while a long body is being made here. */
const dispatcher = new Agent({ pipelining: 0 });

const entry = (data: unknown, more: object = {}) => ({
  module: 'm',
  action: 'a',
  tenant_id: tenantId,
  client_id: clientId,
  request_id: 'one',
  data,
  ...more,
});

async function post(
  path: string,
  token: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    body,
    dispatcher,
  });
  return { status: response.status, text: await response.text() };
}

const postPacked = (body: Buffer<ArrayBuffer>) =>
  fetch(`${url}/api/v1/reel/logs/batch`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${module}`,
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    },
    body,
    dispatcher,
  });

const ask = (query: string) => post('/graphql', reader, JSON.stringify({ query }));

/** JSON text of so many bytes around `fill`. */
const batchOf = (fill: string) =>
  `{"entries":[${JSON.stringify(entry('FILL')).replace('"FILL"', () => fill)}]}`;
const graphqlOf = (fill: string, name = 'data') =>
  `{"query":"mutation($i:[CreateLogInput!]!){writeLogs(inputs:$i){code message}}","variables":{"i":[{"module":"m","action":"a","tenantId":"${tenantId}","${name}":${fill}}]}}`;
const [SIZE, VALUES] = [15 * MIB, 600_000];

const bodies: Record<string, string> = {
  'one long string': `{"a":"${'x'.repeat(SIZE)}"}`,
  'a string of escapes': `{"a":"${'\\"'.repeat(SIZE / 2)}"}`,
  'a long list': `{"a":[${'1,'.repeat(VALUES)}1]}`,
  'many small strings': `{"a":[${'"ab",'.repeat(VALUES)}1]}`,
  'a deep list': `{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`,
  'many names': `{${Array.from({ length: 200_000 }, (_, at) => `"key${at}":${at}`).join()}}`,
  'a long number': `{"a":${'1'.repeat(SIZE)}}`,
  'a text instead': `"${'x'.repeat(SIZE)}"`,
};

test.each(Object.entries(bodies))(
  'a body of %s does not hold the loop',
  async (_name, fill) => {
    const requests: Record<string, [path: string, body: string]> = {
      REST: ['/api/v1/reel/logs/batch', batchOf(fill)],
      'REST with repair': [
        '/api/v1/reel/logs/batch',
        batchOf(fill).replace('"module"', '"repair":true,"module"'),
      ],
      GraphQL: ['/graphql', graphqlOf(fill)],
      'GraphQL, as text': ['/graphql', graphqlOf(fill, 'resourceId')],
    };
    for (const [door, [path, body]] of Object.entries(requests)) {
      let [held, status, text] = [HOLD_MS, 0, ''];
      // The least of up to three, since garbage of what came before is collected too.
      for (let run = 0; run < 3 && held >= HOLD_MS; run += 1) {
        ({ status, text } = await post(path, module, body));
        held = await reel.longestHold();
      }
      expect([door, status, text.length < 100_000, held < HOLD_MS || held]).toEqual([door, 200, true, true]);
    }
  },
  120_000,
);

/** Sends a request and never reads what comes. */
async function unread(text: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.pause();
  socket.write(text, 'latin1');
  return socket;
}

const head = (method: string, path: string, token: string, more = '') =>
  `${method} ${path} HTTP/1.1\r\nhost: reel\r\nauthorization: Bearer ${token}\r\nx-client-id: ${clientId}\r\n${more}`;
const requestOf = (path: string, token: string, body: string, more = '') =>
  `${head('POST', path, token, more)}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

test('beside callers who read nothing, or send much at once, memory and loop keep within their bounds', async () => {
  for (let batch = 0; batch < 3; batch += 1) {
    const entries = Array.from({ length: 200 }, (_, n) =>
      entry({ n, list: Array.from({ length: 1_200 }, () => []), text: 'x'.repeat(55_000) }),
    );
    const { status } = await post('/api/v1/reel/logs/batch', module, JSON.stringify({ entries }));
    expect(status).toBe(200);
  }
  const { text } = await post(
    '/api/v1/reel/logs/export',
    reader,
    JSON.stringify({ format: 'ndjson', include_data: true }),
    { 'x-client-id': clientId },
  );
  const query = `{ logs(first: 100) { nodes { ${Array.from({ length: 4 }, (_, at) => `d${at}: data`).join(' ')} } } }`;
  const follow = JSON.stringify({ query: 'subscription { logAdded(after: 0) { data } }' });
  const sockets: Socket[] = [];
  const init = frame(
    JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${reader}` } }),
  );
  const websocket = requestText('GET /graphql', UPGRADE) + init;
  for (const [count, request] of [
    [50, websocket + frame(`{"id":"1","type":"subscribe","payload":${follow}}`)],
    [10, websocket + frame('{"type":"ping"}').repeat(20_000)],
    // Pings of the protocol itself (RFC 6455, section 5.5.2).
    [10, websocket + '\x89\x80\0\0\0\0'.repeat(50_000)],
    [25, requestOf('/graphql', reader, JSON.stringify({ query }))],
    [25, `${head('GET', '/api/v1/reel/logs?page_size=100', reader)}\r\n`],
    [20, `GET ${JSON.parse(text).download_url} HTTP/1.1\r\nhost: reel\r\n\r\n`],
    [50, requestOf('/graphql', reader, follow, 'accept: text/event-stream\r\n')],
  ] as const) {
    sockets.push(...(await Promise.all(Array.from({ length: count }, () => unread(request)))));
    await setTimeout(1_000);
  }
  const body = batchOf(bodies['one long string']!);
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => post('/api/v1/reel/logs/batch', module, body)),
  );
  for (const { status } of answers) expect([200, 503]).toContain(status);
  const packed = gzipSync(body);
  for (const { status } of await Promise.all(Array.from({ length: 6 }, () => postPacked(packed))))
    expect([200, 503]).toContain(status);
  // Whoever reads is answered beside them all.
  expect((await ask('{ logs(first: 1) { nodes { id } } }')).status).toBe(200);
  const { most } = await reel.resident();
  expect(most).toBeLessThan(MEMORY_MIB);
  expect(await reel.longestHold()).toBeLessThan(HOLD_MS);
  for (const socket of sockets) socket.destroy();
}, 240_000);
