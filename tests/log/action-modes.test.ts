import { createHmac, randomUUID } from 'node:crypto';
import { MikroORM } from '@mikro-orm/postgresql';
import { createReelClient, type Rejection } from 'reel/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.js';
import { readConfig } from '../../src/config/config.js';
import { ReelError } from '../../src/errors.js';
import { getReelService } from '../../src/log/embed.js';
import { grant, moduleToken, person, startReel, type TestReel, viewer } from '../support/reel.js';

const KEY = 'k'.repeat(32);
const SETTINGS = {
  REEL_ACTIONS: 'warn, strict=refuse, loose=off',
  REEL_REDACTION_KEY: KEY,
  REEL_METRICS: 'on',
};
const CARD = '4111111111111111';
const REGISTER = `mutation ($actions: [RegisterActionInput!]!) { registerActions(actions: $actions) { action } }`;

let reel: TestReel;
let orm: MikroORM;
let config: Config;
beforeAll(async () => {
  reel = await startReel(SETTINGS);
  orm = await MikroORM.init({
    clientUrl: reel.own.runtimeUrl,
    entities: [],
    logger: () => {},
    discovery: { warnWhenNoEntities: false },
  });
  config = readConfig(SETTINGS, 'command');
  for (const module of ['strict', 'loose', 'lenient']) await registerInvoices(module);
});
afterAll(async () => {
  await orm?.close(true);
  await reel?.close();
});

async function registerInvoices(module: string): Promise<void> {
  const schema = {
    type: 'object',
    properties: {
      reason: { type: 'string', pattern: '^[a-z ]+$' },
      before: {
        type: 'object',
        properties: {
          card: { type: 'string', minLength: 16 },
          holder: { type: 'string' },
          pin: { type: 'string' },
        },
        required: ['card', 'pin'],
      },
    },
    required: ['reason', 'before'],
  };
  const redact = [
    { path: 'before.card', how: 'MASK' },
    { path: 'before.holder', how: 'HMAC' },
    { path: 'before.pin' },
  ];
  const { body } = await reel.graphql(await moduleToken(module), REGISTER, {
    actions: [{ action: 'invoices.delete', version: 1, schema, redact }],
  });
  expect(body.errors).toBeUndefined();
}

interface Entry {
  module: string;
  action: string;
  data?: Record<string, unknown> | null;
  repair?: boolean;
}

/** What became of an entry: the data that is stored, or the refusal. */
type Outcome = { stored: unknown } | { refused: string };

let tenantId: string;
beforeEach(() => {
  tenantId = randomUUID();
});

async function storedData(): Promise<Outcome | null> {
  const rows = await reel.own.query('select data from reel_log_entries where tenant_id = $1', [tenantId]);
  return rows.length === 0 ? null : { stored: rows.at(-1)!.data };
}

const outcomeOf = async (refusal: string | undefined): Promise<Outcome> => {
  const stored = await storedData();
  if (refusal !== undefined) {
    expect(stored).toBeNull();
    return { refused: refusal };
  }
  return stored!;
};

