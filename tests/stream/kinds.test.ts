import { createHash, createHmac } from 'node:crypto';
import { join, resolve } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import protobuf from '@apollo/protobufjs';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Received, Receiver, type Reply } from '../support/receiver.js';
import { reelOfFile, type StreamCalls, store, tenantWith } from '../support/streams.js';

const FIXTURES = resolve(import.meta.dirname, '..', 'fixtures');
const COUNT = 30;

const own = reelOfFile();

let receiver: Receiver;
let tenant: string;
let calls: StreamCalls;
let ids: string[];
let stream: Awaited<ReturnType<typeof tenantWith>>['stream'];
let whole: Awaited<ReturnType<typeof tenantWith>>['whole'];
beforeEach(async () => {
  receiver = await Receiver.start();
  const entries = Array.from({ length: COUNT }, (_, at) => ({
    resource_type: 'invoice',
    resource_id: `${at}`,
    data: { at, deep: { list: [1, 2.5, 'ü'] } },
  }));
  ({ tenant, calls, ids, stream, whole } = await tenantWith(own, entries));
});
afterEach(() => receiver.close());

const lines = (body: Buffer | string) =>
  body
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('splunk', () => {
  const secret = '12345678-1234-1234-1234-123456789012';
  let indexed: unknown[];
  /** How often it is asked before it says that an event is indexed. */
  let asks: number;
  const collector = ({ path, headers, body }: Received): Reply => {
    if (headers.authorization !== `Splunk ${secret}`)
      return { status: 403, body: '{"text":"Invalid token","code":4}' };
    if (path.startsWith('/services/collector/ack?channel=')) {
      const { acks } = JSON.parse(body.toString()) as { acks: number[] };
      asks -= 1;
      return {
        status: 200,
        body: JSON.stringify({ acks: Object.fromEntries(acks.map((id) => [id, asks < 0])) }),
      };
    }
    if (path !== '/services/collector/event') return { status: 404 };
    const events = lines(body) as { event: { resource_id: string } }[];
    const bad = events.findIndex(({ event }) => event.resource_id === '7');
    if (bad >= 0 && refuses)
      return {
        status: 400,
        body: JSON.stringify({ text: 'Invalid data format', code: 6, 'invalid-event-number': bad }),
      };
    indexed.push(...events);
    const channel = headers['x-splunk-request-channel'];
    return {
      status: 200,
      body: JSON.stringify({ text: 'Success', code: 0, ...(channel ? { ackId: 3 } : {}) }),
    };
  };
  let refuses = false;
  beforeEach(() => {
    [indexed, asks, refuses] = [[], 2, false];
    receiver.behaviour = collector;
  });

  it('gets events, with where they come from in fields of their own', async () => {
    const { id } = await stream({ kind: 'SPLUNK', secret, settings: { url: receiver.url, index: 'audit' } });
    await whole(id);
    expect(indexed).toHaveLength(COUNT + 1);
    expect(indexed[0]).toMatchObject({
      index: 'audit',
      sourcetype: 'reel:audit',
      time: expect.any(Number),
      event: { id: ids[0], sequence: 1, data: { at: 0 } },
      fields: { reel_stream: id, reel_tenant: tenant, reel_id: ids[0], reel_sequence: 1 },
    });
  });

  it('is asked until what it took is indexed', async () => {
    const { id } = await stream({
      kind: 'SPLUNK',
      secret,
      settings: { url: receiver.url, acknowledge: true },
    });
    await whole(id);
    const asked = receiver.requests.filter(({ path }) => path.includes('/ack'));
    expect(asked.length).toBeGreaterThanOrEqual(3);
    expect(asked[0]!.path).toContain(String(receiver.requests[0]!.headers['x-splunk-request-channel']));
  });

  it('has the one event parked that it refuses, and fails where the token is refused', async () => {
    refuses = true;
    const { id } = await stream({ kind: 'SPLUNK', secret, settings: { url: receiver.url } });
    await calls.until(id, ({ lagEntries, parkedCount }) => expect([lagEntries, parkedCount]).toEqual([0, 1]));
    expect((await calls.parked(id))[0]).toMatchObject({
      entryId: ids[7],
      reason: expect.stringContaining('Invalid data format'),
    });
    const other = await stream({ kind: 'SPLUNK', secret: 'another', settings: { url: receiver.url } });
    await calls.until(other.id, ({ state, lastError }) => {
      expect(state).toBe('FAILING');
      expect(lastError).toContain('Invalid token');
    });
  });

  it('that answers what cannot be read has not taken it', async () => {
    receiver.behaviour = () => ({ status: 200, body: '<html>' });
    const { id } = await stream({ kind: 'SPLUNK', secret, settings: { url: receiver.url } });
    await calls.until(id, ({ lastError }) =>
      expect(lastError).toBe('200 with an answer that cannot be read'),
    );
  });
});

