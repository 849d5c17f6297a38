import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Authorizer, type AuthorizerSettings } from '../../src/auth/authorize.js';
import type { Caller } from '../../src/auth/caller.js';
import type { PersonCredential } from '../../src/auth/credential.js';
import type { Grant } from '../../src/auth/grant.js';
import { claimsMentor, type MentorPort } from '../../src/auth/mentor.js';
import type { Scope } from '../../src/auth/scope.js';
import { ReelError } from '../../src/errors.js';

const uuid = (last: string) => `0190a1b2-0000-7000-8000-0000000000${last}`;
const [T1, T2, T3] = [uuid('f1'), uuid('f2'), uuid('f3')];
const [C1, C2, C3] = [uuid('c1'), uuid('c2'), uuid('c3')];
const VIEW = 'reel.logs.view';
const EXPORT = 'reel.logs.export';
const BOTH = ['ACCOUNT', 'CLIENT'] as const;
const SETTINGS: AuthorizerSettings = { browserLogging: true, browserEntriesPerMinute: 600 };

const grant = (action: string, tenantId: string, clientId: string | null = null): Grant => ({
  action,
  scope: clientId === null ? 'ACCOUNT' : 'CLIENT',
  tenantId,
  clientId,
});
const person = (grants: Grant[] = [], tenants: string[] = [], changed: Partial<PersonCredential> = {}) =>
  callerOf({
    kind: 'person',
    id: uuid('0a'),
    email: 'ana@example.com',
    name: 'Ana',
    grants,
    tenants: tenants.map((id) => ({ id })),
    token: 'a.b.c',
    expiresAt: Date.now() + 60_000,
    ...changed,
  });
const module = callerOf({ kind: 'module', module: 'guardian', expiresAt: Date.now() + 60_000 });
const nobody = callerOf(null);

function callerOf(credential: Caller['credential']): Caller {
  return {
    credential,
    tenantId: null,
    clientId: null,
    ip: '192.0.2.1',
    agent: 'Agent',
    requestId: uuid('ee'),
    authorization: null,
  };
}

const authorizer = (settings: Partial<AuthorizerSettings> = {}, mentor: MentorPort = claimsMentor) =>
  new Authorizer(mentor, { ...SETTINGS, ...settings });
const view = (caller: Caller) => authorizer().require(caller, VIEW, BOTH);
const missing = (action: string) => ({ code: 'FORBIDDEN', message: expect.stringContaining(action) });
const headerFault = (header: string) => ({
  code: 'BAD_USER_INPUT',
  message: expect.stringContaining(header),
  faults: [expect.objectContaining({ loc: ['header', header] })],
});

test('a scope has the names of clients that the grants say', async () => {
  const named = { ...grant(VIEW, T1, C1), clientName: 'Loja 1' };
  expect(await view(person([named, grant(VIEW, T1, C2)]))).toEqual({
    tenantId: T1,
    clients: [C1, C2],
    clientNames: new Map([[C1, 'Loja 1']]),
  });
});