/** Every way in which a module's entry comes in. */
const DOORS: Record<string, (entry: Entry) => Promise<Outcome>> = {
  'in process': async (entry) => {
    const service = getReelService(orm.em.fork(), { config });
    return outcomeOf(await refusalOf(service.log({ tenantId, ...entry })));
  },
  "in process, in a host's transaction": async (entry) =>
    outcomeOf(
      await refusalOf(
        orm.em.fork().transactional((em) => getReelService(em, { config }).log({ tenantId, ...entry })),
      ),
    ),
  'in process, several': async (entry) => {
    const [result] = await getReelService(orm.em.fork(), { config }).writeLogs([{ tenantId, ...entry }]);
    return outcomeOf(result && 'error' in result ? messageOf(result.error) : undefined);
  },
  'GraphQL createLog': async (entry) => {
    const { body } = await reel.graphql(
      await moduleToken(entry.module),
      'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }',
      { input: { tenantId, ...entry } },
    );
    return outcomeOf(body.errors?.[0].message);
  },
  'GraphQL createLogs': async (entry) => {
    const { body } = await reel.graphql(
      await moduleToken(entry.module),
      'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
      { inputs: [{ tenantId, ...entry }] },
    );
    return outcomeOf(body.errors?.[0].message.replace('inputs[0].', ''));
  },
  'GraphQL writeLogs': async (entry) => {
    const { body } = await reel.graphql(
      await moduleToken(entry.module),
      'mutation ($inputs: [CreateLogInput!]!) { writeLogs(inputs: $inputs) { message } }',
      { inputs: [{ tenantId, ...entry }] },
    );
    return outcomeOf(body.data.writeLogs[0].message ?? undefined);
  },
  'REST create': async (entry) => {
    const { status, body } = await reel.rest(await moduleToken(entry.module), 'POST', '/logs', {
      tenant_id: tenantId,
      ...entry,
    });
    expect([201, 422]).toContain(status);
    if (status === 422) expect(body.detail[0].loc[0]).toBe('body');
    return outcomeOf(status === 201 ? undefined : body.detail[0].msg);
  },
  'REST batch': async (entry) => {
    const { body } = await reel.rest(await moduleToken(entry.module), 'POST', '/logs/batch', {
      entries: [{ tenant_id: tenantId, ...entry }],
    });
    const [result] = body.results;
    return outcomeOf(result.status === 201 ? undefined : result.detail[0].msg);
  },
  'reel/client': async ({ module, action, data, repair = false }) => {
    const rejections: Rejection[] = [];
    const client = createReelClient({
      url: reel.url,
      token: () => moduleToken(module),
      module,
      repair,
      warn: () => {},
      onRejected: (rejection) => rejections.push(rejection),
    });
    client.log(action, { tenantId, data: data ?? undefined });
    expect(await client.flush(60_000)).toBe(true);
    await client.close();
    return outcomeOf(rejections[0]?.reason);
  },
};

const messageOf = (error: unknown): string => (error as ReelError).message;
async function refusalOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(ReelError);
    expect((error as ReelError).code).toBe('BAD_USER_INPUT');
    return messageOf(error);
  }
}

/** How many entries of a module were counted as not as registered. */
async function counted(module: string, what: 'action' | 'data'): Promise<number> {
  const text = await (await fetch(`${reel.url}/metrics`)).text();
  const name = `reel_entries_not_as_registered_total{module="${module}",what="${what}"} `;
  const line = text.split('\n').find((each) => each.startsWith(name));
  return Number(line?.slice(name.length) ?? 0);
}

const BEFORE = { card: CARD, holder: 'Ana Souza', pin: '1234', amount: 12 };
const FITTING = { reason: 'a duplicate', before: BEFORE };
const REDACTED = {
  reason: 'a duplicate',
  before: {
    amount: 12,
    card: '****1111',
    holder: `hmac:${createHmac('sha256', KEY).update('Ana Souza').digest('hex')}`,
  },
  _redacted: { 'before.card': 'mask', 'before.holder': 'hmac', 'before.pin': 'drop' },
};
const UNKNOWN = { action: 'invoices.destroy', data: { a: 1 } };
const WRONG = { action: 'invoices.delete', data: { reason: 'No 42', before: BEFORE } };

