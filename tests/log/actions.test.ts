import { randomUUID } from 'node:crypto';
import { defineActions } from 'reel/client';
import { registrationsOf } from 'reel/client/registrations';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { LogSeverity } from '../../src/log/entry/severity.js';
import { moduleToken, person, startReel, type TestReel, viewer } from '../support/reel.js';

const REGISTER = `mutation ($actions: [RegisterActionInput!]!) {
  registerActions(actions: $actions) { module action version description severity resourceType schema redact { path how } } }`;
const LIST = `query ($module: String) { actions(module: $module) { module action version description severity resourceType
  schema redact { path how } } }`;

let reel: TestReel;
let other: TestReel;
beforeAll(async () => {
  reel = await startReel();
  // A second server on the same database.
  other = await startReel({}, { ...reel.own, drop: async () => {} });
});
afterAll(async () => {
  await other.close();
  await reel.close();
});

/** A module whose name no other test has. */
const newModule = () => `m-${randomUUID()}`;
const SCHEMA = { type: 'object', properties: { reason: { type: 'string' } }, required: ['reason'] };
const action = (more: object = {}) => ({ action: 'invoices.delete', version: 1, schema: SCHEMA, ...more });

async function register(module: string, actions: object[], at = reel) {
  const { body } = await at.graphql(await moduleToken(module), REGISTER, { actions });
  return { found: body.data?.registerActions, error: body.errors?.[0] };
}
const list = async (module: string | null, at = reel) =>
  (await at.graphql(await moduleToken(), LIST, { module })).body.data.actions;

