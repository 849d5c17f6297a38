import { randomUUID } from 'node:crypto';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Addresses } from '../../src/stream/egress/addresses.js';
import { Egress } from '../../src/stream/egress/egress.js';
import { outcomeOfStatus, retryAfterOf } from '../../src/stream/kinds/outcome.js';
import { SecretKeeper } from '../../src/stream/stream-secrets.js';
import { Receiver } from '../support/receiver.js';
import { moduleToken, startReel, type TestReel } from '../support/reel.js';
import { SECRET, StreamCalls, store, webhookTo } from '../support/streams.js';

describe('addresses', () => {
  const addresses = new Addresses({ allow: ['10.1.0.0/16', 'fd00::/8'], allowsLoopback: false });

  it.each([
    ['93.184.215.14', true],
    ['2606:2800:21f:cb07:6820:80da:af6b:8b2c', true],
    ['10.1.2.3', true],
    ['::ffff:10.1.2.3', true],
    ['fd12::1', true],
    ['10.2.0.1', false],
    ['127.0.0.1', false],
    ['::1', false],
    ['::ffff:127.0.0.1', false],
    ['0.0.0.0', false],
    ['::', false],
    ['169.254.169.254', false],
    ['::ffff:169.254.169.254', false],
    ['fe80::1', false],
    ['fc00::1', false],
    ['100.64.0.1', false],
    ['192.168.1.1', false],
    ['172.16.0.1', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['64:ff9b::7f00:1', false],
    ['2002:7f00:1::', false],
    ['not an address', false],
  ])('%s may be connected to: %s', (address, may) => {
    expect(addresses.permits(address)).toBe(may);
  });

  it('are what is connected to, whatever a name leads to', async () => {
    const found = [
      { address: '169.254.169.254', family: 4 },
      { address: '10.1.0.9', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ];
    const resolve = ((_name: string, _options: object, done: (error: null, found: LookupAddress[]) => void) =>
      done(null, found)) as never;
    const guarded = new Addresses({ allow: ['10.1.0.0/16'], allowsLoopback: false }, resolve);
    const all = await new Promise((done) =>
      guarded.lookup('rebound.example', { all: true }, (_error, list) => done(list)),
    );
    expect(all).toEqual([{ address: '10.1.0.9', family: 4 }]);
    const strict = new Addresses({ allow: [], allowsLoopback: false }, resolve);
    const error = await new Promise((done) =>
      strict.lookup('rebound.example', {}, (refused) => done(refused)),
    );
    expect(error).toMatchObject({ code: 'ADDRESS_REFUSED' });
  });

  it('are checked in every spelling of a URL', () => {
    const egress = new Egress({ allow: [], proxy: null, isDevelopment: false });
    for (const url of [
      'https://127.0.0.1/',
      'https://2130706433/',
      'https://0x7f.1/',
      'https://[::1]/',
      'https://[::ffff:7f00:1]/',
      'http://example.com/',
      'https://user@example.com/',
      'ftp://example.com/',
    ])
      expect(() => egress.checkUrl('settings.url', url)).toThrow(/settings\.url: expected/);
    egress.checkUrl('settings.url', 'https://example.com/hook');
  });
});

describe('answers', () => {
  it('fall in five kinds, whatever the status', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), fc.string(), (status, text) => {
        const { kind, answer } = outcomeOfStatus(status, text, null);
        const expected =
          status >= 200 && status < 300
            ? 'done'
            : [408, 429].includes(status) || status >= 500
              ? 'later'
              : [400, 413, 415, 422].includes(status)
                ? 'refused'
                : status === 410
                  ? 'gone'
                  : 'failing';
        expect(kind).toBe(expected);
        expect([...answer].length).toBeLessThanOrEqual(200);
        expect(answer.isWellFormed()).toBe(true);
        expect(answer).not.toMatch(/\p{Cc}/u);
      }),
    );
  });

  it('may ask for time, by seconds or a date, up to an hour', () => {
    const now = Date.parse('2026-01-05T10:00:00Z');
    expect(retryAfterOf('7', now)).toBe(7_000);
    expect(retryAfterOf('Mon, 05 Jan 2026 10:01:00 GMT', now)).toBe(60_000);
    expect(retryAfterOf('Mon, 05 Jan 2026 09:00:00 GMT', now)).toBe(0);
    expect(retryAfterOf('999999', now)).toBe(3_600_000);
    for (const none of [null, 'soon', '-5', '']) expect([null, 0]).toContain(retryAfterOf(none, now));
  });
});