describe.each(Object.entries(DOORS))('%s', (_, write) => {
  it.each(['strict', 'loose', 'lenient'])('stores what is as registered, redacted, of %s', async (module) => {
    expect(await write({ module, action: 'invoices.delete', data: FITTING })).toEqual({ stored: REDACTED });
    // What the module redacted is taken as it is.
    tenantId = randomUUID();
    expect(await write({ module, action: 'invoices.delete', data: REDACTED })).toEqual({ stored: REDACTED });
  });

  it('refuses another action or other data where it is told to, and says why', async () => {
    const before = { action: await counted('strict', 'action'), data: await counted('strict', 'data') };
    expect(await write({ module: 'strict', ...UNKNOWN })).toEqual({
      refused: expect.stringContaining(
        'action: expected one that "strict" has registered, got "invoices.destroy"; did you mean "invoices.delete"?',
      ),
    });
    expect(await write({ module: 'strict', ...WRONG })).toEqual({
      refused: expect.stringContaining(
        'data.reason: expected what version 1 of "invoices.delete" takes (must match pattern "^[a-z ]+$"), got "No 42"',
      ),
    });
    expect(await write({ module: 'strict', action: 'invoices.delete', data: { reason: 'x' } })).toEqual({
      refused: expect.stringContaining(
        'data.before: expected what version 1 of "invoices.delete" takes (must be there)',
      ),
    });
    expect(await write({ module: 'strict', action: 'invoices.delete' })).toEqual({
      refused: expect.stringContaining('must be there'),
    });
    expect(await counted('strict', 'action')).toBe(before.action + 1);
    expect(await counted('strict', 'data')).toBe(before.data + 3);
  });

  it('stores and counts them where it is told to warn', async () => {
    const before = { action: await counted('lenient', 'action'), data: await counted('lenient', 'data') };
    expect(await write({ module: 'lenient', ...UNKNOWN })).toEqual({ stored: UNKNOWN.data });
    tenantId = randomUUID();
    // What is redacted is so whether the rest is as registered or not.
    expect(await write({ module: 'lenient', ...WRONG })).toEqual({
      stored: { ...REDACTED, reason: 'No 42' },
    });
    expect(await counted('lenient', 'action')).toBe(before.action + 1);
    expect(await counted('lenient', 'data')).toBe(before.data + 1);
  });

  it('stores them and looks no further where it is off, and redacts all the same', async () => {
    expect(await write({ module: 'loose', ...UNKNOWN })).toEqual({ stored: UNKNOWN.data });
    tenantId = randomUUID();
    expect(await write({ module: 'loose', ...WRONG })).toEqual({ stored: { ...REDACTED, reason: 'No 42' } });
    expect(await counted('loose', 'action')).toBe(0);
    expect(await counted('loose', 'data')).toBe(0);
  });

  it('does not check modules that registered nothing', async () => {
    expect(await write({ module: 'unregistered', ...WRONG })).toEqual({ stored: WRONG.data });
  });
});

