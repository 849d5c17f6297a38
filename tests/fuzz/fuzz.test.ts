/**
 * Whatever comes in gets a deliberate answer, and holds the event loop for no longer than budgets.md allows. Briefly here;
 * `npm run fuzz -- RUNS` for so many inputs a target. What once found a fault is kept in fixtures/corpus and sent each time.
 */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FuzzedServer, startFuzzedServer } from './fuzzed-server.js';
import { faultOf, graphqlFault, readJson, socketFault } from './judge.js';
import { HTTP_TARGETS, httpCases, socketCases } from './targets.js';
import { type HttpCase, type SocketCase, sendHttp, talk } from './wire.js';

/** Inputs a target. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 25);
/** By the contract 100; on a slow machine, and with the garbage collector, CPU time is more. */
const MAX_HOLD_MS = RUNS > 100 ? 100 : 250;
const CORPUS = join(import.meta.dirname, '..', 'fixtures', 'corpus');
const OPTIONS = {
  numRuns: RUNS,
  ...(process.env.FUZZ_SEED === undefined ? {} : { seed: Number(process.env.FUZZ_SEED) }),
};
const TIMEOUT = Math.max(60_000, RUNS * 500);

let server: FuzzedServer;
beforeAll(async () => {
  server = await startFuzzedServer();
});
afterAll(() => server?.close());

/** A hold that is there again and again, and so not the garbage collector's or the compiler's. */
async function expectNoHold(send: () => Promise<unknown>): Promise<void> {
  let hold = await server.longestHold();
  for (let again = 0; again < 3 && hold > MAX_HOLD_MS; again += 1) {
    await send();
    hold = Math.min(hold, await server.longestHold());
  }
  expect(hold).toBeLessThan(MAX_HOLD_MS);
}

async function expectDeliberate(request: HttpCase): Promise<void> {
  const send = () => sendHttp(server.origin, request);
  const answer = await send();
  expect(server.isRunning()).toBe(true);
  expect(faultOf(request, answer)).toBeNull();
  const value = readJson(answer.body);
  if (request.path.startsWith('/graphql') && typeof value === 'object' && value !== null && 'errors' in value)
    expect(graphqlFault(value as Record<string, unknown>)).toBeNull();
  await expectNoHold(send);
}

async function expectDeliberateEnd(request: SocketCase): Promise<void> {
  const send = () => talk(server.origin, request);
  expect(socketFault(await send())).toBeNull();
  expect(server.isRunning()).toBe(true);
  await expectNoHold(send);
}

describe('what is kept', () => {
  /** Tokens, ids and links are those of this run's server. */
  const filled = (text: string) =>
    text.replace(/\{\{(person|module|tenantId|cursor|link)\}\}/g, (_, name: string) => {
      const { cursors, links, ...world } = server.world;
      const known: Record<string, string> = { ...world, cursor: cursors[0]!, link: links[0]! };
      return known[name]!;
    });
  const files = globSync('*.json', { cwd: CORPUS }).sort();

  test.each(files)(
    '%s',
    async (file) => {
      const cases = JSON.parse(filled(readFileSync(join(CORPUS, file), 'utf8'))) as object[];
      expect(cases.length).toBeGreaterThan(0);
      for (const each of cases)
        if (basename(file) === 'websockets.json') await expectDeliberateEnd(each as SocketCase);
        else await expectDeliberate(each as HttpCase);
    },
    60_000,
  );
});

describe('what chance makes', () => {
  test.each(HTTP_TARGETS)(
    '%s',
    async (target) => {
      await fc.assert(fc.asyncProperty(httpCases(target, server.world), expectDeliberate), OPTIONS);
    },
    TIMEOUT,
  );

  test(
    'websockets',
    async () => {
      await fc.assert(fc.asyncProperty(socketCases(server.world), expectDeliberateEnd), OPTIONS);
    },
    TIMEOUT,
  );
});
