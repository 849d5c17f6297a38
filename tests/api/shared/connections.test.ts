import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withDevelopmentSecrets } from '../../../src/auth/secrets.js';
import { readConfig } from '../../../src/config/config.js';
import { router } from '../../../src/router.js';
import { watchForFaults } from '../../support/faults.js';
import { frame, RawClient, requestText, UPGRADE } from '../../support/raw-client.js';
import {
  grant,
  JWT_SECRET,
  moduleToken,
  person,
  SERVICE_SECRET,
  startReel,
  type TestReel,
} from '../../support/reel.js';

const [TENANT, CLIENT] = [randomUUID(), randomUUID()];
const FOLLOW = JSON.stringify({ query: 'subscription { logAdded(after: 0) { sequence } }' });
const LIST = JSON.stringify({ query: '{ logs { nodes { id data } } }' });

let reel: TestReel;
let host: FastifyInstance;
let places: { own: string; host: string };
let ana: string;
let module: string;
let link: string;

beforeAll(async () => {
  reel = await startReel({ REEL_METRICS: 'on' });
  // A host that opens websockets of its own, too, and never thinks of errors.
  host = Fastify({ forceCloseConnections: true });
  const settings = {
    REEL_DATABASE_URL: reel.own.runtimeUrl,
    REEL_JWT_SECRET: JWT_SECRET,
    REEL_SERVICE_SECRET: SERVICE_SECRET,
  };
  await host.register(router, { config: await withDevelopmentSecrets(readConfig(settings)) });
  host.server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    if (request.url === '/graphql') return;
    socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n', () => socket.destroy());
  });
  await host.listen({ host: '127.0.0.1', port: 0 });
  places = { own: reel.url, host: `http://127.0.0.1:${(host.server.address() as AddressInfo).port}` };
  ana = await person({
    grants: [grant(TENANT, 'reel.logs.view:ACCOUNT'), grant(TENANT, `reel.logs.export:CLIENT:${CLIENT}`)],
  });
  module = await moduleToken();
  const entries = Array.from({ length: 400 }, () => ({
    module: 'm',
    action: 'a.b',
    tenant_id: TENANT,
    client_id: CLIENT,
    data: { text: 'x'.repeat(4_000) },
  }));
  await reel.rest(module, 'POST', '/logs/batch', { entries });
  link = (await reel.rest(ana, 'POST', '/logs/export', { include_data: true })).body.download_url;
});
afterAll(async () => {
  await host?.close();
  await reel?.close();
});

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const json = (body: string, more: object = {}) => ({
  'Content-Type': 'application/json',
  'Content-Length': String(Buffer.byteLength(body)),
  ...more,
});

