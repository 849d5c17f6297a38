import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RawClient, requestText } from '../../support/raw-client.js';
import { moduleToken, person, startReel, type TestReel, viewer } from '../../support/reel.js';

const [KIB, MIB] = [1024, 1024 * 1024];
let reel: TestReel;
let module: string;
let ana: string;
beforeAll(async () => {
  reel = await startReel();
  module = await moduleToken();
  ana = await viewer(randomUUID());
});
afterAll(() => reel?.close());

const TYPENAME = JSON.stringify({ query: '{ __typename }' });
const padded = (bytes: number) => TYPENAME + ' '.repeat(bytes - TYPENAME.length);

/** Every place that takes a body, and some that take none. */
const PLACES = [
  'POST /graphql',
  'GET /graphql?query={__typename}',
  'PUT /graphql',
  'POST /api/v1/reel/logs',
  'POST /api/v1/reel/logs/batch',
  'POST /api/v1/reel/logs/export',
  'POST /api/v1/reel/nothing',
  'GET /api/v1/reel/logs',
  'POST /nothing',
  'GET /health/live',
  'POST /health/live',
  'GET /',
  'GET /.well-known/reel-keys',
  'GET /api/v1/reel/exports/x.csv?token=x',
  'POST /%',
];

interface Told {
  status: number;
  text: string;
  /** Bytes of the body that could be sent before the connection had ended. */
  taken: number;
}

/** Sends the headers of a long body, then the body until the connection ends. */
async function upload(line: string, headers: Record<string, string>, chunked = false): Promise<Told> {
  const size: Record<string, string> = chunked
    ? { 'Transfer-Encoding': 'chunked' }
    : { 'Content-Length': String(64 * MIB) };
  const client = await RawClient.open(reel.url);
  await client.write(requestText(line, { 'Content-Type': 'application/json', ...size, ...headers }));
  const piece = Buffer.alloc(16 * KIB, 'x');
  const chunk = chunked ? Buffer.concat([Buffer.from('4000\r\n'), piece, Buffer.from('\r\n')]) : piece;
  const ended = client.closed;
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  let taken = 0;
  while (!isOver && taken < 64 * MIB) {
    await Promise.race([client.write(chunk), ended]);
    if (!isOver) taken += piece.length;
    // As clients do that send and read by turns.
    await new Promise((next) => setImmediate(next));
  }
  client.socket.destroy();
  const text = await ended;
  return { status: Number(text.slice(9, 12)), text, taken };
}

/** What the systems on both sides hold for a connection that is not read. */
const SYSTEM_BYTES = 12 * MIB;

test.each([
  ['of a length', false],
  ['of chunks', true],
])(
  'a body %s without a credential is answered at once, and not read, wherever it goes',
  async (_, chunked) => {
    const answers = await Promise.all(
      PLACES.map(async (line) => ({ line, ...(await upload(line, {}, chunked)) })),
    );
    for (const { line, status, text, taken } of answers) {
      if (/^GET .*(live|\/|keys)$/.test(line)) expect(status).toBe(200);
      else if (/graphql$|logs/.test(line) && line.startsWith('POST')) expect(status).toBe(401);
      else expect([200, 400, 401, 403, 404, 405, 413]).toContain(status);
      expect(text).toMatch(/\r\nconnection: close\r\n/i);
      expect([line, taken]).toSatisfy(() => taken < SYSTEM_BYTES);
    }
  },
);

test('nor is one with a credential that does not hold', async () => {
  for (const line of ['POST /graphql', 'POST /api/v1/reel/logs/batch']) {
    const { status, taken } = await upload(line, { Authorization: `Bearer ${module.slice(0, -4)}AAAA` });
    expect([line, status]).toEqual([line, 401]);
    expect(taken).toBeLessThan(SYSTEM_BYTES);
  }
});

test('a client that sends all before it reads is told why', async () => {
  const response = await fetch(`${reel.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: padded(8 * MIB),
  });
  expect(response.status).toBe(401);
  expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
});

describe('GraphQL', () => {
  const post = async (
    body: string | Uint8Array<ArrayBuffer>,
    token: string | null,
    more: Record<string, string> = {},
  ): Promise<number> => {
    const response = await fetch(`${reel.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...more,
      },
      body,
    });
    return response.status;
  };

  test.each<[string, () => string | null, number, number]>([
    ['nobody', () => null, 16 * KIB, 401],
    ['a person', () => ana, MIB, 413],
  ])('reads of %s so much, packed too', async (_, token, most, refusal): Promise<void> => {
    expect(await post(padded(most), token())).toBe(200);
    expect(await post(padded(most + 1), token())).toBe(refusal);
    const gzip = { 'content-encoding': 'gzip' };
    expect(await post(gzipSync(padded(most)), token(), gzip)).toBe(200);
    expect(await post(gzipSync(padded(most + 1)), token(), gzip)).toBe(refusal);
  });

  test('reads 16 MiB of a module', async () => {
    const { status, text } = await upload('POST /graphql', { Authorization: `Bearer ${module}` });
    expect(status).toBe(413);
    expect(text).toContain(`Expected a body of at most ${16 * MIB} bytes`);
    expect(await post(padded(2 * MIB), module)).toBe(200);
  });

  test('counts a document in the address as a body', async () => {
    const ask = async (size: number, headers = {}): Promise<number> =>
      (
        await fetch(
          `${reel.url}/graphql?query=${encodeURIComponent(`{ __typename #${'x'.repeat(size)}\n}`)}`,
          {
            headers: { 'apollo-require-preflight': 'x', ...headers },
          },
        )
      ).status;
    expect(await ask(10_000)).toBe(200);
    expect(await ask(17_000)).toBe(401);
    expect(await ask(17_000, { authorization: `Bearer ${ana}` })).toBe(200);
  });

  test('looks at the credential before the body', async () => {
    const client = await RawClient.open(reel.url);
    const head = { 'Content-Type': 'application/json', 'Content-Length': '10' };
    await client.write(requestText('POST /graphql', { ...head, Authorization: 'Bearer x' }));
    expect(await client.until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 401 /);
    client.socket.destroy();
  });
});

test('a person who belongs nowhere sends no batch that is read', async () => {
  const { status, taken } = await upload('POST /api/v1/reel/logs/batch', {
    Authorization: `Bearer ${await person()}`,
  });
  expect(status).toBe(403);
  expect(taken).toBeLessThan(SYSTEM_BYTES);
});

test('after a short body that was refused the connection serves on', async () => {
  const client = await RawClient.open(reel.url);
  const refused = requestText(
    'POST /api/v1/reel/logs',
    { 'Content-Type': 'application/json', 'Content-Length': String(TYPENAME.length) },
    TYPENAME,
  );
  await client.write(refused + requestText('GET /health/live'));
  const text = await client.until(/"ok"/);
  expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['401', '200']);
  client.socket.destroy();
});