describe('secrets', () => {
  const key = () =>
    Buffer.from(randomUUID().replaceAll('-', '') + randomUUID().replaceAll('-', ''), 'hex').toString(
      'base64',
    );
  const some = { secret: SECRET, previous: null, headers: { 'X-Key': 'v' }, clientKey: null };

  it('are read under any of the keys, by their own stream alone, and never stand in the clear', () => {
    const [old, young, tenant, stream] = [key(), key(), randomUUID(), randomUUID()];
    const sealed = new SecretKeeper([old], []).seal(tenant, stream, some)!;
    expect(sealed.toString('latin1')).not.toContain('whsec_');
    expect(new SecretKeeper([young, old], []).open(tenant, stream, sealed)).toEqual(some);
    for (const [keys, of, id] of [
      [[young], tenant, stream],
      [[old], randomUUID(), stream],
      [[old], tenant, randomUUID()],
    ] as const)
      expect(() => new SecretKeeper(keys, []).open(of, id, sealed)).toThrow(/REEL_STREAM_KEY/);
    sealed[0] = 2;
    expect(() => new SecretKeeper([old], []).open(tenant, stream, sealed)).toThrow(/REEL_STREAM_KEY/);
  });

  it('may be the server’s own where the operator lists exactly that', () => {
    const tenant = randomUUID();
    const file = join(mkdtempSync(join(tmpdir(), 'reel-secret-')), 'hook');
    writeFileSync(file, `${SECRET}\n`);
    const keeper = new SecretKeeper([], [`${tenant}=file:${file}`]);
    keeper.checkReference(tenant, `file:${file}`);
    expect(keeper.resolve(tenant, `file:${file}`)).toBe(SECRET);
    for (const [of, reference] of [
      [randomUUID(), `file:${file}`],
      [tenant, `file:${file}x`],
      [tenant, 'file:/etc/passwd'],
      [tenant, 'env:REEL_JWT_SECRET'],
    ] as const) {
      expect(() => keeper.checkReference(of, reference)).toThrow(/REEL_STREAM_SECRETS/);
      expect(() => keeper.resolve(of, reference)).toThrow(/REEL_STREAM_SECRETS/);
    }
  });
});