const init = () =>
  frame(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${ana}` } }));
const subscribe = () => frame(`{"id":"1","type":"subscribe","payload":${FOLLOW}}`);

/** What is sent at each place where a connection is handed over, from one part of the server to another or to Reel. */
const requests: Readonly<Record<string, () => string>> = {
  'a websocket': () => requestText('GET /graphql', UPGRADE),
  'a websocket of the same origin': () =>
    requestText('GET /graphql', { ...UPGRADE, Origin: 'http://reel.test' }),
  'a websocket of a foreign origin': () =>
    requestText('GET /graphql', { ...UPGRADE, Origin: 'https://evil.example' }),
  'a websocket of a null origin': () => requestText('GET /graphql', { ...UPGRADE, Origin: 'null' }),
  'a websocket by POST': () => requestText('POST /graphql', { ...UPGRADE, ...json(FOLLOW) }, FOLLOW),
  'a websocket by POST of a foreign origin': () =>
    requestText('POST /graphql', { ...UPGRADE, Origin: 'https://evil.example', ...json(FOLLOW) }, FOLLOW),
  'a websocket without a key': () => requestText('GET /graphql', { ...UPGRADE, 'Sec-WebSocket-Key': 'x' }),
  'a websocket of another version': () =>
    requestText('GET /graphql', { ...UPGRADE, 'Sec-WebSocket-Version': '99' }),
  'a websocket without a subprotocol': () =>
    requestText('GET /graphql', { ...UPGRADE, 'Sec-WebSocket-Protocol': 'soap' }),
  'a websocket elsewhere': () => requestText('GET /api/v1/reel/logs', UPGRADE),
  "a websocket of the host's": () => requestText('GET /own', UPGRADE),
  'an upgrade to HTTP/2': () => requestText('GET /health/live', { ...UPGRADE, Upgrade: 'h2c' }),
  'a tunnel': () => requestText('CONNECT reel.test:443'),
  'a websocket that begins at once': () => requestText('GET /graphql', UPGRADE) + init() + subscribe(),
  'a websocket that sends nonsense': () => requestText('GET /graphql', UPGRADE) + '\xff\xff\xff'.repeat(50),
  'a websocket that sends too much': () => requestText('GET /graphql', UPGRADE) + frame('x'.repeat(60_000)),
  'an event stream by POST': () =>
    requestText('POST /graphql', { ...bearer(ana), ...json(FOLLOW), Accept: 'text/event-stream' }, FOLLOW),
  'an event stream by GET': () =>
    requestText(`GET /graphql?${new URLSearchParams(JSON.parse(FOLLOW))}`, {
      ...bearer(ana),
      Accept: 'text/event-stream',
    }),
  'an event stream that is refused': () =>
    requestText('POST /graphql', { ...json(FOLLOW), Accept: 'text/event-stream' }, FOLLOW),
  'an export': () => requestText(`GET ${link}`),
  'an export that is refused': () => requestText(`GET ${link}x`),
  'a list': () => requestText('POST /graphql', { ...bearer(ana), ...json(LIST) }, LIST),
  'an entry that breaks off': () =>
    requestText('POST /api/v1/reel/logs', { ...bearer(module), ...json('x'.repeat(500)) }, '{"module":'),
  'a packed entry that breaks off': () =>
    requestText(
      'POST /api/v1/reel/logs',
      { ...bearer(module), ...json('x'.repeat(500)), 'Content-Encoding': 'gzip' },
      gzipSync('{"module":"m"}').subarray(0, 15).toString('latin1'),
    ),
  'a body without a credential': () =>
    requestText('POST /api/v1/reel/logs', json('x'.repeat(1_000_000)), 'x'.repeat(50_000)),
  health: () => requestText('GET /health/live'),
  readiness: () => requestText('GET /health/ready'),
  metrics: () => requestText('GET /metrics'),
  'no HTTP': () => 'BREW /coffee\r\n\r\n',
  'many requests at once': () => requestText('GET /health/live').repeat(50),
};

/** What a client does to its connection. */
const endings: Readonly<Record<string, (client: RawClient, text: string) => Promise<unknown>>> = {
  'resets at once': async (client, text) => {
    void client.write(Buffer.from(text, 'latin1'));
    await setImmediate();
    client.socket.resetAndDestroy();
  },
  'resets once it is answered': async (client, text) => {
    void client.write(Buffer.from(text, 'latin1'));
    await Promise.race([client.until(/./), waited()]);
    client.socket.resetAndDestroy();
  },
  'closes its half, then resets': async (client, text) => {
    client.socket.end(Buffer.from(text, 'latin1'));
    await Promise.race([client.until(/\r\n\r\n/), waited()]);
    client.socket.resetAndDestroy();
  },
};

const waited = () => new Promise((done) => setTimeout(done, 150));
/** Nobody answers before all of it is there. */
const UNANSWERED = /breaks off|tunnel/;

describe.each(['own', 'host'] as const)('of %s server', (place) => {
  describe.each(Object.keys(endings))('a client that %s', (ending) => {
    test('never ends the process, whatever it had asked for', async () => {
      const faults = watchForFaults();
      await Promise.all(
        Object.values(requests).map(async (text) => {
          const client = await RawClient.open(places[place]);
          await endings[ending]!(client, text());
          await client.closed;
        }),
      );
      await waited();
      expect(faults).toEqual([]);
      expect((await fetch(`${places[place]}/health/live`)).status).toBe(200);
    });
  });

  test('what is asked for is answered as it should be', async () => {
    const answers: Record<string, string> = {};
    await Promise.all(
      Object.entries(requests).map(async ([name, text]) => {
        const client = await RawClient.open(places[place]);
        void client.write(Buffer.from(text(), 'latin1'));
        if (!UNANSWERED.test(name)) await client.until(/^HTTP\/1\.1 \d/);
        answers[name] = client.received.slice(9, 12);
        client.socket.resetAndDestroy();
      }),
    );
    expect(answers).toMatchObject({
      'a websocket': '101',
      'a websocket of the same origin': '101',
      'a websocket of a foreign origin': '403',
      'a websocket of a null origin': '403',
      'a websocket by POST': '200',
      'a websocket without a key': '400',
      'a websocket of another version': '400',
      'a websocket elsewhere': place === 'host' ? '400' : '401',
      "a websocket of the host's": place === 'host' ? '400' : '404',
      'an upgrade to HTTP/2': place === 'host' ? '400' : '200',
      'an event stream by POST': '200',
      'an event stream by GET': '200',
      'an event stream that is refused': '401',
      'an export': '200',
      'an export that is refused': '403',
      'a list': '200',
      'a body without a credential': '401',
      health: '200',
      'no HTTP': '400',
    });
  });
});

describe('a socket that fails on the server', () => {
  /** In so many turns of the event loop after a request or an upgrade was handed over. */
  const turns = [0, 1, 2, 5, 20];

  test.each(turns)('%i turns after it was handed over ends nothing else', async (count) => {
    const faults = watchForFaults();
    const fail = async ({ socket }: { socket: Socket }) => {
      for (let turn = 0; turn < count; turn += 1) await setImmediate();
      socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
      // Written to by whoever still has it.
      socket.write('x');
      socket.end();
    };
    const request = (message: IncomingMessage) => void fail(message);
    host.server.prependListener('upgrade', request).prependListener('request', request);
    try {
      await Promise.all(
        Object.values(requests).map(async (text) => {
          const client = await RawClient.open(places.host);
          void client.write(Buffer.from(text(), 'latin1'));
          await Promise.race([client.until(/^$/), waited()]);
          client.socket.destroy();
          await client.closed;
        }),
      );
    } finally {
      host.server.off('upgrade', request).off('request', request);
    }
    expect(faults).toEqual([]);
    expect((await fetch(`${places.host}/health/live`)).status).toBe(200);
  });
});
