import { randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { context, propagation, SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { grant, moduleToken, person, startReel, type TestReel } from '../support/reel.js';
import { StreamCalls } from '../support/streams.js';

const [TENANT, CLIENT] = [randomUUID(), randomUUID()];
const spans = new InMemorySpanExporter();
/** What others were sent, by path. */
const heard: { path: string; headers: IncomingHttpHeaders }[] = [];
const others = createServer((request, response) => {
  heard.push({ path: request.url!.split('?')[0]!, headers: request.headers });
  request.resume();
  request.on('end', () => {
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        grants: ['reel.logs.view', 'reel.streams.manage'].map((action) => ({
          action,
          scope: 'ACCOUNT',
          tenant_id: TENANT,
        })),
      }),
    );
  });
});
let reel: TestReel;
let base: string;
let [module, ana] = ['', ''];

beforeAll(async () => {
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }),
  );
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  await new Promise<void>((listening) => void others.listen(0, '127.0.0.1', listening));
  base = `http://127.0.0.1:${(others.address() as AddressInfo).port}`;
  reel = await startReel({
    REEL_MENTOR: 'http',
    REEL_MENTOR_URL: `${base}/mentor`,
    REEL_WITNESS_URL: `${base}/witness`,
  });
  module = await moduleToken('billing');
  ana = await person({ grants: [grant(TENANT, 'reel.logs.view:ACCOUNT')] });
});
afterAll(async () => {
  await reel?.close();
  others.close();
  trace.disable();
  context.disable();
  propagation.disable();
});
beforeEach(() => {
  spans.reset();
  heard.length = 0;
});

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
const entry = { module: 'billing', action: 'invoices.issue', tenant_id: TENANT, client_id: CLIENT };
const named = (name: string): ReadableSpan[] => spans.getFinishedSpans().filter((span) => span.name === name);
const oneNamed = async (name: string): Promise<ReadableSpan> => {
  await expect.poll(() => named(name).length, { timeout: 60_000 }).toBeGreaterThan(0);
  return named(name)[0]!;
};

describe('a call', () => {
  test('goes on with the trace of its caller, down to the database', async () => {
    const headers = { ...CALLER, 'x-tenant-id': TENANT };
    expect((await reel.rest(ana, 'GET', '/logs?module=billing', undefined, headers)).status).toBe(200);
    const call = await oneNamed('GET /api/v1/reel/logs');
    expect(call.kind).toBe(SpanKind.SERVER);
    expect(call.spanContext().traceId).toBe(TRACE);
    expect(call.parentSpanContext?.spanId).toBe('00f067aa0ba902b7');
    expect(call.attributes).toEqual({
      'http.request.method': 'GET',
      'http.route': '/api/v1/reel/logs',
      'http.response.status_code': 200,
    });
    const reads = named('postgresql read');
    expect(reads.length).toBeGreaterThan(0);
    for (const read of reads) {
      expect(read.kind).toBe(SpanKind.CLIENT);
      expect(read.spanContext().traceId).toBe(TRACE);
      expect(read.parentSpanContext?.spanId).toBe(call.spanContext().spanId);
    }
  });

  test('passes the trace on to Mentor', async () => {
    const someone = await person();
    const headers = { ...CALLER, 'x-tenant-id': TENANT };
    await reel.rest(someone, 'GET', '/logs', undefined, headers);
    const call = await oneNamed('GET /api/v1/reel/logs');
    const [asked] = heard.filter(({ path }) => path === '/mentor');
    expect(asked?.headers.traceparent).toBe(`00-${TRACE}-${call.spanContext().spanId}-01`);
  });

  test('over GraphQL has its own name, and its reads beneath it', async () => {
    const { body } = await reel.graphql(
      ana,
      '{ logs { nodes { id } } }',
      {},
      { ...CALLER, 'x-tenant-id': TENANT },
    );
    expect(body.errors).toBeUndefined();
    const call = await oneNamed('POST /graphql');
    expect(named('postgresql read').map((read) => read.spanContext().traceId)).toContain(TRACE);
    expect(call.spanContext().traceId).toBe(TRACE);
  });

  test('that is refused is told by its status alone', async () => {
    await reel.rest('x', 'GET', '/logs?module=secret', undefined, CALLER);
    const call = await oneNamed('GET /api/v1/reel/logs');
    expect(call.attributes['http.response.status_code']).toBe(401);
  });

  test('without a trace begins one', async () => {
    await reel.rest(module, 'POST', '/logs', entry);
    const call = await oneNamed('POST /api/v1/reel/logs');
    expect(call.parentSpanContext).toBeUndefined();
  });
});

describe('what is done for many calls at once', () => {
  test('a batch, its sealing and the witness have traces of their own, the batch linked to a call', async () => {
    await reel.rest(module, 'POST', '/logs', entry, CALLER);
    const call = await oneNamed('POST /api/v1/reel/logs');
    const batch = await oneNamed('write batch');
    expect(batch.parentSpanContext).toBeUndefined();
    expect(batch.links.map((link) => link.context.spanId)).toContain(call.spanContext().spanId);
    const write = named('postgresql write').find(
      (each) => each.spanContext().traceId === batch.spanContext().traceId,
    );
    expect(write?.parentSpanContext?.spanId).toBe(batch.spanContext().spanId);
    expect((await oneNamed('seal')).parentSpanContext).toBeUndefined();
  });

  test('the witness is told of its trace', async () => {
    const tenant = randomUUID();
    await reel.rest(module, 'POST', '/logs', { ...entry, tenant_id: tenant });
    const sent = await oneNamed('witness');
    const [note] = heard.filter(({ path }) => path === '/witness');
    expect(note?.headers.traceparent).toBe(
      `00-${sent.spanContext().traceId}-${sent.spanContext().spanId}-01`,
    );
  });

  test('a delivery has a trace of its own, which the receiver is told', async () => {
    const calls = await StreamCalls.of(
      {
        graphql: (token, query, variables) =>
          reel.graphql(token, query, variables, { 'x-tenant-id': TENANT }),
      },
      TENANT,
    );
    const { id } = await calls.create({ settings: { url: `${base}/hook` } });
    await reel.rest(module, 'POST', '/logs', entry);
    const sent = await oneNamed('deliver');
    expect(sent.attributes).toMatchObject({ 'reel.stream': id, 'reel.stream.kind': 'WEBHOOK' });
    const hook = heard.find(({ path }) => path === '/hook');
    expect(hook?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });
});

test('no span holds a tenant, a person, a value of a query or a statement', async () => {
  const headers = { 'x-tenant-id': TENANT };
  await reel.rest(ana, 'GET', '/logs?module=zanzibar&query=actor:zanzibar', undefined, headers);
  await reel.rest(ana, 'GET', '/logs?query=zanzibar:zanzibar', undefined, headers);
  await reel.graphql(ana, '{ logs(filter: {search: "zanzibar"}) { nodes { id } } }', {}, headers);
  await reel.rest(module, 'POST', '/logs', { ...entry, action: 'zanzibar' });
  await oneNamed('seal');
  const said = JSON.stringify(
    spans
      .getFinishedSpans()
      .map(({ name, attributes, events, status }) => [name, attributes, events, status]),
  );
  expect(said).not.toMatch(/zanzibar|select |insert /i);
  expect(said).not.toContain(TENANT);
  expect(said).not.toContain('ana@example.com');
});
