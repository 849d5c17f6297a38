import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Egress } from '../../src/stream/egress/egress.js';
import { MOST_PARKED_IN_ROW, rowOf } from '../../src/stream/in-a-row.js';
import { acceptedOf } from '../../src/stream/kinds/otlp-answer.js';
import { answerText } from '../../src/stream/kinds/outcome.js';
import { maskedOutcome } from '../../src/stream/masked.js';
import { Receiver } from '../support/receiver.js';
import { startReel } from '../support/reel.js';
import { reelOfFile, SECRET, StreamCalls, store, tenantWith, webhookTo } from '../support/streams.js';

/** Receivers that lie, and people who may manage the streams of one tenant and want more. */

const own = reelOfFile();
const pem = (name: string) =>
  readFileSync(join(resolve(import.meta.dirname, '..', 'fixtures', 'tls'), name), 'utf8');
const CREATE = 'mutation ($input: CreateStreamInput!) { createStream(input: $input) { id } }';

let receiver: Receiver;
let tenant: string;
let calls: StreamCalls;
let stream: Awaited<ReturnType<typeof tenantWith>>['stream'];
let whole: Awaited<ReturnType<typeof tenantWith>>['whole'];
beforeEach(async () => {
  receiver = await Receiver.start();
  const entries = Array.from({ length: 25 }, (_, at) => ({ resource_id: `${at}` }));
  ({ tenant, calls, stream, whole } = await tenantWith(own, entries));
});
afterEach(() => receiver.close());

const input = (more: object = {}) => webhookTo(receiver, more);
const rowsOf = async () =>
  JSON.stringify([
    await own.reel.own.query('select s::text as row from reel_streams s where tenant_id = $1', [tenant]),
    await own.reel.own.query('select p::text as row from reel_stream_parked p where tenant_id = $1', [
      tenant,
    ]),
    await own.reel.own.query('select e::text as row from reel_log_entries e where tenant_id = $1', [tenant]),
  ]);