describe('a stream', () => {
  let reel: TestReel;
  let token: string;
  let receiver: Receiver;
  let calls: StreamCalls;
  let tenant: string;
  beforeAll(async () => {
    reel = await startReel();
    token = await moduleToken();
  });
  afterAll(() => reel.close());
  beforeEach(async () => {
    receiver = await Receiver.start();
    tenant = randomUUID();
    calls = await StreamCalls.of(reel, tenant);
  });
  afterEach(() => receiver.close());
  const CREATE = 'mutation ($input: CreateStreamInput!) { createStream(input: $input) { id } }';
  const input = (more: object = {}) => webhookTo(receiver, more);

  it('is refused where it leads nowhere that it may go, or lacks what it needs', async () => {
    for (const more of [
      { settings: { url: 'http://169.254.169.254/latest/meta-data' } },
      { settings: { url: 'http://10.0.0.1/' } },
      { settings: {} },
      { settings: { url: receiver.url, colour: 'red' } },
      { settings: { url: receiver.url, batchEntries: 1_001 } },
      { settings: { url: receiver.url, headers: { 'webhook-id': 'mine' } } },
      { settings: { url: receiver.url, headers: { Host: 'mine' } } },
      { settings: { url: receiver.url, headers: { 'X-A': 'b\r\nC: d' } } },
      { secret: null },
      { secret: 'whsec_c2hvcnQ=' },
      { secret: 'env:PATH' },
      { secret: 'file:/etc/passwd' },
      { name: '' },
      { query: 'severity:' },
      { format: 'CEF' },
      { after: 1_000 },
    ]) {
      const { extensions, message } = await calls.refusal(CREATE, { input: input(more) });
      expect([more, extensions.code]).toEqual([more, 'BAD_USER_INPUT']);
      expect(message).not.toContain(SECRET);
    }
  });

  it('needs secret and headers again for a new address, and follows no redirect', async () => {
    const { id } = await calls.create(input({ settings: { url: receiver.url, headers: { 'X-Key': 'k' } } }));
    const UPDATE =
      'mutation ($id: UUID!, $input: UpdateStreamInput!) { updateStream(id: $id, input: $input) { id } }';
    const moved = { url: `${receiver.url}/elsewhere` };
    for (const change of [
      { settings: moved },
      { settings: moved, secret: SECRET },
      { settings: { ...moved, headers: { 'X-Key': null } }, secret: SECRET },
    ])
      expect((await calls.refusal(UPDATE, { id, input: change })).extensions.code).toBe('BAD_USER_INPUT');
    const changed = await calls.update(id, {
      settings: { ...moved, headers: { 'X-Key': 'again' } },
      secret: SECRET,
    });
    expect(changed.settings).toEqual({ ...moved, headers: { 'X-Key': null } });
    expect((await calls.update(id, { settings: { batchEntries: 5 } })).settings).toMatchObject({
      ...moved,
      batchEntries: 5,
    });
  });

  it('takes nothing of an answer of 300 MB but its beginning, and of one that must be read, no more than a mebibyte', async () => {
    const flood = createServer((request, response) => {
      request.resume();
      response.writeHead(request.url === '/hook' ? 200 : 201);
      const piece = Buffer.alloc(1_048_576, 'x');
      let sent = 0;
      const more = () => {
        while (sent < 300 && !response.destroyed) {
          sent += 1;
          written += piece.length;
          if (!response.write(piece)) {
            response.once('drain', more);
            return;
          }
        }
        response.end();
      };
      more();
    });
    let written = 0;
    flood.listen(0, '127.0.0.1');
    await once(flood, 'listening');
    const url = `http://127.0.0.1:${(flood.address() as { port: number }).port}`;
    try {
      const { id } = await calls.create(input({ settings: { url: `${url}/hook` } }));
      await calls.until(id, ({ position }) => expect(position).toBe(1));
      const elastic = await calls.create(
        input({ kind: 'ELASTIC', secret: 'key', settings: { url, index: 'a' } }),
      );
      await calls.until(elastic.id, ({ lastError }) => expect(lastError).toMatch(/^ANSWER_TOO_LONG/));
      expect(written).toBeLessThan(100 * 1_048_576);
    } finally {
      flood.closeAllConnections();
      flood.close();
    }
  });

  it('goes through a proxy where there is one', async () => {
    const tunnels: string[] = [];
    const proxy = createServer();
    proxy.on('connect', (request, client, head) => {
      tunnels.push(request.url!);
      const [host, port] = request.url!.split(':');
      const upstream = connect(Number(port), host, () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.write(head);
        upstream.pipe(client).pipe(upstream);
      });
      for (const socket of [upstream, client]) socket.on('error', () => socket.destroy());
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port } = proxy.address() as { port: number };
    const http = new Egress({ allow: [], proxy: `http://127.0.0.1:${port}`, isDevelopment: true }).http({
      ca: null,
      cert: null,
      key: null,
    });
    try {
      const call = {
        method: 'POST',
        headers: {},
        body: 'x',
        readsAnswer: true,
        signal: AbortSignal.timeout(10_000),
      } as const;
      expect((await http.call({ ...call, url: receiver.url })).status).toBe(204);
      expect(tunnels).toEqual([`127.0.0.1:${receiver.port}`]);
      await expect(http.call({ ...call, url: 'http://169.254.169.254/' })).rejects.toThrow(/public address/);
    } finally {
      http.close();
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  it('that hangs holds up no other, and is sent again by another server at once', async () => {
    receiver.behaviour = ({ path }) => (path === '/hangs' ? undefined : { status: 204 });
    const hanging = await calls.create(input({ settings: { url: `${receiver.url}/hangs` } }));
    const other = await calls.create(input());
    await store(reel, token, tenant, [{}]);
    await calls.until(other.id, ({ position }) => expect(position).toBe(3));
    expect((await calls.get(hanging.id)).position).toBe(0);
  });

  it('is one of at most 20 of a tenant, and seen by its tenant alone, by those who may manage it', async () => {
    const made = [];
    for (let at = 0; at < 20; at += 1) made.push(await calls.create(input()));
    expect((await calls.refusal(CREATE, { input: input() })).extensions.code).toBe('CONFLICT');
    const others = await StreamCalls.of(reel, randomUUID());
    expect((await others.ask('{ streams { id } }')).streams).toEqual([]);
    expect(await others.get(made[0].id)).toBeNull();
    expect(
      (await others.refusal('mutation ($id: UUID!) { pauseStream(id: $id) { id } }', { id: made[0].id }))
        .extensions.code,
    ).toBe('NOT_FOUND');
    const { body } = await reel.graphql(token, '{ streams { id } }');
    expect(body.errors[0].extensions.code).toBe('FORBIDDEN');
  });
});

it('production needs a key for a stream, and https', async () => {
  const { generateKeyPairSync } = await import('node:crypto');
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const production = { REEL_ENV: 'production', REEL_SIGNING_KEY: pem, REEL_ORIGIN: 'audit.example.com' };
  const create = 'mutation ($input: CreateStreamInput!) { createStream(input: $input) { id } }';
  const ask = async (settings: Record<string, string>, url: string) => {
    const reel = await startReel({ ...production, ...settings });
    try {
      const calls = await StreamCalls.of(reel, randomUUID());
      return await calls.refusal(create, {
        input: { name: 'x', kind: 'WEBHOOK', secret: SECRET, settings: { url } },
      });
    } finally {
      await reel.close();
    }
  };
  expect((await ask({}, 'https://hooks.example.com/')).message).toContain('REEL_STREAM_KEY');
  const key = Buffer.alloc(32, 1).toString('base64');
  expect(
    (await ask({ REEL_STREAM_KEY: key, REEL_STREAM_ALLOW: '127.0.0.0/8' }, 'http://127.0.0.1:1/')).message,
  ).toContain('https');
});
