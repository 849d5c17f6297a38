import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Answers } from '../../../src/http/answer.js';
import { leastHold } from '../../support/loop-hold.js';
import { moduleToken, startReel, type TestReel, viewer } from '../../support/reel.js';

const tenantId = randomUUID();
const [ENTRIES, ALIASES] = [20, 30];
const MIB = 1_048_576;

let reel: TestReel;
let token: string;
beforeAll(async () => {
  reel = await startReel();
  token = await viewer(tenantId);
  const entries = Array.from({ length: ENTRIES }, () => ({
    module: 'm',
    action: 'a',
    tenant_id: tenantId,
    request_id: 'one',
    data: { text: 'ä'.repeat(30_000) },
  }));
  expect((await reel.rest(await moduleToken(), 'POST', '/logs/batch', { entries })).status).toBe(200);
});
afterAll(() => reel?.close());

const aliases = (count: number, field: string) =>
  Array.from({ length: count }, (_, at) => `a${at}: ${field}`).join(' ');

test.each([
  ['one field many times', `{ logs { nodes { ${aliases(ALIASES, 'data')} } } }`],
  ['one list many times', `{ ${aliases(ALIASES, 'logs { nodes { data } }')} }`],
  ['lists in a list', `{ logs { nodes { ${aliases(2, 'related { data }')} } } }`],
])('%s makes no answer of more than 32 MiB', async (_name, query) => {
  let answer: Awaited<ReturnType<TestReel['graphql']>> | undefined;
  const held = await leastHold(async () => {
    answer = await reel.graphql(token, query);
  }, 150);
  expect(answer?.status).toBe(200);
  expect(answer?.body.data ?? null).toBeNull();
  expect(answer?.body.errors[0]).toMatchObject({
    message: expect.stringMatching(/at most 33554432 bytes.*ask for fewer/),
    extensions: { code: 'BAD_USER_INPUT' },
  });
  expect(held).toBeLessThan(150);
  const strict = await reel.graphql(token, query, {}, { accept: 'application/graphql-response+json' });
  expect([200, 400]).toContain(strict.status);
});

test('an answer just below it is whole, and its text is that of JSON.stringify', async () => {
  const query = `{ logs { nodes { ${aliases(25, 'data')} id related(first: 2) { id data } changes { path } } } }`;
  const response = await fetch(`${reel.url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  const text = await response.text();
  expect(Buffer.byteLength(text)).toBeGreaterThan(28 * MIB);
  expect(Number(response.headers.get('content-length'))).toBe(Buffer.byteLength(text));
  expect(JSON.stringify(JSON.parse(text)) === text).toBe(true);
});

test('a list over REST is the same text as ever', async () => {
  const response = await fetch(`${reel.url}/api/v1/reel/logs?page_size=100`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const text = await response.text();
  const body = JSON.parse(text);
  expect(body.items).toHaveLength(ENTRIES);
  expect(Object.keys(body)[0]).toBe('items');
  expect(JSON.stringify(body) === text).toBe(true);
  const head = await fetch(`${reel.url}/api/v1/reel/logs?page_size=100`, {
    method: 'HEAD',
    headers: { authorization: `Bearer ${token}` },
  });
  expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
});

test('beside an answer that alone takes all there is for several, only short ones are made', () => {
  const answers = new Answers({ answerBytes: 32 * MIB, serverBytes: 4 * MIB, freeBytes: 2_048 });
  const long = answers.begin();
  long.took(30 * MIB);
  const short = answers.begin();
  short.took(1_000);
  expect(() => short.took(1_000)).toThrow('Too many long answers');
  long.end();
  answers.begin().took(1_000_000);
});
