import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import Fastify, { type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withDevelopmentSecrets } from '../../src/auth/secrets.js';
import { composeReel, type Reel } from '../../src/compose.js';
import { readConfig } from '../../src/config/config.js';
import { DatabaseClock, systemMicroseconds } from '../../src/database/clock.js';
import { Identifier } from '../../src/log/entry/identifier.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

const SECOND = 1_000_000;
const HOUR = 3_600 * SECOND;
const microsOf = (createdAt: string) =>
  Date.parse(`${createdAt.slice(0, 23)}Z`) * 1000 + Number(createdAt.slice(23, 26));

describe('stamps', () => {
  /** A world in which time passes only when told, and both clocks may be wrong. */
  function world() {
    const at = { monotonic: 0, wallError: 0, databaseError: 0 };
    const truth = () => 1_770_000_000 * SECOND + at.monotonic * 1000;
    const clock = new DatabaseClock({
      wall: () => truth() + at.wallError,
      monotonic: () => at.monotonic,
    });
    const database = () => truth() + at.databaseError;
    /** The database answers after `ms`, half of which its answer is under way. */
    const ask = (ms: number) => {
      const sentAt = clock.sendingAt();
      at.monotonic += ms / 2;
      const micros = database();
      at.monotonic += ms / 2;
      clock.observe(micros, sentAt);
    };
    return { at, clock, database, ask, identifier: new Identifier(clock) };
  }

  test.each([HOUR, -HOUR])("a step of this machine's clock by %i µs and back leaves none wrong", (step) => {
    const { at, clock, database, ask, identifier } = world();
    ask(10);
    const before = microsOf(identifier.next().createdAt);
    at.wallError = step;
    expect(Math.abs(microsOf(identifier.next().createdAt) - database())).toBeLessThanOrEqual(5 * SECOND);
    expect(clock.apartSeconds).toBeCloseTo(step / SECOND, 0);
    at.wallError = 0;
    at.monotonic += 1;
    const after = microsOf(identifier.next().createdAt);
    expect(clock.apartSeconds).toBe(0);
    expect(after).toBeGreaterThan(before);
    expect(Math.abs(after - database())).toBeLessThan(SECOND);
  });

  test("what was stamped while the database's clock was ahead does not hold later stamps back", () => {
    const { at, database, ask, identifier } = world();
    at.databaseError = HOUR;
    ask(10);
    expect(microsOf(identifier.next().createdAt) - database()).toBeLessThanOrEqual(5 * SECOND);
    at.databaseError = 0;
    ask(10);
    expect(Math.abs(microsOf(identifier.next().createdAt) - database())).toBeLessThan(SECOND);
  });

  test('without a database the clock is followed, and not what it showed before', () => {
    let now = HOUR;
    const identifier = new Identifier({ now: () => now, latest: () => now + 5 * SECOND });
    identifier.next();
    now -= 2 * SECOND;
    expect(microsOf(identifier.next().createdAt)).toBe(HOUR + 1);
    now = SECOND;
    expect(microsOf(identifier.next().createdAt)).toBe(SECOND);
  });

  test('whatever the clocks do: never past the time of the database and 5 s, and in order while it is right', () => {
    const step = fc.integer({ min: -2 * HOUR, max: 2 * HOUR });
    const event = fc.oneof(
      fc.record({ wall: step }),
      fc.record({ database: step }),
      fc.record({ ask: fc.integer({ min: 0, max: 3_000 }) }),
      fc.record({ pass: fc.integer({ min: 0, max: 20_000 }) }),
      fc.constant({ stamp: true }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const { at, database, ask, identifier } = world();
        ask(1);
        const seen = new Set<string>();
        for (const each of [...events, { wall: 0 }, { database: 0 }, { ask: 2 }, { stamp: true }]) {
          if ('wall' in each) at.wallError = each.wall;
          if ('database' in each) {
            at.databaseError = each.database;
            // A step of it is known from its next answer on.
            ask(1);
          }
          if ('ask' in each) ask(each.ask);
          if ('pass' in each) at.monotonic += each.pass;
          const { id, createdAt } = identifier.next();
          expect(microsOf(createdAt)).toBeLessThanOrEqual(database() + 5 * SECOND);
          expect(seen.has(id)).toBe(false);
          seen.add(id);
        }
        expect(Math.abs(microsOf(identifier.next().createdAt) - database())).toBeLessThanOrEqual(5 * SECOND);
      }),
    );
  });
});

describe('a server whose clock is set', () => {
  let own: TestDatabase;
  let reel: Reel;
  let app: FastifyInstance;
  let ahead = 0;
  const lines: string[] = [];

  beforeAll(async () => {
    own = await createDatabase();
    const config = await withDevelopmentSecrets(
      readConfig({
        REEL_DATABASE_URL: own.runtimeUrl,
        REEL_ENV: 'development',
        // Nobody is there.
        REEL_WITNESS_URL: 'http://127.0.0.1:9/',
      }),
    );
    const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
    app = Fastify();
    const clock = new DatabaseClock({ wall: () => systemMicroseconds() + ahead });
    reel = await composeReel(config, log, { clock });
    await app.register(reel.router);
  });
  afterAll(async () => {
    await app?.close();
    await reel?.close();
    await own?.drop();
  });

  const ready = async () => {
    const { statusCode, body } = await app.inject('/health/ready');
    return { statusCode, ...JSON.parse(body) };
  };
  const tenantId = randomUUID();
  const store = async () => {
    const { createdAt } = await reel.service.log({ module: 'guardian', action: 'users.create', tenantId });
    const [row] = await own.query('select extract(epoch from clock_timestamp()) as now');
    return microsOf(createdAt) - Number(row!.now) * SECOND;
  };

  test.each([
    ['ahead', HOUR],
    ['behind', -HOUR],
  ])(
    'an hour %s: not ready, a warning, and stamps by the database, until it is right',
    async (word, step) => {
      expect(await ready()).toEqual({ statusCode: 200, status: 'ok' });
      expect(Math.abs(await store())).toBeLessThan(5 * SECOND);
      ahead = step;
      await expect.poll(ready).toEqual({ statusCode: 503, status: 'unavailable', reason: 'clock' });
      expect(Math.abs(await store())).toBeLessThan(5 * SECOND);
      const warned = () => lines.filter((line) => new RegExp(`clock is [\\d.]+ s ${word}`).test(line)).length;
      await expect.poll(warned).toBe(1);
      ahead = 0;
      await expect.poll(ready).toEqual({ statusCode: 200, status: 'ok' });
      expect(Math.abs(await store())).toBeLessThan(5 * SECOND);
    },
  );

  test('checkpoints carry the same time, and a witness that is gone holds none of them up', async () => {
    ahead = HOUR;
    await store();
    const sealed = async () => {
      const [row] = await own.query(
        `select max(abs(extract(epoch from c.sealed_at - clock_timestamp()))) < 60 as right, count(*) as n
         from reel_log_checkpoints c where tree_size = (select count(*) from reel_log_entries)`,
      );
      return row;
    };
    await expect.poll(sealed).toEqual({ right: true, n: '1' });
    const told = () => lines.filter((line) => line.includes('the witness did not accept')).length;
    await expect.poll(told).toBeGreaterThan(0);
    ahead = 0;
  });
});