describe('datadog', () => {
  it('gets logs, old ones without a timestamp of theirs', async () => {
    await own.reel.own.query(
      `update reel_log_entries set created_at = created_at - interval '20 hours' where id = $1`,
      [ids[0]],
    );
    receiver.behaviour = ({ headers }) => ({
      status: headers['dd-api-key'] === 'key' ? 202 : 403,
      body: '{}',
    });
    const { id } = await stream({
      kind: 'DATADOG',
      secret: 'key',
      settings: { url: `${receiver.url}/api/v2/logs`, service: 'audit', tags: 'env:test' },
    });
    await whole(id);
    const logs = receiver.requests.flatMap(({ body }) => JSON.parse(body.toString()));
    expect(logs).toHaveLength(COUNT + 1);
    expect(logs[0]).toMatchObject({
      ddsource: 'reel',
      ddtags: 'env:test',
      service: 'audit',
      reel: { id: ids[0] },
      reel_created_at: expect.any(String),
    });
    expect(logs[0]).not.toHaveProperty('timestamp');
    expect(logs[1]).toMatchObject({
      timestamp: logs[1].reel.created_at,
      reel_stream: id,
      reel_tenant: tenant,
      reel_id: ids[1],
      reel_sequence: 2,
    });
  });

  it('takes a site or a url', async () => {
    for (const settings of [{}, { site: 'datadoghq.eu', url: receiver.url }, { site: 'no site' }])
      expect(
        (
          await calls.refusal(
            'mutation ($input: CreateStreamInput!) { createStream(input: $input) { id } }',
            {
              input: { name: 'x', kind: 'DATADOG', secret: 'k', settings },
            },
          )
        ).extensions.code,
      ).toBe('BAD_USER_INPUT');
  });
});

describe('elastic', () => {
  it('has each entry once, however often it comes, parks what it refuses and gets again what it is too busy for', async () => {
    const documents = new Map<string, Record<string, unknown>>();
    let busy = 2;
    receiver.behaviour = ({ path, headers, body }) => {
      expect(path).toBe('/_bulk');
      if (headers.authorization !== `Basic ${Buffer.from('user:password').toString('base64')}`)
        return { status: 401 };
      const all = lines(body);
      const items = [];
      for (let at = 0; at < all.length; at += 2) {
        const { _id: id, _index: index } = all[at].create;
        let status = documents.has(id) ? 409 : 201;
        if (all[at + 1].resource_id === '5' && busy > 0) status = 429;
        if (all[at + 1].resource_id === '9') status = 400;
        if (status === 201) documents.set(id, { index, ...all[at + 1] });
        items.push({
          create: {
            _index: index,
            _id: id,
            status,
            ...(status > 399 ? { error: { type: 'a_type', reason: 'a reason' } } : {}),
          },
        });
      }
      busy -= 1;
      return {
        status: 200,
        body: JSON.stringify({ errors: items.some(({ create }) => create.status > 299), items }),
      };
    };
    const { id } = await stream({
      kind: 'ELASTIC',
      secret: 'user:password',
      settings: { url: receiver.url, index: 'audit' },
    });
    await calls.until(id, ({ lagEntries, parkedCount }) => expect([lagEntries, parkedCount]).toEqual([0, 1]));
    expect([...documents.keys()]).toEqual(expect.arrayContaining(ids.filter((_, at) => at !== 9)));
    expect(documents.get(ids[0]!)).toMatchObject({
      index: 'audit',
      '@timestamp': expect.any(String),
      reel_stream: id,
      sequence: 1,
      tenant_id: tenant,
    });
    expect((await calls.parked(id))[0]).toMatchObject({ entryId: ids[9], reason: '400 a_type: a reason' });
  });
});