describe('which tenant', () => {
  test('the only one need not be named, by grants or by membership', async () => {
    expect(await view(person([grant(VIEW, T1)]))).toEqual({ tenantId: T1, clients: null });
    expect(await authorizer().author(person([], [T2]))).toMatchObject({ tenantId: T2 });
  });

  test('of several one must be named', async () => {
    const caller = person([grant(VIEW, T1)], [T2]);
    await expect(view(caller)).rejects.toMatchObject(headerFault('X-Tenant-Id'));
    await expect(authorizer().author(caller)).rejects.toMatchObject(headerFault('X-Tenant-Id'));
    expect(await view({ ...caller, tenantId: T1 })).toEqual({ tenantId: T1, clients: null });
    await expect(view({ ...caller, tenantId: T2 })).rejects.toMatchObject(missing(VIEW));
  });

  test('a person who belongs nowhere is FORBIDDEN', async () => {
    await expect(view(person())).rejects.toMatchObject(missing(VIEW));
    await expect(authorizer().author(person())).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const nothing: Grant = { action: VIEW, scope: 'CLIENT', tenantId: T1, clientId: null };
    await expect(view(person([nothing]))).rejects.toMatchObject(missing(VIEW));
    await expect(authorizer().author(person([nothing]))).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test('a tenant of others and one that does not exist get the same answer', async () => {
    const caller = person([grant(VIEW, T1)]);
    const answers = await Promise.all(
      [T2, T3].flatMap((tenantId) => [
        view({ ...caller, tenantId }).catch((error: ReelError) => `${error.code} ${error.message}`),
        authorizer()
          .author({ ...caller, tenantId })
          .catch((error: ReelError) => `${error.code} ${error.message}`),
      ]),
    );
    expect(new Set(answers).size).toBe(2);
    for (const answer of answers) expect(answer).toMatch(/^FORBIDDEN /);
  });

  test('where Mentor cannot list tenants, the header is always needed', async () => {
    const remote: MentorPort = { tenants: () => null, standing: claimsMentor.standing };
    const caller = person([grant(VIEW, T1)]);
    await expect(authorizer({}, remote).require(caller, VIEW, BOTH)).rejects.toMatchObject(
      headerFault('X-Tenant-Id'),
    );
    expect(await authorizer({}, remote).require({ ...caller, tenantId: T1 }, VIEW, BOTH)).toMatchObject({
      tenantId: T1,
    });
  });
});

describe('what a view opens', () => {
  test.each<[string, Grant[], string | null, Scope['clients'] | 'FORBIDDEN']>([
    ['ACCOUNT', [grant(VIEW, T1)], null, null],
    ['ACCOUNT, narrowed', [grant(VIEW, T1)], C1, [C1]],
    ['CLIENT', [grant(VIEW, T1, C1)], null, [C1]],
    ['two CLIENT', [grant(VIEW, T1, C2), grant(VIEW, T1, C1)], null, [C1, C2]],
    ['the same twice', [grant(VIEW, T1, C1), grant(VIEW, T1, C1)], null, [C1]],
    ['CLIENT, narrowed', [grant(VIEW, T1, C1), grant(VIEW, T1, C2)], C2, [C2]],
    ['CLIENT, another named', [grant(VIEW, T1, C1)], C3, 'FORBIDDEN'],
    ['both', [grant(VIEW, T1), grant(VIEW, T1, C1)], null, null],
    ['both, another named', [grant(VIEW, T1), grant(VIEW, T1, C1)], C3, [C3]],
    ['another action', [grant(EXPORT, T1, C1), grant('reel.logs.filter', T1)], null, 'FORBIDDEN'],
    ['an action that begins alike', [grant(`${VIEW}.all`, T1)], null, 'FORBIDDEN'],
    ['ACCOUNT with a client', [{ ...grant(VIEW, T1), clientId: C1 }], null, null],
    ['CLIENT without one', [{ ...grant(VIEW, T1, C1), clientId: null }, grant('x', T1)], null, 'FORBIDDEN'],
  ])('%s', async (_, grants, clientId, clients) => {
    const asked = view({ ...person(grants), clientId });
    if (clients === 'FORBIDDEN') await expect(asked).rejects.toMatchObject(missing(VIEW));
    else expect(await asked).toEqual({ tenantId: T1, clients });
  });

  test('membership opens no view', async () => {
    await expect(view(person([], [T1]))).rejects.toMatchObject(missing(VIEW));
    expect(await authorizer().viewScope(person([], [T1]))).toBeNull();
  });

  test('an ACCOUNT-only field does not count CLIENT grants, and X-Client-Id means nothing to it', async () => {
    const checkpoint = (caller: Caller) => authorizer().require(caller, VIEW, ['ACCOUNT']);
    await expect(checkpoint(person([grant(VIEW, T1, C1)]))).rejects.toMatchObject(missing(VIEW));
    expect(await checkpoint({ ...person([grant(VIEW, T1)]), clientId: C3 })).toEqual({
      tenantId: T1,
      clients: null,
    });
  });

  test('nobody, a module and a credential that has ended', async () => {
    await expect(view(nobody)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(view(module)).rejects.toMatchObject(missing(VIEW));
    await expect(view({ ...module, tenantId: T1 })).rejects.toMatchObject(missing(VIEW));
    expect(await authorizer().viewScope(module)).toBeNull();
    const ended = person([grant(VIEW, T1)], [], { expiresAt: Date.now() - 1 });
    await expect(view(ended)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(authorizer().viewScope(ended)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('a check made again sees what has changed', async () => {
    let grants = [grant(VIEW, T1)];
    let now = Date.now();
    const changing: MentorPort = { tenants: () => [T1], standing: async () => ({ grants, member: true }) };
    const authorizer = new Authorizer(changing, SETTINGS, () => now);
    const caller = person();
    expect(await authorizer.require(caller, VIEW, BOTH)).toEqual({ tenantId: T1, clients: null });
    grants = [];
    await expect(authorizer.require(caller, VIEW, BOTH)).rejects.toMatchObject(missing(VIEW));
    now += 120_000;
    await expect(authorizer.require(caller, VIEW, BOTH)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('a failing Mentor is never taken for a refusal', async () => {
    const down: MentorPort = {
      tenants: () => [T1],
      standing: async () => {
        throw new ReelError('UNAVAILABLE', 'down', { retryAfter: 2 });
      },
    };
    await expect(authorizer({}, down).viewScope(person())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('what an export is for', () => {
  const two = person([grant(EXPORT, T1, C1), grant(EXPORT, T1, C2)]);
  const exported = (caller: Caller, named?: string | null) => authorizer().exportScope(caller, named);

  test('the only client granted, or the one named', async () => {
    expect(await exported(person([grant(EXPORT, T1, C1)]))).toEqual({ tenantId: T1, clients: [C1] });
    expect(await exported({ ...two, clientId: C2 })).toEqual({ tenantId: T1, clients: [C2] });
    expect(await exported(two, C1.toUpperCase())).toEqual({ tenantId: T1, clients: [C1] });
    expect(await exported({ ...two, clientId: C2 }, C1)).toEqual({ tenantId: T1, clients: [C2] });
  });

  test('several and none named', async () => {
    await expect(exported(two)).rejects.toMatchObject(headerFault('X-Client-Id'));
    await expect(exported(two, null)).rejects.toMatchObject(headerFault('X-Client-Id'));
  });

  test('an ACCOUNT grant, another client, a view and a module open nothing', async () => {
    await expect(exported({ ...person([grant(EXPORT, T1)]), clientId: C1 })).rejects.toMatchObject(
      missing(EXPORT),
    );
    await expect(exported({ ...two, clientId: C3 })).rejects.toMatchObject(missing(EXPORT));
    await expect(exported(two, C3)).rejects.toMatchObject(missing(EXPORT));
    await expect(exported(person([grant(VIEW, T1), grant(VIEW, T1, C1)]))).rejects.toMatchObject(
      missing(EXPORT),
    );
    await expect(exported(module)).rejects.toMatchObject(missing(EXPORT));
    await expect(exported(nobody)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

describe('who writes', () => {
  test('a module, wherever the headers point', async () => {
    const author = { kind: 'module', module: 'guardian', ip: '192.0.2.1', agent: 'Agent' };
    expect(await authorizer().author(module)).toEqual(author);
    expect(authorizer().internal(module)).toEqual(author);
  });

  test.each<[string, Grant[], string[], readonly string[] | null]>([
    ['membership: any client', [], [T1], null],
    ['an ACCOUNT grant of anything: any client', [grant('guardian.users.edit', T1)], [], null],
    ['CLIENT grants: these clients', [grant('aurora.read', T1, C2), grant(VIEW, T1, C1)], [], [C1, C2]],
    ['CLIENT grants and membership: any client', [grant(VIEW, T1, C1)], [T1], null],
    ['ACCOUNT in another tenant does not count', [grant(VIEW, T2), grant(VIEW, T1, C1)], [T2], [C1]],
  ])('a person, by %s', async (_, grants, tenants, clients) => {
    const caller = { ...person(grants, tenants), tenantId: T1, clientId: C3 };
    expect(await authorizer().author(caller)).toEqual({
      kind: 'person',
      subject: uuid('0a'),
      requestId: caller.requestId,
      id: uuid('0a'),
      email: 'ana@example.com',
      name: 'Ana',
      tenantId: T1,
      clients,
      ip: '192.0.2.1',
      agent: 'Agent',
      allowance: {
        name: 'browser-entries',
        limit: 600,
        windowSeconds: 60,
        remaining: 599,
        resetSeconds: expect.any(Number),
      },
    });
  });

  test('REEL_BROWSER_LOGGING=off closes it to people, not to modules', async () => {
    const closed = authorizer({ browserLogging: false });
    await expect(closed.author(person([], [T1]))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await closed.author(module)).toMatchObject({ kind: 'module' });
  });

  test('nobody, and a person where only modules may', async () => {
    await expect(authorizer().author(nobody)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(() => authorizer().internal(nobody)).toThrow(expect.objectContaining({ code: 'UNAUTHENTICATED' }));
    expect(() => authorizer().internal(person([], [T1]))).toThrow(
      expect.objectContaining({ code: 'FORBIDDEN' }),
    );
  });

  test('a person has so many entries a minute, a refused one not among them', async () => {
    const limited = authorizer({ browserEntriesPerMinute: 3 });
    const ana = person([], [T1]);
    for (let n = 0; n < 5; n++)
      await expect(limited.author({ ...ana, tenantId: T2 })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    for (let n = 0; n < 3; n++) await limited.author(ana);
    const refused = await limited.author(ana).catch((error: ReelError) => error);
    expect(refused).toMatchObject({ code: 'TOO_MANY_REQUESTS', status: 429 });
    const { retryAfter } = refused as ReelError;
    expect(retryAfter).toBeGreaterThanOrEqual(1);
    expect(retryAfter).toBeLessThanOrEqual(60);
    expect(await limited.author(person([], [T1], { id: uuid('0b') }))).toMatchObject({ id: uuid('0b') });
    for (let n = 0; n < 5; n++) await limited.author(module);
  });
});

describe('changes of saved views', () => {
  const somebody = (n: number) => person([], [], { id: `person-${n}` });

  test('are bounded a minute for a person, and for the people of a tenant together', async () => {
    const limited = authorizer();
    const change = (who: Caller, tenantId: string) => limited.countViewChange(who, { tenantId });
    for (let n = 0; n < 120; n++) await change(somebody(0), T1);
    await expect(change(somebody(0), T1)).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      message: 'At most 120 changes of views per minute and person',
    });
    for (let n = 120; n < 1_200; n++) await change(somebody(Math.floor(n / 100)), T1);
    await expect(change(somebody(99), T1)).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      message: 'At most 1200 changes of views per minute and tenant',
    });
    await change(somebody(99), T2);
    await expect(change(module, T2)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe('any set of grants', () => {
  const tenant = fc.constantFrom(T1, T2);
  const client = fc.constantFrom(C1, C2, C3);
  const grants = fc.array(
    fc.record({
      action: fc.constantFrom(VIEW, EXPORT, 'reel.logs.filter'),
      scope: fc.constantFrom(...BOTH),
      tenantId: tenant,
      clientId: fc.option(client),
    }),
    { maxLength: 6 },
  );
  const calls = fc.record({
    grants,
    tenants: fc.uniqueArray(tenant),
    tenantId: fc.option(tenant),
    clientId: fc.option(client),
  });
  const entries = [T1, T2, T3].flatMap((tenantId) =>
    [null, C1, C2, C3].map((clientId) => ({ tenantId, clientId })),
  );
  type Entry = (typeof entries)[number];

  /** access.md said once more, entry by entry. */
  function mayView(
    call: { grants: Grant[]; clientId: string | null },
    tenantId: string,
    entry: Entry,
  ): boolean {
    if (entry.tenantId !== tenantId) return false;
    if (call.clientId !== null && entry.clientId !== call.clientId) return false;
    return call.grants.some(
      (each) =>
        each.action === VIEW &&
        each.tenantId === tenantId &&
        (each.scope === 'ACCOUNT' || (each.clientId !== null && each.clientId === entry.clientId)),
    );
  }
  const inScope = (scope: Scope, entry: Entry) =>
    entry.tenantId === scope.tenantId &&
    (scope.clients === null || (entry.clientId !== null && scope.clients.includes(entry.clientId)));

  test('opens exactly the entries that access.md says', async () => {
    await fc.assert(
      fc.asyncProperty(calls, async (call) => {
        const belongs = new Set([
          ...call.tenants,
          ...call.grants.filter((g) => g.scope === 'ACCOUNT' || g.clientId !== null).map((g) => g.tenantId),
        ]);
        const caller = {
          ...person(call.grants, call.tenants),
          tenantId: call.tenantId,
          clientId: call.clientId,
        };
        const scope = await view(caller).catch((error: ReelError) => error.code);
        const tenantId = call.tenantId ?? (belongs.size === 1 ? [...belongs][0]! : null);
        if (tenantId === null) {
          expect(scope).toBe(belongs.size === 0 ? 'FORBIDDEN' : 'BAD_USER_INPUT');
          return;
        }
        const open = entries.filter((entry) => mayView(call, tenantId, entry));
        if (typeof scope === 'string') expect([scope, open]).toEqual(['FORBIDDEN', []]);
        else expect(entries.filter((entry) => inScope(scope, entry))).toEqual(open);
      }),
      { numRuns: 500 },
    );
  });

  test('opens exports of a granted client only', async () => {
    await fc.assert(
      fc.asyncProperty(calls, fc.option(client), async (call, named) => {
        const caller = { ...person(call.grants, call.tenants), tenantId: T1, clientId: call.clientId };
        const granted = new Set(
          call.grants
            .filter((g) => g.action === EXPORT && g.tenantId === T1 && g.scope === 'CLIENT' && g.clientId)
            .map((g) => g.clientId),
        );
        const wanted = call.clientId ?? named ?? (granted.size === 1 ? [...granted][0] : null);
        const scope = await authorizer()
          .exportScope(caller, named)
          .catch((error: ReelError) => error.code);
        if (granted.size === 0) expect(scope).toBe('FORBIDDEN');
        else if (wanted == null) expect(scope).toBe('BAD_USER_INPUT');
        else expect(scope).toEqual(granted.has(wanted) ? { tenantId: T1, clients: [wanted] } : 'FORBIDDEN');
      }),
      { numRuns: 500 },
    );
  });
});
