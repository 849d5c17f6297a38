import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { Tail } from '../../../src/log/read/tail.js';
import { RawClient } from '../../support/raw-client.js';
import { moduleToken, startReel, type TestReel, viewer } from '../../support/reel.js';

let reel: TestReel;
beforeAll(async () => {
  reel = await startReel();
});
afterAll(() => reel?.close());

const FOLLOW = 'subscription ($after: Count) { logAdded(after: $after) { sequence } }';
const SEVERAL = `
  query Look { logs(first: 100) { nodes { related(first: 100) { id module } } } }
  subscription Follow { logAdded(after: 0) { ...Sequence } }
  subscription Other { logAdded(after: 0) { id } }
  fragment Sequence on LogEntry { sequence }`;
const NO_NAME = 'Must provide operation name if query contains multiple operations.';

async function write(tenantId: string, count: number): Promise<void> {
  const inputs = Array.from({ length: count }, () => ({ module: 'm', action: 'a.b', tenantId }));
  const { body } = await reel.graphql(
    await moduleToken(),
    'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
    { inputs },
  );
  expect(body.errors).toBeUndefined();
}

describe('graphql-transport-ws', () => {
  /** A websocket whose messages are taken one at a time, in order. */
  class Talk {
    private readonly heard: unknown[] = [];
    private wake = () => {};
    readonly closed: Promise<[code: number, reason: string]>;

    constructor(readonly socket: WebSocket) {
      socket.on('message', (text) => {
        this.heard.push(JSON.parse(String(text)));
        this.wake();
      });
      this.closed = once(socket, 'close').then(([code, reason]) => [code, String(reason)]);
    }

    static async open(protocol: string | undefined = 'graphql-transport-ws'): Promise<Talk> {
      const url = `${reel.url.replace('http', 'ws')}/graphql`;
      const talk = new Talk(protocol ? new WebSocket(url, protocol) : new WebSocket(url));
      await once(talk.socket, 'open');
      return talk;
    }

    static async begin(tenantId = randomUUID()): Promise<Talk> {
      const talk = await Talk.open();
      talk.say({ type: 'connection_init', payload: { Authorization: `Bearer ${await viewer(tenantId)}` } });
      expect(await talk.next()).toEqual({ type: 'connection_ack' });
      return talk;
    }

    say(message: unknown): void {
      this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    }

    follow(id: string, after: number | null = null): void {
      this.say({ id, type: 'subscribe', payload: { query: FOLLOW, variables: { after } } });
    }

    async next(): Promise<unknown> {
      while (this.heard.length === 0)
        await new Promise<void>((wake) => {
          this.wake = wake;
        });
      return this.heard.shift();
    }
  }

  const entryOf = (id: string, sequence: number) => ({
    id,
    type: 'next',
    payload: { data: { logAdded: { sequence } } },
  });

  test('answers a ping with its payload, and takes a pong', async () => {
    const talk = await Talk.open();
    talk.say({ type: 'pong' });
    talk.say({ type: 'ping', payload: { a: 1 } });
    talk.say({ type: 'ping' });
    expect(await talk.next()).toEqual({ type: 'pong', payload: { a: 1 } });
    expect(await talk.next()).toEqual({ type: 'pong' });
    talk.socket.close();
  });

  test('carries several subscriptions, each until it is completed; then its id may be used again', async () => {
    const followed = vi.spyOn(Tail.prototype, 'follow');
    const tenantId = randomUUID();
    await write(tenantId, 2);
    const talk = await Talk.begin(tenantId);
    talk.follow('one', 0);
    expect([await talk.next(), await talk.next()]).toEqual([entryOf('one', 1), entryOf('one', 2)]);
    talk.follow('"two', 1);
    expect(await talk.next()).toEqual(entryOf('"two', 2));
    talk.say({ id: 'one', type: 'complete' });
    await expect.poll(() => followed.mock.calls[0]?.[2].aborted).toBe(true);
    expect(followed.mock.calls[1]?.[2].aborted).toBe(false);
    await write(tenantId, 1);
    expect(await talk.next()).toEqual(entryOf('"two', 3));
    talk.follow('one', 2);
    expect(await talk.next()).toEqual(entryOf('one', 3));
    talk.say({ id: 'none', type: 'complete' });
    talk.socket.close();
    await expect.poll(() => followed.mock.calls.every(([, , signal]) => signal.aborted)).toBe(true);
  });

  test('answers a request that cannot be executed with an error, and goes on', async () => {
    const talk = await Talk.begin();
    for (const query of ['{', '{ __typename }', 'subscription { nothing }']) {
      talk.say({ id: 'one', type: 'subscribe', payload: { query } });
      expect(await talk.next()).toEqual({
        id: 'one',
        type: 'error',
        payload: [expect.objectContaining({ extensions: { code: 'BAD_USER_INPUT' } })],
      });
    }
    talk.say({ type: 'ping' });
    expect(await talk.next()).toEqual({ type: 'pong' });
    talk.socket.close();
  });

  test('of several operations subscribes to the one that operationName chooses', async () => {
    const tenantId = randomUUID();
    await write(tenantId, 1);
    const talk = await Talk.begin(tenantId);
    const choose = (operationName?: string) =>
      talk.say({ id: 'one', type: 'subscribe', payload: { query: SEVERAL, operationName } });
    for (const [name, message] of [
      [undefined, NO_NAME],
      ['None', 'Unknown operation named "None".'],
      ['Look', 'Expected a subscription, got query'],
    ] as const) {
      choose(name);
      expect(await talk.next()).toMatchObject({ type: 'error', payload: [{ message }] });
    }
    choose('Follow');
    expect(await talk.next()).toEqual(entryOf('one', 1));
    talk.socket.close();
  });

  test.each<[string, number, (talk: Talk) => void]>([
    ['text that is not JSON', 4400, (talk) => talk.say('x')],
    ['a message that only servers send', 4400, (talk) => talk.say({ type: 'connection_ack' })],
    ['a subscription without a query', 4400, (talk) => talk.say({ id: '1', type: 'subscribe', payload: {} })],
    ['a second connection_init', 4429, (talk) => talk.say({ type: 'connection_init' })],
    ['an id in use', 4409, (talk) => [talk.follow('1'), talk.follow('1')]],
    [
      'a subscription past 50',
      4429,
      (talk) => Array.from({ length: 51 }, (_, index) => talk.follow(String(index))),
    ],
  ])('%s closes with %i', async (_, code, misuse) => {
    const talk = await Talk.begin();
    misuse(talk);
    expect((await talk.closed)[0]).toBe(code);
  });

  test('a subscription before connection_ack closes with 4401, another protocol with 4406', async () => {
    const early = await Talk.open();
    early.follow('one');
    expect((await early.closed)[0]).toBe(4401);
    const none = await Talk.open('');
    expect((await none.closed)[0]).toBe(4406);
  });

  test('without connection_init it closes with 4408', async () => {
    const talk = await Talk.open();
    expect((await talk.closed)[0]).toBe(4408);
  });

  test('a reason that is too long for a close frame is cut', async () => {
    const talk = await Talk.open();
    const payload = { Authorization: `Bearer ${await viewer(randomUUID())}`, 'X-Tenant-Id': 'é'.repeat(150) };
    talk.say({ type: 'connection_init', payload });
    const [code, reason] = await talk.closed;
    expect(code).toBe(4400);
    expect(reason).toMatch(/^X-Tenant-Id: expected one UUID, got "é{40,}$/);
  });
});

describe('event streams', () => {
  const open = async (url: string, tenantId: string, accept: string, method: 'GET' | 'POST') => {
    const variables = { after: 0 };
    const search = new URLSearchParams({ query: FOLLOW, variables: JSON.stringify(variables) });
    return fetch(`${url}/graphql${method === 'GET' ? `?${search}` : ''}`, {
      method,
      headers: {
        accept,
        authorization: `Bearer ${await viewer(tenantId)}`,
        ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
      },
      body: method === 'POST' ? JSON.stringify({ query: FOLLOW, variables }) : null,
    });
  };

  test.each([
    ['POST', 'text/event-stream'],
    ['POST', 'text/event-stream, application/json;q=0.5'],
    ['GET', 'text/event-stream'],
  ] as const)('are answered to %s with Accept: %s', async (method, accept) => {
    const tenantId = randomUUID();
    await write(tenantId, 1);
    const response = await open(reel.url, tenantId, accept, method);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('}\n\n')) text += (await reader.read()).value ?? '';
    expect(text).toBe(':\n\nevent: next\ndata: {"data":{"logAdded":{"sequence":1}}}\n\n');
    await reader.cancel();
  });

  test('of several operations follow the one that operationName chooses', async () => {
    const tenantId = randomUUID();
    await write(tenantId, 1);
    const search = new URLSearchParams({ query: SEVERAL, operationName: 'Follow' });
    const response = await fetch(`${reel.url}/graphql?${search}`, {
      headers: { accept: 'text/event-stream', authorization: `Bearer ${await viewer(tenantId)}` },
    });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('}\n\n')) text += (await reader.read()).value ?? '';
    expect(text).toContain('data: {"data":{"logAdded":{"sequence":1}}}');
    await reader.cancel();
  });

  test('that end with an error say so in their last result, and complete', async () => {
    const headers = {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      authorization: `Bearer ${await moduleToken()}`,
    };
    const body = JSON.stringify({ query: FOLLOW });
    const text = await (await fetch(`${reel.url}/graphql`, { method: 'POST', headers, body })).text();
    expect(text).toMatch(/^:\n\nevent: next\ndata: {"errors":.*"FORBIDDEN".*\n\nevent: complete\ndata:\n\n$/);
  });

  test('end the connection, too, where the client asked for that', async () => {
    const client = await RawClient.open(reel.url);
    const body = JSON.stringify({ query: FOLLOW });
    await client.write(
      `POST /graphql HTTP/1.1\r\nHost: reel\r\nConnection: close\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${await moduleToken()}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await client.until(/event: complete/);
    // Long before a connection that says nothing is ended.
    expect(await Promise.race([client.until(/$^/), setTimeout(15_000, 'still open')])).toMatch(
      /\r\nconnection: close\r\n/i,
    );
    client.socket.destroy();
  });

  test('break off when the server closes, without saying that they are complete', async () => {
    const own = await startReel();
    const response = await open(own.url, randomUUID(), 'text/event-stream', 'POST');
    const closed = own.close();
    expect(await response.text()).toBe(':\n\n');
    await closed;
  });

  test.each([
    ['no object', [], 'Expected a JSON object with a query, got something else'],
    ['no query', {}, 'query: expected a string, got nothing'],
    ['several operations and no operationName', { query: SEVERAL }, NO_NAME],
    [
      'a query among several operations',
      { query: SEVERAL, operationName: 'Look' },
      'Expected a subscription, got query',
    ],
    [
      'another operationName',
      { query: FOLLOW, operationName: 1 },
      'operationName: expected a string, got number',
    ],
    [
      'other variables',
      { query: FOLLOW, variables: [] },
      'variables: expected an object, got something else',
    ],
  ])('are refused with 400 to a request with %s', async (_, request, message) => {
    const response = await fetch(`${reel.url}/graphql`, {
      method: 'POST',
      headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify(request),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      errors: [{ message, extensions: { code: 'BAD_USER_INPUT' } }],
    });
  });
});