describe('otlp', () => {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(FIXTURES, 'otlp', target);
  let request: protobuf.Type;
  let response: protobuf.Type;
  beforeAll(async () => {
    await root.load('opentelemetry/proto/collector/logs/v1/logs_service.proto', { keepCase: false });
    request = root.lookupType('opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest');
    response = root.lookupType('opentelemetry.proto.collector.logs.v1.ExportLogsServiceResponse');
  });
  // biome-ignore lint/suspicious/noExplicitAny: what protobuf.js decodes.
  const recordsOf = (decoded: any) => decoded.resourceLogs[0].scopeLogs[0].logRecords;
  // biome-ignore lint/suspicious/noExplicitAny: an AnyValue.
  const plain = (value: any): unknown => {
    if (value.kvlistValue)
      return Object.fromEntries(
        (value.kvlistValue.values ?? []).map((each: { key: string; value: object }) => [
          each.key,
          plain(each.value ?? {}),
        ]),
      );
    if (value.arrayValue) return (value.arrayValue.values ?? []).map(plain);
    if (value.intValue !== undefined) return Number(value.intValue);
    return value.stringValue ?? value.doubleValue ?? value.boolValue ?? null;
  };

  it.each(['protobuf', 'json'])('gets log records as %s', async (encoding) => {
    const { id } = await stream({
      kind: 'OTLP',
      secret: 'Bearer token',
      settings: { url: receiver.url, encoding, headers: { 'X-Tenant': 't' } },
    });
    receiver.behaviour = () => ({ status: 200, headers: { 'content-type': 'application/x-protobuf' } });
    await whole(id);
    const records = receiver.requests.flatMap(({ path, headers, body }) => {
      expect(path).toBe('/v1/logs');
      expect(headers).toMatchObject({ authorization: 'Bearer token', 'x-tenant': 't' });
      const decoded =
        encoding === 'json'
          ? JSON.parse(body.toString())
          : request.toObject(request.decode(body), { longs: String });
      expect(() => encoding === 'json' && request.fromObject(decoded)).not.toThrow();
      return recordsOf(decoded);
    });
    expect(records).toHaveLength(COUNT + 1);
    const body = plain(records[0].body) as Record<string, unknown>;
    expect(body).toMatchObject({
      id: ids[0],
      sequence: 1,
      data: { at: 0, deep: { list: [1, 2.5, 'ü'] } },
      actor_id: null,
    });
    expect(records[0]).toMatchObject({
      severityNumber: 9,
      severityText: 'INFO',
      eventName: 'invoices.create',
    });
    expect(String(records[0].timeUnixNano)).toBe(
      `${Date.parse(`${String(body.occurred_at).slice(0, 19)}Z`) / 1000}${String(body.occurred_at).slice(20, 26)}000`,
    );
    const attributes = Object.fromEntries(
      records[0].attributes.map((each: { key: string; value: object }) => [each.key, plain(each.value)]),
    );
    expect(attributes).toMatchObject({
      'reel.stream': id,
      'reel.tenant': tenant,
      'reel.id': ids[0],
      'reel.sequence': 1,
    });
  });

  it('has a batch parked that it took in part, which must not be sent again', async () => {
    const partial = response
      .encode(response.fromObject({ partialSuccess: { rejectedLogRecords: 2, errorMessage: 'too old' } }))
      .finish();
    receiver.behaviour = () => ({
      status: 200,
      headers: { 'content-type': 'application/x-protobuf' },
      body: Buffer.from(partial),
    });
    const { id } = await stream({ kind: 'OTLP', secret: null, settings: { url: receiver.url } });
    await calls.until(id, ({ parkedCount }) => expect(parkedCount).toBeGreaterThanOrEqual(COUNT));
    expect((await calls.parked(id))[0].reason).toMatch(/^2 of \d+ rejected: too old$/);
    await calls.act('pauseStream', id);
    const bodies = receiver.requests.map(({ body }) => createHash('sha256').update(body).digest('hex'));
    expect(new Set(bodies).size).toBe(bodies.length);
  });
});

