import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WitnessClient } from '../../src/seal/witness-client.js';

const got: { method: string; type: string; body: string; at: number }[] = [];
let answer = 200;
const server = createServer(async (request: IncomingMessage, response) => {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  got.push({
    method: request.method!,
    type: request.headers['content-type']!,
    body,
    at: performance.now(),
  });
  response.statusCode = answer;
  response.end();
});
let url: string;
let witness: WitnessClient;
const faults: string[] = [];
const INTERVAL_MS = 300;

beforeEach(async () => {
  got.length = 0;
  faults.length = 0;
  answer = 200;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/notes`;
  witness = new WitnessClient({
    url,
    onFault: (error) => faults.push(String(error)),
    intervalMs: INTERVAL_MS,
  });
});
afterEach(async () => {
  await witness.stop();
  server.closeAllConnections();
  server.close();
});

test("gets each tenant's newest note as text, at most one per interval", async () => {
  const began = performance.now();
  for (let size = 1; size <= 5; size += 1) witness.submit('a', `note ${size} of a\n`);
  witness.submit('b', 'note 1 of b\n');
  await expect.poll(() => got.length).toBe(2);
  expect(got.map(({ body }) => body).sort()).toEqual(['note 1 of b\n', 'note 5 of a\n']);
  expect(got[0]).toMatchObject({ method: 'POST', type: 'text/plain; charset=utf-8' });
  const timer = setInterval(() => witness.submit('a', 'a later note of a\n'), 5);
  await expect.poll(() => got.length).toBeGreaterThanOrEqual(5);
  clearInterval(timer);
  // However late each arrived: so many were not sent in less time.
  const ofA = got.filter(({ body }) => body.includes('of a'));
  expect(ofA.at(-1)!.at - began).toBeGreaterThanOrEqual((ofA.length - 1) * INTERVAL_MS);
});

test('that rejects a note is reported and gets it again after the interval; one that has it gets it once', async () => {
  answer = 500;
  witness.submit('a', 'note 1 of a\n');
  await expect
    .poll(() => faults)
    .toEqual(['Error: REEL_WITNESS_URL: expected a status from 200 to 299, got 500']);
  answer = 204;
  await expect.poll(() => got.length).toBe(2);
  await new Promise((done) => setTimeout(done, 2.5 * INTERVAL_MS));
  expect(got.map(({ body }) => body)).toEqual(['note 1 of a\n', 'note 1 of a\n']);
});

test('that is unreachable, or redirects, holds up nothing', async () => {
  answer = 302;
  witness.submit('a', 'note 1 of a\n');
  await expect.poll(() => faults.length).toBe(1);
  await witness.stop();
  const gone = new WitnessClient({
    url: 'http://127.0.0.1:9/',
    onFault: (error) => faults.push(String(error)),
    intervalMs: 60,
  });
  gone.submit('a', 'note 1 of a\n');
  await expect.poll(() => faults.length).toBeGreaterThan(2);
  await gone.stop();
});

test('that never answers, or never stops answering, holds up nothing and fills nothing', async () => {
  let sent = 0;
  const odd = createServer((request, response) => {
    request.resume();
    if (request.url === '/silent') return;
    response.writeHead(200, { 'content-type': 'text/html' });
    const more = () => {
      for (let room = true; room && !response.destroyed; sent += 65_536)
        room = response.write('x'.repeat(65_536));
    };
    response.on('drain', more);
    more();
  });
  await once(odd.listen(0, '127.0.0.1'), 'listening');
  const at = `http://127.0.0.1:${(odd.address() as AddressInfo).port}`;
  const options = { intervalMs: 60, timeoutMs: 100, onFault: (error: unknown) => faults.push(String(error)) };
  const [silent, endless] = ['/silent', '/endless'].map(
    (path) => new WitnessClient({ ...options, url: at + path }),
  );
  silent!.submit('a', 'note 1 of a\n');
  await expect.poll(() => faults.length).toBeGreaterThan(1);
  expect(faults[0]).toMatch(/timeout/i);
  await silent!.stop();
  const before = faults.length;
  endless!.submit('a', 'note 1 of a\n');
  await expect.poll(() => sent).toBeGreaterThan(0);
  await endless!.stop();
  expect(faults).toHaveLength(before);
  expect(sent).toBeLessThan(20 * 1024 * 1024);
  odd.closeAllConnections();
  odd.close();
});
