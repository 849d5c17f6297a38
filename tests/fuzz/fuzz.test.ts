/**
 * Whatever comes in gets a deliberate answer, and holds the event loop for no longer than budgets.md allows. Briefly here;
 * `npm run fuzz -- RUNS` for so many inputs a target. What once found a fault is kept in fixtures/corpus and sent each time.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FuzzedServer, startFuzzedServer } from './fuzzed-server.js';
import { faultOf, socketFault } from './judge.js';
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
}, 120_000);
afterAll(() => server?.close());

/** A hold that is there again and again, and so not the garbage collector's or the compiler's. */
async function holdFault(send: () => Promise<unknown>): Promise<string | null> {
  let hold = await server.longestHold();
  for (let again = 0; again < 3 && hold > MAX_HOLD_MS; again += 1) {
    await send();
    hold = Math.min(hold, await server.longestHold());
  }
  return hold > MAX_HOLD_MS ? `the loop was held for ${Math.round(hold)} ms` : null;
}

async function faultOfHttp(request: HttpCase): Promise<string | null> {
  const send = () => sendHttp(server.origin, request);
  return faultOf(request, await send()) ?? (await holdFault(send));
}

async function faultOfSocket(request: SocketCase): Promise<string | null> {
  const send = () => talk(server.origin, request);
  return socketFault(await send()) ?? (await holdFault(send));
}

/** Tokens, ids and links of this run's server, by the names that they have in the corpus. */
const names = () => {
  const { person, module, tenantId, cursors, links } = server.world;
  return { person, module, tenantId, cursor: cursors[0]!, link: links[0]! };
};
const filled = (text: string) =>
  Object.entries(names())
    .reduce((before, [name, value]) => before.replaceAll(`{{${name}}}`, value), text)
    // `{{x*9}}` is x nine times.
    .replace(/\{\{(.+?)\*(\d+)\}\}/g, (_, piece: string, times: string) => piece.repeat(Number(times)));
const emptied = (text: string) =>
  Object.entries(names()).reduce((before, [name, value]) => before.replaceAll(value, `{{${name}}}`), text);

/** Sends them all, and fails with one case, as it would stand in the corpus, for each kind of fault. */
async function expectNone<T>(
  cases: fc.Arbitrary<T>,
  faultIn: (each: T) => Promise<string | null>,
  options: fc.Parameters<[T]>,
): Promise<void> {
  const found = new Map<string, string>();
  const property = fc.asyncProperty(cases, async (each) => {
    const fault = await faultIn(each).catch((error: unknown) => String(error));
    expect(server.isRunning()).toBe(true);
    if (fault !== null)
      found.set(fault.replace(/[\d:].*/s, ''), `${fault}: ${emptied(JSON.stringify(each))}`);
  });
  await fc.assert(property, { endOnFailure: true, ...options });
  expect([...found.values()]).toEqual([]);
}

describe('what is kept', () => {
  const files = globSync('*.json', { cwd: CORPUS }).sort();

  test.each(files)('%s', { timeout: 60_000 }, async (file) => {
    const cases = JSON.parse(filled(readFileSync(join(CORPUS, file), 'utf8'))) as (HttpCase & SocketCase)[];
    expect(cases.length).toBeGreaterThan(0);
    const faultIn = file === 'websockets.json' ? faultOfSocket : faultOfHttp;
    const faults: string[] = [];
    for (const each of cases) {
      const fault = await faultIn(each);
      if (fault !== null) faults.push(`${fault}: ${emptied(JSON.stringify(each))}`);
    }
    expect(faults).toEqual([]);
  });
});

describe('what chance makes', { timeout: TIMEOUT }, () => {
  test.each(HTTP_TARGETS)('%s', async (target) => {
    await expectNone(httpCases(target, server.world), faultOfHttp, OPTIONS);
  });

  test('websockets', async () => {
    await expectNone(socketCases(server.world), faultOfSocket, OPTIONS);
  });
});