describe('s3', () => {
  const objects = new Map<string, Buffer>();
  /** As a store does: AWS Signature Version 4, in the header. */
  const bucket = ({ method, path, headers, body }: Received): Reply => {
    const [, credential, signedHeaders, signature] =
      /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
        String(headers.authorization),
      ) ?? [];
    const [key, date, region, service, end] = credential!.split('/') as [
      string,
      string,
      string,
      string,
      string,
    ];
    const canonical = [
      method,
      path,
      '',
      ...signedHeaders!.split(';').map((name) => `${name}:${String(headers[name]).trim()}`),
      '',
      signedHeaders,
      headers['x-amz-content-sha256'],
    ].join('\n');
    const scope = [date, region, service, end].join('/');
    const toSign = [
      'AWS4-HMAC-SHA256',
      headers['x-amz-date'],
      scope,
      createHash('sha256').update(canonical).digest('hex'),
    ].join('\n');
    const signing = [date, region, service, end].reduce<Buffer>(
      (with_, part) => createHmac('sha256', with_).update(part).digest(),
      Buffer.from('AWS4the secret'),
    );
    const isSigned =
      key === 'AKIA' &&
      headers['x-amz-content-sha256'] === createHash('sha256').update(body).digest('hex') &&
      createHmac('sha256', signing).update(toSign).digest('hex') === signature;
    if (!isSigned) return { status: 403, body: '<Error><Code>SignatureDoesNotMatch</Code></Error>' };
    objects.set(path, body);
    return { status: 200 };
  };
  const settings = () => ({
    endpoint: receiver.url,
    region: 'eu-central-1',
    bucket: 'trail',
    prefix: 'reel/audit',
    accessKeyId: 'AKIA',
    pathStyle: true,
    batchSeconds: 1,
  });
  beforeEach(() => {
    objects.clear();
    receiver.behaviour = bucket;
  });

  it.each(['gzip', 'zstd'])('gets objects in %s, each a batch', async (compression) => {
    const { id, settings: shown } = await stream({
      kind: 'S3',
      secret: 'the secret',
      settings: { ...settings(), compression },
    });
    expect(JSON.stringify(shown)).not.toContain('the secret');
    await whole(id);
    let previous = 0;
    for (const [path, body] of objects) {
      expect(path).toMatch(
        new RegExp(`^/trail/reel/audit/${tenant}/\\d{4}/\\d\\d/\\d\\d/\\d\\d/\\d+-\\d+\\.ndjson\\.(gz|zst)$`),
      );
      const all = lines(compression === 'gzip' ? gunzipSync(body) : zstdDecompressSync(body));
      const closing = all.pop();
      expect(closing).toMatchObject({
        stream: id,
        tenant_id: tenant,
        previous,
        checkpoint: expect.stringContaining(tenant),
      });
      expect(path).toContain(`/${closing.first}-${closing.last}.`);
      expect(all.map(({ sequence }: { sequence: number }) => sequence)).toEqual(
        Array.from({ length: closing.last - previous }, (_, at) => previous + 1 + at),
      );
      expect(all[0].proof.path).toEqual(expect.any(Array));
      previous = closing.last;
    }
    expect(previous).toBe(COUNT + 1);
  });

  it.each([
    ['by its entries', { batchEntries: COUNT + 10 }],
    // Some 35 entries with their proofs.
    ['by its bytes', { batchBytes: 130_000 }],
  ])('gets an object as soon as a batch is full, %s, and not after what it waits', async (_, bound) => {
    const { id } = await stream({
      kind: 'S3',
      secret: 'the secret',
      settings: { ...settings(), ...bound, batchSeconds: 3_600 },
    });
    await vi.waitFor(async () => {
      const [row] = await own.reel.own.query(
        'select retry_at > now() as waits from reel_streams where id = $1',
        [id],
      );
      expect(row).toEqual({ waits: true });
    }, 60_000);
    expect(objects.size).toBe(0);
    for (let round = 0; round < 5; round += 1)
      await store(
        own.reel,
        own.token,
        tenant,
        Array.from({ length: 5 }, (_, at) => ({ resource_id: `${round}-${at}` })),
      );
    await calls.until(id, ({ position }) => expect(position).toBeGreaterThan(COUNT));
    expect(objects.size).toBe(1);
    expect((await calls.get(id)).position).toBeLessThan(COUNT + 26);
  });

  it('with a wrong secret fails, and is tested under a name of its own', async () => {
    const { id } = await stream({ kind: 'S3', secret: 'another', settings: settings() });
    await calls.until(id, ({ state, lastError }) =>
      expect([state, lastError]).toEqual(['FAILING', '403 SignatureDoesNotMatch']),
    );
    await calls.update(id, { secret: 'the secret' });
    expect(await calls.test(id)).toEqual({ delivered: true, answer: '200' });
    expect([...objects.keys()].some((path) => /\/test-[0-9a-f-]{36}\.ndjson\.gz$/.test(path))).toBe(true);
  });
});