describe('what is redacted', () => {
  const log = (input: Entry & { idempotencyKey?: string }) =>
    getReelService(orm.em.fork(), { config }).log({ tenantId, ...input });
  const invoice = { module: 'strict', action: 'invoices.delete' };

  it('stands nowhere in the database, and is found by its HMAC', async () => {
    await log({ ...invoice, data: { ...FITTING, before: { ...BEFORE, card: `5500${CARD}` } } });
    const dump = await reel.own.query('select e::text as row from reel_log_entries e where tenant_id = $1', [
      tenantId,
    ]);
    expect(dump).toHaveLength(1);
    expect(dump[0]!.row).not.toContain('5500411111');
    expect(dump[0]!.row).not.toContain('Ana Souza');
    const { body } = await reel.graphql(
      await viewer(tenantId),
      'query ($filter: LogFilter) { logs(filter: $filter) { nodes { data } } }',
      { filter: { data: [{ path: 'before.holder', value: REDACTED.before.holder }] } },
    );
    expect(body.data.logs.nodes).toHaveLength(1);
  });

  it('is so before the content of an idempotency key is hashed', async () => {
    const key = { idempotencyKey: 'a' };
    const first = await log({ ...invoice, data: FITTING, ...key });
    // As the module's client sends it again, which redacts it itself.
    expect(await log({ ...invoice, data: REDACTED, ...key })).toMatchObject({ id: first.id });
    await expect(log({ ...invoice, data: { ...FITTING, reason: 'another' }, ...key })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });

  it('is not left in the beginning of data that is cut', async () => {
    const data = { ...FITTING, more: 'x'.repeat(70_000) };
    await log({ ...invoice, data, repair: true });
    const [row] = await reel.own.query('select data, repaired from reel_log_entries where tenant_id = $1', [
      tenantId,
    ]);
    expect(row).toEqual({
      data: { _truncated: true, _bytes: expect.any(Number), _redacted: { _sha256: 'drop', _text: 'drop' } },
      repaired: ['data'],
    });
  });

  it('is bounded as other data is', async () => {
    const cards = (length: number) => ({ ...FITTING, before: Array.from({ length }, () => BEFORE) });
    // Each mark is longer than what it stands for.
    await expect(log({ ...invoice, module: 'loose', data: cards(900) })).rejects.toThrow(
      /data: expected at most 65536 bytes/,
    );
    await log({ ...invoice, module: 'loose', data: cards(900), repair: true });
    const [row] = await reel.own.query(
      'select data::text as data from reel_log_entries where tenant_id = $1',
      [tenantId],
    );
    expect(row!.data).toContain('"_truncated": true');
    expect(row!.data).not.toContain(CARD);
  });

  it("is a person's, too", async () => {
    const token = await person({ grants: [grant(tenantId, 'reel.logs.view:ACCOUNT')] });
    const create = async (action: string, data: object) =>
      (
        await reel.graphql(
          token,
          'mutation ($input: CreateLogInput!) { createLog(input: $input) { data } }',
          {
            input: { module: 'strict', action, data },
          },
        )
      ).body;
    expect((await create('invoices.delete', FITTING)).data.createLog.data).toEqual(REDACTED);
    expect((await create('invoices.destroy', FITTING)).errors[0].extensions.code).toBe('BAD_USER_INPUT');
    // Whoever would leave the checks by saying that data was cut does not.
    const cut = await create('invoices.delete', { _truncated: true });
    expect(cut.errors[0].message).toContain('must be there');
  });
});

describe('versions', () => {
  const registerVersion = async (module: string, version: number, more: object) =>
    (
      await reel.graphql(await moduleToken(module), REGISTER, {
        actions: [{ action: 'a.b', version, ...more }],
      })
    ).body;
  const ofType = (type: string) => ({ schema: { properties: { x: { type } }, required: ['x'] } });

  it('are all taken, since an entry may have waited in a spool, and what any redacts is redacted', async () => {
    const module = 'strict';
    await registerVersion(module, 1, { ...ofType('string'), redact: [{ path: 'old' }, { path: 'both' }] });
    await registerVersion(module, 2, { ...ofType('number'), redact: [{ path: 'both', how: 'MASK' }] });
    const write = (data: Record<string, unknown>) => {
      tenantId = randomUUID();
      return DOORS['GraphQL createLog']!({ module, action: 'a.b', data });
    };
    expect(await write({ x: 'text' })).toEqual({ stored: { x: 'text' } });
    expect(await write({ x: 1, old: 'o', both: 'both of it' })).toEqual({
      stored: { x: 1, both: '****f it', _redacted: { old: 'drop', both: 'mask' } },
    });
    expect(await write({ x: true })).toEqual({
      refused: 'data.x: expected what version 2 of "a.b" takes (must be number), got true',
    });
  });
});

it('a schema that is made to take long holds nobody up', async () => {
  const patterns = { schema: { properties: { x: { type: 'string', pattern: '^(a+)+$' } } } };
  const { body } = await reel.graphql(await moduleToken('strict'), REGISTER, {
    actions: [{ action: 'slow.pattern', version: 1, ...patterns }],
  });
  expect(body.errors).toBeUndefined();
  const write = DOORS['GraphQL createLog']!;
  const begin = performance.now();
  expect(
    await write({ module: 'strict', action: 'slow.pattern', data: { x: `${'a'.repeat(60)}!` } }),
  ).toEqual({ refused: expect.stringContaining('must be checked in less time') });
  // Without a bound it would take longer than anybody lives.
  expect(performance.now() - begin).toBeLessThan(30_000);
  const fork = (name: string) => ({ anyOf: [{ $ref: `#/$defs/${name}` }, { $ref: `#/$defs/${name}` }] });
  const $defs: Record<string, object> = { d40: false as never };
  for (let at = 0; at < 40; at += 1) $defs[`d${at}`] = fork(`d${at + 1}`);
  const forks = await reel.graphql(await moduleToken('strict'), REGISTER, {
    actions: [{ action: 'slow.forks', version: 1, schema: { ...fork('d0'), $defs } }],
  });
  // It cannot even be tried.
  expect(forks.body.errors[0].message).toContain('got "one that takes too long"');
});