describe('a receiver', () => {
  it('that hangs for the first time holds up none that answer, though four of them have all turns of their tenant', async () => {
    const hanging = await Receiver.start();
    const released = Promise.withResolvers<void>();
    const asked: string[] = [];
    hanging.behaviour = async ({ headers }) => {
      asked.push(String(headers['webhook-id']));
      await released.promise;
      return { status: 204 };
    };
    try {
      const held: { id: string }[] = [];
      for (let at = 0; at < 4; at += 1) held.push(await stream({ settings: { url: hanging.url } }));
      await expect.poll(() => asked.length).toBe(4);
      await whole((await stream({ settings: { url: receiver.url } })).id);
      // One was broken off, which nobody is told of, and begins again, the same, when there is a turn for slow ones.
      expect(asked.length).toBe(4);
      for (const { id } of held) expect((await calls.get(id)).attempts).toEqual([]);
      released.resolve();
      for (const { id } of held) await whole(id);
      // Of all batches one came twice: the one that was broken off.
      expect(new Set(asked).size).toBe(asked.length - 1);
      expect(asked.slice(4).filter((id) => asked.indexOf(id) < 4)).toHaveLength(1);
    } finally {
      released.resolve();
      await hanging.close();
    }
  });

  const HIDDEN = 'hidden value "of" a header';
  it.each([
    ['WEBHOOK', SECRET, { headers: { 'X-Key': HIDDEN } }, 400],
    ['WEBHOOK', SECRET, { headers: { 'X-Key': HIDDEN } }, 503],
    ['SPLUNK', '12345678-1234-1234-1234-123456789012', {}, 403],
    ['DATADOG', 'an-api-key-of-datadog', {}, 200],
    ['OTLP', 'Bearer of-some-token', { headers: { 'X-Key': HIDDEN } }, 401],
    ['ELASTIC', 'elastic:some-password', { index: 'audit' }, 401],
  ])('that answers with what it was sent, as %s, has no secret shown', async (kind, secret, more, status) => {
    receiver.behaviour = ({ headers }) => ({
      status,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        authorization: headers.authorization,
        key: headers['dd-api-key'],
        x: headers['x-key'],
      }),
    });
    const { id } = await stream({ kind, secret, settings: { url: receiver.url, ...more } });
    await calls.until(id, ({ attempts }) => expect(attempts.length).toBeGreaterThan(0));
    const shown = JSON.stringify([await calls.test(id), await calls.get(id), await calls.parked(id)]);
    expect(shown).toContain('***');
    const secrets = [
      secret,
      Buffer.from(secret).toString('base64'),
      HIDDEN,
      JSON.stringify(HIDDEN).slice(1, -1),
    ];
    for (const each of secrets) {
      expect(shown).not.toContain(each);
      expect(shown).not.toContain(JSON.stringify(each).slice(1, -1));
      expect(await rowsOf()).not.toContain(each);
    }
  });

  it('that answers a part of a secret, where the answer is cut, shows nothing of it', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 12, maxLength: 40 }), fc.nat({ max: 60 }), (text, shift) => {
        const secret = `s-${Buffer.from(text).toString('hex')}`;
        const cut = `${`${'.'.repeat(shift)}${secret}`.slice(0, 40)}…`;
        const { answer } = maskedOutcome({ kind: 'later', answer: cut }, [secret]);
        expect(answer).not.toContain(secret.slice(0, 4));
      }),
    );
    // Of so much white space little is left.
    const padded = answerText(`401 ${' '.repeat(785)}s-0123456789abcdef and more`);
    const { answer } = maskedOutcome({ kind: 'later', answer: padded }, ['s-0123456789abcdef']);
    expect(answer).toBe('401 ***…');
  });

  it.each([
    ['Bearer tok-0123456789', 'Bearer: no such token tok-0123456789', 'Bearer: no such token ***'],
    ['elastic:correct-horse', 'elastic has not correct-horse', 'elastic has not ***'],
    ['user:of', 'of whom', 'of whom'],
  ])('that names a part of %s shows no secret of it', (secret, said, shown) => {
    expect(maskedOutcome({ kind: 'failing', answer: said }, [secret]).answer).toBe(shown);
  });

  it('whose answer never ends has taken the batch where its status says so', async () => {
    receiver.behaviour = (_, { response }) => {
      response.writeHead(200);
      response.write('a beginning');
      return undefined;
    };
    const { id } = await stream({ settings: { url: receiver.url } });
    await calls.until(id, ({ position }) => expect(position).toBe(26), 20_000);
  });

  it('of OpenTelemetry that answers nonsense has taken nothing', () => {
    const answer = (said: unknown) => ({
      status: 200,
      retryAfter: null,
      contentType: 'application/json',
      body: Buffer.from(JSON.stringify({ partialSuccess: said })),
    });
    for (const said of [
      { rejectedLogRecords: 'many' },
      { rejectedLogRecords: -1 },
      { rejectedLogRecords: 1, errorMessage: { toString: 1 } },
    ])
      expect(acceptedOf(answer(said), 3)).toMatchObject({ kind: 'later' });
    expect(acceptedOf(answer({ rejectedLogRecords: '2', errorMessage: 'x' }), 3)).toMatchObject({
      kind: 'done',
      taken: 1,
    });
    expect(acceptedOf(answer(null), 3)).toBeNull();
  });

  it('is reached over TLS by a certificate of the client, and by none other', async () => {
    const seen: (string | undefined)[] = [];
    const server = createTlsServer(
      { key: pem('server.key'), cert: pem('server.pem'), ca: pem('ca.pem'), requestCert: true },
      (request, response) => {
        request.resume();
        seen.push((request.socket as unknown as { authorized: boolean }).authorized ? 'known' : 'unknown');
        response.writeHead(204).end();
      },
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
      const untrusted = await stream({ settings: { url } });
      await calls.until(untrusted.id, ({ lastError }) =>
        expect(lastError).toMatch(/CERT|SELF_SIGNED|ISSUER/),
      );
      expect(seen).toEqual([]);
      const { id, settings } = await stream({
        settings: {
          url,
          ca: pem('ca.pem'),
          clientCertificate: pem('client.pem'),
          clientKey: pem('client.key'),
        },
      });
      expect(settings.clientKey).toBeNull();
      await calls.until(id, ({ lagEntries }) => expect(lagEntries).toBe(0));
      expect(new Set(seen)).toEqual(new Set(['known']));
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe('ten in a row', () => {
  it('that an index refuses, each by itself, make the stream fail, and the rest waits', async () => {
    receiver.behaviour = ({ body }) => {
      const count = body.toString().trimEnd().split('\n').length / 2;
      const create = { status: 400, error: { type: 'mapping', reason: 'no such field' } };
      return { status: 200, body: JSON.stringify({ items: Array(count).fill({ create }) }) };
    };
    const settings = { url: receiver.url, index: 'audit' };
    const { id } = await stream({ kind: 'ELASTIC', secret: 'an-api-key', settings });
    await calls.until(id, ({ state }) => expect(state).toBe('FAILING'));
    expect(await calls.get(id)).toMatchObject({
      parkedCount: 10,
      position: 10,
      lastError: '400 mapping: no such field',
    });
    receiver.behaviour = ({ body }) => {
      const count = body.toString().trimEnd().split('\n').length / 2;
      return { status: 200, body: JSON.stringify({ items: Array(count).fill({ create: { status: 201 } }) }) };
    };
    await calls.act('resumeStream', id);
    await calls.until(id, ({ state, lagEntries }) => expect([state, lagEntries]).toEqual(['RUNNING', 0]));
    const { logs } = await calls.ask(
      '{ logs(orderBy: OLDEST_FIRST, filter: { modules: ["reel"] }) { nodes { action } } }',
    );
    expect(logs.nodes.map(({ action }: { action: string }) => action)).toEqual(
      ['created', 'parked', 'failed', 'resumed'].map((each) => `reel.streams.${each}`),
    );
  });

  it('that a collector refuses as a whole make it fail; what it takes in part does not', async () => {
    const answers = (rejected: number) => () => ({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ partialSuccess: { rejectedLogRecords: rejected, errorMessage: 'too old' } }),
    });
    receiver.behaviour = answers(1_000);
    const { id } = await stream({
      kind: 'OTLP',
      secret: null,
      settings: { url: receiver.url, batchEntries: 25 },
    });
    await calls.until(id, ({ state }) => expect(state).toBe('FAILING'));
    expect(await calls.get(id)).toMatchObject({ parkedCount: 25, position: 25 });
    receiver.behaviour = answers(3);
    const other = await stream({
      kind: 'OTLP',
      secret: null,
      settings: { url: receiver.url, batchEntries: 25 },
    });
    await calls.until(other.id, ({ position }) => expect(position).toBeGreaterThanOrEqual(25));
    expect((await calls.get(other.id)).state).toBe('RUNNING');
  });

  it('are counted over the bounds of batches', () => {
    const verdicts = fc.array(fc.boolean(), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(verdicts, fc.nat({ max: MOST_PARKED_IN_ROW - 1 }), (refuses, before) => {
        const refused = refuses.flatMap((is, index) => (is ? [{ index, reason: 'no' }] : []));
        const row = rowOf(before, refuses.length, { kind: 'done', answer: '', refused });
        let [inRow, done] = [before, 0];
        while (done < refuses.length && !(refuses[done] && inRow === MOST_PARKED_IN_ROW)) {
          inRow = refuses[done] ? inRow + 1 : 0;
          done += 1;
        }
        expect(row).toEqual({ done, inRow, parked: refused.filter(({ index }) => index < done) });
        const whole = rowOf(before, refuses.length, { kind: 'done', answer: '', refused, isFinal: true });
        expect(whole).toMatchObject({ done: refuses.length, parked: refused });
      }),
    );
  });
});

describe('who manages the streams of a tenant', () => {
  it('is refused settings that lead astray, each with what is expected, and no secret in it', async () => {
    const s3 = { region: 'eu-central-1', bucket: 'trail', accessKeyId: 'AKIA', endpoint: receiver.url };
    const cases: [object, RegExp][] = [
      [{ settings: { url: receiver.url, publicKey: 'whpk_x' } }, /settings: expected only .*publicKey/],
      [{ settings: { url: receiver.url, headers: { constructor: null } } }, /settings\.headers: expected/],
      [
        { settings: { url: receiver.url, headers: { 'X-A': 'one', 'x-a': 'two' } } },
        /settings\.headers: expected/,
      ],
      [{ settings: { url: receiver.url, headers: { 'X-A\r\nX-B': 'one' } } }, /settings\.headers: expected/],
      [{ settings: { url: receiver.url, headers: { 'X-A': 'ü→' } } }, /settings\.headers: expected/],
      [
        {
          settings: {
            url: receiver.url,
            headers: Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`X-${at}`, 'a'])),
          },
        },
        /settings\.headers: expected at most 20/,
      ],
      [{ settings: { url: `https://example.com/${'x'.repeat(64 * 1024)}` } }, /settings\.url: expected/],
      [
        { settings: { url: receiver.url, ca: `-----BEGIN CERTIFICATE-----\n${'A'.repeat(60_000)}` } },
        /settings\.ca: expected certificates/,
      ],
      [
        {
          settings: { url: receiver.url, clientCertificate: pem('client.pem'), clientKey: pem('server.key') },
        },
        /settings\.clientKey: expected/,
      ],
      [{ settings: { url: receiver.url, batchBytes: 6 * 1_048_576 } }, /settings\.batchBytes: expected/],
      [{ secret: `whsec_${Buffer.alloc(65, 7).toString('base64')}` }, /secret: expected whsec_/],
      [
        { kind: 'S3', settings: { ...s3, pathStyle: true, prefix: '../other' } },
        /settings\.prefix: expected/,
      ],
      [
        { kind: 'S3', settings: { ...s3, pathStyle: true, accessKeyId: 'A, B=c' } },
        /settings\.accessKeyId: expected/,
      ],
      [{ kind: 'S3', settings: s3 }, /settings\.pathStyle: expected true/],
      [
        { kind: 'OTLP', settings: { url: receiver.url, headers: { Authorization: 'Bearer x' } } },
        /settings\.headers: expected no Authorization/,
      ],
      [
        { kind: 'SYSLOG', settings: { host: '169.254.169.254' } },
        /settings\.host: expected a public address/,
      ],
      [
        { kind: 'SYSLOG', settings: { host: '[::ffff:10.0.0.1]' } },
        /settings\.host: expected a public address/,
      ],
    ];
    for (const [more, message] of cases) {
      const { body } = await own.reel.graphql(calls.token, CREATE, { input: input(more) });
      const refused = body.errors?.[0] ?? { extensions: { code: JSON.stringify(more) } };
      expect([refused.extensions.code, refused.message]).toEqual([
        'BAD_USER_INPUT',
        expect.stringMatching(message),
      ]);
      const said = JSON.stringify(refused);
      expect(said).not.toContain('whsec_B');
      expect(said).not.toContain('PRIVATE KEY');
      expect(said.length).toBeLessThan(70_000);
    }
  });

  it('finds no secret in the answer to a call that is not as the schema has it', async () => {
    for (const variables of [
      { input: { ...input(), kind: undefined } },
      { input: { ...input(), kind: 'PIGEON' } },
      { input: { ...input(), secret: [SECRET, 'x'] } },
      { input: { ...input(), colour: 'red' } },
      { input: [[input()]] },
      { input: { ...input(), settings: SECRET } },
      { input: { ...input(), settings: [SECRET] } },
    ]) {
      const { body } = await own.reel.graphql(calls.token, CREATE, variables);
      expect(body.errors.length).toBeGreaterThan(0);
      expect(JSON.stringify(body)).not.toContain(SECRET.slice(0, 20));
    }
    const written = CREATE.replace('($input: CreateStreamInput!)', '').replace(
      '$input',
      `{ name: "x", kind: WEBHOOK, settings: {}, secret: ["${SECRET}"] }`,
    );
    const { body } = await own.reel.graphql(calls.token, written);
    expect(body.errors[0].message).toContain('secret: expected text');
    expect(JSON.stringify(body)).not.toContain(SECRET.slice(0, 20));
  });

  it('reaches no stream of another tenant, by whichever call', async () => {
    const { id } = await stream({ settings: { url: receiver.url } });
    await whole(id);
    await calls.act('pauseStream', id);
    const untouched = async () => ({ ...(await calls.get(id)), lagEntries: 0, lagSeconds: 0 });
    const before = await untouched();
    const others = await StreamCalls.of(own.reel, randomUUID());
    for (const call of [
      `pauseStream(id: "${id}") { id }`,
      `resumeStream(id: "${id}") { id }`,
      `replayStream(id: "${id}", after: 0) { id }`,
      `testStream(id: "${id}") { delivered }`,
      `retryParked(id: "${id}") { id }`,
      `updateStream(id: "${id}", input: { name: "mine" }) { id }`,
      `removeStream(id: "${id}")`,
    ])
      expect([call, (await others.refusal(`mutation { ${call} }`)).extensions.code]).toEqual([
        call,
        'NOT_FOUND',
      ]);
    expect((await others.refusal(`{ parkedEntries(id: "${id}") { sequence } }`)).extensions.code).toBe(
      'NOT_FOUND',
    );
    // Another tenant's client matches nothing of one's own.
    const foreign = await others.create(input({ clientId: randomUUID() }));
    await others.until(foreign.id, ({ lagEntries }) => expect(lagEntries).toBe(0));
    expect(receiver.requests.filter(({ body }) => body.includes(foreign.id))).toEqual([]);
    expect(await untouched()).toEqual(before);
  });

  it('is told where a secret of the operator cannot be read, or the key is another one', async () => {
    const mine = randomUUID();
    const key = (byte: number) => Buffer.alloc(32, byte).toString('base64');
    const first = await startReel({
      REEL_STREAM_KEY: key(1),
      REEL_STREAM_SECRETS: `${mine}=file:/nowhere/hook`,
    });
    let id: string;
    try {
      const managing = await StreamCalls.of(first, mine);
      const refused = await managing.refusal(CREATE, { input: input({ secret: 'file:/nowhere/hook' }) });
      expect(refused).toMatchObject({ extensions: { code: 'BAD_USER_INPUT' } });
      ({ id } = await managing.create(input()));
      const other = await startReel({ REEL_STREAM_KEY: key(2) }, { ...first.own, drop: async () => {} });
      try {
        const locked = await StreamCalls.of(other, mine);
        const update =
          'mutation ($id: UUID!, $input: UpdateStreamInput!) { updateStream(id: $id, input: $input) { id } }';
        const told = await locked.refusal(update, { id, input: { name: 'again' } });
        expect([told.extensions.code, told.message]).toEqual([
          'CONFLICT',
          expect.stringContaining('REEL_STREAM_KEY'),
        ]);
        expect(await locked.test(id)).toMatchObject({ delivered: false });
      } finally {
        await other.close();
      }
    } finally {
      await first.close();
    }
  });
});

