import { randomUUID } from 'node:crypto';
import { MikroORM } from '@mikro-orm/postgresql';
import Fastify from 'fastify';
import {
  getLogReader,
  getReelService,
  isReelError,
  type LogFilter,
  LogOrder,
  ReelError,
  type Scope,
} from 'reel';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

const [TENANT, CLIENT] = [randomUUID(), randomUUID()];
const whole: Scope = { tenantId: TENANT, clients: null };

let own: TestDatabase;
let orm: MikroORM;
let ids: string[];
beforeAll(async () => {
  own = await createDatabase();
  orm = await MikroORM.init({
    clientUrl: own.runtimeUrl,
    entities: [],
    discovery: { warnWhenNoEntities: false },
    logger: () => {},
  });
  ids = [];
  for (const [index, severity] of (['INFO', 'ERROR', 'CRITICAL'] as const).entries())
    ids.push(
      (
        await getReelService(orm.em.fork()).log({
          module: 'billing',
          action: 'invoices.create',
          tenantId: TENANT,
          clientId: index === 2 ? CLIENT : null,
          // As text, in process as elsewhere.
          severity,
          outcome: 'DENIED',
        })
      ).id,
    );
});
afterAll(async () => {
  await orm?.close(true);
  await own?.drop();
});
const reader = () => getLogReader(orm.em.fork());

describe('a host reads in process', () => {
  test('one entry, within the scope that it names', async () => {
    expect(await reader().get(whole, ids[1]!.toUpperCase())).toMatchObject({
      severity: 'ERROR',
      outcome: 'DENIED',
    });
    expect(await reader().get({ tenantId: TENANT, clients: [CLIENT] }, ids[1]!)).toBeNull();
    expect(await reader().get({ tenantId: randomUUID(), clients: null }, ids[1]!)).toBeNull();
  });

  test('pages, by the filter that all interfaces take', async () => {
    const first = await reader().list(whole, { query: 'severity>=INFO' }, { first: 2 });
    expect(first.entries.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    expect(first).toMatchObject({ hasNextPage: true, hasPreviousPage: false, stoppedAt: null });
    const next = await reader().list(whole, {}, { first: 2, after: first.entries[1]!.id });
    expect(next.entries.map(({ id }) => id)).toEqual([ids[0]]);
    expect(next).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
    const oldest = await reader().list(
      whole,
      { minSeverity: 'ERROR', clientId: CLIENT.toUpperCase() },
      { orderBy: LogOrder.OLDEST_FIRST },
    );
    expect(oldest.entries.map(({ id }) => id)).toEqual([ids[2]]);
  });

  test('a count, also in its transaction', async () => {
    expect(await reader().count(whole, { modules: ['billing'] })).toEqual({ value: 3, precision: 'EXACT' });
    await orm.em.fork().transactional(async (em) => {
      await getReelService(em).log({ module: 'billing', action: 'invoices.pay', tenantId: TENANT });
      expect(await getLogReader(em).count(whole, { actions: ['invoices.pay'] })).toMatchObject({ value: 1 });
      em.getTransactionContext();
      await em.rollback();
    });
    expect(await reader().count(whole)).toMatchObject({ value: 3 });
  });

  test.each<[LogFilter | Record<string, unknown>, string]>([
    [{ module: 'billing' }, 'filter: expected a field such as modules, got "module"'],
    [{ constructor: 1 }, 'filter: expected a field such as'],
    [{ modules: 'billing' }, 'modules: expected a list, got "billing"'],
    [
      { severities: ['WARN'] },
      'severities[0]: expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL, got "WARN"',
    ],
    [{ startDate: new Date(0) }, 'startDate: expected an RFC 3339 instant as text'],
    [{ clientId: 'x' }, 'clientId: expected a UUID, got "x"'],
    [{ search: 1 }, 'search: expected text, got 1'],
  ])('%j is refused', async (filter, message) => {
    await expect(reader().list(whole, filter as LogFilter)).rejects.toThrow(message);
  });

  test.each<[object, string]>([
    [{ tenantId: TENANT }, 'scope.clients: expected null for the whole tenant, or a list of clients'],
    [{ tenantId: 'x', clients: null }, 'scope.tenantId: expected a UUID, got "x"'],
    [{ tenantId: TENANT, clients: ['x'] }, 'scope.clients: expected UUIDs, got "x"'],
  ])('the scope %j is refused', async (scope, message) => {
    await expect(reader().count(scope as Scope)).rejects.toThrow(message);
  });

  test('pages past their bounds are refused', async () => {
    await expect(reader().list(whole, {}, { first: 1_001 })).rejects.toThrow(
      'first: expected an integer from 1 to 1000',
    );
    await expect(reader().get(whole, 'x')).rejects.toThrow('id: expected a UUID, got "x"');
  });
});

describe('an error of Reel’s', () => {
  test('is told from a host’s own, of another copy of the package too', async () => {
    const error: unknown = await getReelService(orm.em.fork())
      .log({ module: '', action: '', tenantId: TENANT })
      .catch((thrown: unknown) => thrown);
    expect(isReelError(error) && [error.code, error.status, error.faults.length]).toEqual([
      'BAD_USER_INPUT',
      422,
      2,
    ]);
    class Own extends Error {
      override name = 'ReelError';
      code = 'BAD_USER_INPUT';
    }
    for (const other of [new Own(), new Error('x'), null, undefined, 'ReelError', {}])
      expect(isReelError(other)).toBe(false);
    expect(isReelError(new ReelError('NOT_FOUND', 'none'))).toBe(true);
  });

  test('has a status that a Fastify host answers with', async () => {
    const app = Fastify();
    app.get('/', () => getReelService(orm.em.fork()).log({ module: '', action: 'a', tenantId: TENANT }));
    expect((await app.inject('/')).statusCode).toBe(422);
    await app.close();
  });
});