describe('registering', () => {
  it('keeps what a module says of its actions, and lists the newest version of each', async () => {
    const module = newModule();
    const actions = [
      action({
        description: 'An invoice is deleted',
        severity: LogSeverity.WARNING,
        resourceType: 'invoice',
        redact: [{ path: 'before.card', how: 'MASK' }, { path: 'a.b' }],
      }),
      { action: 'sessions.end', version: 3 },
    ];
    const { found, error } = await register(module, actions);
    expect(error).toBeUndefined();
    const whole = {
      module,
      action: 'invoices.delete',
      version: 1,
      description: 'An invoice is deleted',
      severity: 'WARNING',
      resourceType: 'invoice',
      schema: SCHEMA,
      redact: [
        { path: 'a.b', how: 'DROP' },
        { path: 'before.card', how: 'MASK' },
      ],
    };
    const bare = {
      module,
      action: 'sessions.end',
      version: 3,
      description: null,
      severity: null,
      resourceType: null,
      schema: null,
      redact: [],
    };
    expect(found).toEqual([whole, bare]);
    expect(await list(module)).toEqual([whole, bare]);
    await register(module, [action({ version: 2, schema: null })]);
    expect(await list(module)).toMatchObject([{ action: 'invoices.delete', version: 2, schema: null }, bare]);
    // What another server registered is there at once.
    expect(await list(module, other)).toMatchObject([{ version: 2 }, bare]);
    expect(await list(null)).toEqual(expect.arrayContaining([bare]));
    expect(await list('nobody')).toEqual([]);
  });

  it('takes what defineActions made, as the client gives it', async () => {
    const module = newModule();
    const defined = defineActions(module, {
      'invoices.delete': {
        severity: 'WARNING',
        data: z.object({ before: z.object({ id: z.uuid(), email: z.email() }), at: z.iso.datetime() }),
        redact: ['before.email'],
      },
    });
    const given = registrationsOf(defined).map(({ module: _, resource, redaction, ...rest }) => ({
      ...rest,
      resourceType: resource,
      redact: redaction.map(({ path, how }) => ({ path, how: how.toUpperCase() })),
    }));
    expect((await register(module, given)).error).toBeUndefined();
  });

  it('may be repeated, and changes the description alone', async () => {
    const module = newModule();
    await register(module, [action({ description: 'One' })]);
    const again = { type: 'object', required: ['reason'], properties: { reason: { type: 'string' } } };
    expect((await register(module, [action({ schema: again, description: 'Another' })])).error).toBe(
      undefined,
    );
    expect(await list(module, other)).toMatchObject([{ description: 'Another', version: 1 }]);
  });

  it.each([
    ['schema', { schema: { type: 'object' } }],
    ['schema', { schema: null }],
    ['severity', { severity: 'ERROR' }],
    ['resourceType', { resourceType: 'bill' }],
    ['redact', { redact: [{ path: 'reason' }] }],
  ])('refuses another %s under the same version, and keeps what was there', async (name, change) => {
    const module = newModule();
    await register(module, [action()]);
    const { error } = await register(module, [
      { action: 'a.new', version: 1 },
      action({ ...change, description: 'x' }),
    ]);
    expect(error.extensions.code).toBe('CONFLICT');
    expect(error.message).toBe(
      `invoices.delete: expected version 1 with the ${name} that it is registered with, got another (a change needs a new version)`,
    );
    // All or none.
    expect(await list(module)).toEqual([expect.objectContaining({ schema: SCHEMA, description: null })]);
    expect((await register(module, [action({ ...change, version: 2 })])).error).toBeUndefined();
  });

  it('of two who register at once lets one win, whichever server they call', async () => {
    for (let round = 0; round < 5; round += 1) {
      const module = newModule();
      const by = async (name: string, at: TestReel) => {
        const actions = Array.from({ length: 50 }, (_, index) => ({
          action: `a.${name === 'x' ? index : 49 - index}`,
          version: 1,
          resourceType: name,
        }));
        return register(module, actions, at);
      };
      const results = await Promise.all([by('x', reel), by('y', other)]);
      const won = results.filter(({ error }) => !error);
      expect(won).toHaveLength(1);
      expect(results.find(({ error }) => error)?.error.extensions.code).toBe('CONFLICT');
      const kept = await list(module);
      expect(kept).toHaveLength(50);
      expect(new Set(kept.map((each: { resourceType: string }) => each.resourceType)).size).toBe(1);
      expect(kept[0].resourceType).toBe(won[0]!.found[0].resourceType);
    }
  });

  it('of two who register the same at once is well with both', async () => {
    const module = newModule();
    const results = await Promise.all(
      [reel, other, reel, other].map((at) => register(module, [action()], at)),
    );
    expect(results.map(({ error }) => error)).toEqual([undefined, undefined, undefined, undefined]);
    expect(await list(module)).toHaveLength(1);
  });

  it("is a module's own", async () => {
    const refusal = async (token: string | null) =>
      (await reel.graphql(token, REGISTER, { actions: [action()] })).body.errors[0].extensions.code;
    expect(await refusal(await moduleToken('*'))).toBe('FORBIDDEN');
    expect(await refusal(await moduleToken('reel'))).toBe('FORBIDDEN');
    expect(await refusal(await moduleToken('rеel'))).toBe('FORBIDDEN');
    expect(await refusal(await viewer(randomUUID()))).toBe('FORBIDDEN');
    expect(await refusal(null)).toBe('UNAUTHENTICATED');
    const listed = await reel.graphql(null, LIST);
    expect(listed.body.errors[0].extensions.code).toBe('UNAUTHENTICATED');
    // A person need name no tenant, since actions are no tenant's.
    expect((await reel.graphql(await person(), LIST)).body.errors).toBeUndefined();
  });
});