describe('syslog', () => {
  it('goes in the clear to what the operator lists alone, addresses as well as names', async () => {
    const egress = new Egress({ allow: ['10.1.0.0/16'], proxy: null, isDevelopment: false });
    for (const host of ['93.184.215.14', '[2606:2800:21f:cb07:6820:80da:af6b:8b2c]']) {
      expect(() => egress.checkPlain('settings.tls', host)).toThrow(/settings\.tls: expected TLS/);
      await expect(egress.socket(host, 601, null)).rejects.toMatchObject({ code: 'ADDRESS_REFUSED' });
    }
    egress.checkPlain('settings.tls', '10.1.2.3');
  });

  it('has an entry parked that is too long without its data', async () => {
    const { createServer } = await import('node:net');
    const server = createServer((socket) => socket.on('error', () => {}).resume());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      await store(own.reel, own.token, tenant, [
        { user_agent: 'x'.repeat(1_000), resource_id: 'y'.repeat(1_024) },
      ]);
      const settings = { host: '127.0.0.1', port, tls: false, maxBytes: 2_048 };
      const { id } = await stream({ kind: 'SYSLOG', secret: null, settings });
      await calls.until(id, ({ parkedCount }) => expect(parkedCount).toBe(1));
      expect(await calls.parked(id)).toMatchObject([
        { sequence: 26, reason: 'more than 2048 bytes without its data' },
      ]);
    } finally {
      server.close();
    }
  });
});