describe('what is out of bounds is refused, and told by its place', () => {
  const deep = (levels: number): object => (levels === 0 ? {} : { items: deep(levels - 1) });
  it.each<[string, object, string]>([
    ['a name that cannot be seen', { action: 'a\u200b' }, 'actions.0.action: expected text without control'],
    ['no name', { action: '' }, 'actions.0.action: expected 1 to 255 characters, got ""'],
    ['a long name', { action: 'a'.repeat(256) }, 'actions.0.action: expected 1 to 255 characters'],
    ['version 0', { version: 0 }, 'actions.0.version: expected a version from 1, got 0'],
    ['a description of lines', { description: 'a\nb' }, 'actions.0.description: expected text without'],
    ['a long description', { description: 'a'.repeat(501) }, 'actions.0.description: expected 1 to 500'],
    ['a long type', { resourceType: 'a'.repeat(101) }, 'actions.0.resourceType: expected 1 to 100'],
    ['no schema', { schema: { type: 'text' } }, 'actions.0.schema: expected a JSON Schema, draft 2020-12'],
    ['a schema of elsewhere', { schema: { $ref: 'https://example.com/x' } }, 'that stands by itself, got'],
    ['a schema of itself', { schema: { $ref: '#' } }, 'actions.0.schema: expected a JSON Schema'],
    [
      'the name of another',
      { schema: { $id: 'https://json-schema.org/draft/2020-12/schema' } },
      'draft 2020-12',
    ],
    ['another draft', { schema: { $schema: 'http://json-schema.org/draft-04/schema#' } }, 'draft 2020-12'],
    ['a pattern that is none', { schema: { pattern: '(' } }, 'actions.0.schema: expected a JSON Schema'],
    ['a long schema', { schema: { title: 'a'.repeat(32_768) } }, 'at most 32768 bytes of compact JSON'],
    ['a deep schema', { schema: deep(33) }, 'actions.0.schema: expected at most 32 levels, got more'],
    ['no path', { redact: [{ path: '' }] }, 'actions.0.redact.0.path: expected names joined by dots'],
    ['a path with a gap', { redact: [{ path: 'a..b' }] }, 'actions.0.redact.0.path: expected names joined'],
    ['a long path', { redact: [{ path: 'a'.repeat(256) }] }, 'of at most 255 characters'],
    [
      'a path twice',
      { redact: [{ path: 'a' }, { path: 'a' }] },
      'actions.0.redact.1.path: expected each path',
    ],
    [
      'an hmac without a key',
      { redact: [{ path: 'a', how: 'HMAC' }] },
      'since this server has no REEL_REDACTION_KEY',
    ],
    [
      'many paths',
      { redact: Array.from({ length: 101 }, (_, index) => ({ path: `a${index}` })) },
      'actions.0.redact: expected at most 100 paths',
    ],
  ])('%s', async (_, change, message) => {
    const { error } = await register(newModule(), [action(change)]);
    expect(error.extensions.code).toBe('BAD_USER_INPUT');
    expect(error.message).toContain(message);
    expect(error.message.length).toBeLessThan(1_000);
  });

  it('none, very many, and one twice', async () => {
    const module = newModule();
    const message = async (actions: object[]) => (await register(module, actions)).error?.message;
    expect(await message([])).toContain('1 to 1000 actions');
    expect(
      await message(Array.from({ length: 1_001 }, (_, at) => ({ action: `a${at}`, version: 1 }))),
    ).toContain('1 to 1000 actions');
    expect(await message([action(), action()])).toContain('each version of an action once');
  });

  it('of a module in all: actions, versions, and bytes', async () => {
    const module = newModule();
    const many = (from: number, length: number) =>
      Array.from({ length }, (_, at) => ({ action: `a${from + at}`, version: 1 }));
    expect((await register(module, many(0, 1_000))).error).toBeUndefined();
    expect((await register(module, many(1_000, 1))).error).toMatchObject({
      message: `${module}: expected at most 1000 registered actions, got 1001`,
      extensions: { code: 'CONFLICT' },
    });
    const versions = Array.from({ length: 21 }, (_, at) => action({ version: at + 1 }));
    expect((await register(newModule(), versions)).error.message).toContain('at most 20 versions, got 21');
    const large = Array.from({ length: 140 }, (_, at) =>
      action({ action: `a${at}`, schema: { title: 'a'.repeat(31_000) } }),
    );
    expect((await register(newModule(), large)).error.message).toContain('bytes of schemas');
  });
});
