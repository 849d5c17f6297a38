import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { REEL_ACTIONS, registerReelActions } from '../../src/auth/actions.js';
import { type PersonCredential, personOf } from '../../src/auth/credential.js';
import { clientNames, type Grant } from '../../src/auth/grant.js';
import {
  claimsMentor,
  type HttpMentorOptions,
  httpMentor,
  mentorPort,
  type Requester,
} from '../../src/auth/mentor.js';

const [T1, T2, T3] = [1, 2, 3].map((n) => `0190a1b2-0000-7000-8000-0000000000f${n}`) as [
  string,
  string,
  string,
];
const C1 = '0190a1b2-0000-7000-8000-0000000000c1';

const grant = (tenantId: string, clientId: string | null = null): Grant => ({
  action: 'reel.logs.view',
  scope: clientId === null ? 'ACCOUNT' : 'CLIENT',
  tenantId,
  clientId,
});
const wire = (
  tenant_id: unknown,
  client_id: unknown = null,
  scope = client_id === null ? 'ACCOUNT' : 'CLIENT',
) => ({
  action: 'reel.logs.view',
  scope,
  tenant_id,
  client_id,
});

const personWith = (changed: Partial<PersonCredential> = {}): PersonCredential => ({
  kind: 'person',
  id: '0190a1b2-0000-7000-8000-00000000000a',
  email: null,
  name: null,
  grants: [],
  tenants: [],
  token: 'a.b.c',
  expiresAt: Number.POSITIVE_INFINITY,
  ...changed,
});
const asker = (token = 'a.b.c'): Requester => ({
  person: personWith({ token }),
  authorization: `Bearer ${token}`,
});

describe('grants as claims', () => {
  const nothing: Grant = { action: 'reel.logs.view', scope: 'CLIENT', tenantId: T3, clientId: null };
  const person = personWith({
    grants: [grant(T1), grant(T1, C1), grant(T2, C1), nothing],
    tenants: [{ id: T2 }],
  });

  test('tenants are those of grants that open something, and plain memberships', () => {
    expect(claimsMentor.tenants(person)).toEqual([T1, T2]);
    expect(claimsMentor.tenants(personWith())).toEqual([]);
  });

  test('grants of other tenants, and those that open nothing, do not count', async () => {
    const standing = (tenant: string) => claimsMentor.standing({ person, authorization: '' }, tenant);
    expect(await standing(T1)).toEqual({ grants: [grant(T1), grant(T1, C1)], member: false });
    expect(await standing(T2)).toEqual({ grants: [grant(T2, C1)], member: true });
    expect(await standing(T3)).toEqual({ grants: [], member: false });
  });

  test('names of tenants and clients are kept for showing, and cost nobody their grants', async () => {
    const named = { ...wire(T1, C1), tenant_name: 'Padaria Aurora', client_name: ' Loja\u202e 1 ' };
    const odd = { ...wire(T2, C1), tenant_name: 7, client_name: '\0' };
    const long = { id: T3, name: '𝄞'.repeat(300) };
    const claims = {
      sub: 'ana',
      exp: 1,
      grants: [named, odd],
      tenants: [T1, long, { id: T2, name: null }, {}],
    };
    const read = personOf(claims, 'a.b.c');
    expect(read.grants).toEqual([
      { ...grant(T1, C1), tenantName: 'Padaria Aurora', clientName: 'Loja 1' },
      grant(T2, C1),
    ]);
    expect(read.tenants).toEqual([{ id: T1 }, { id: T3, name: `${'𝄞'.repeat(254)}…` }, { id: T2 }]);
    const standing = (tenant: string) => claimsMentor.standing({ person: read, authorization: '' }, tenant);
    expect(await standing(T1)).toMatchObject({ member: true, tenantName: 'Padaria Aurora' });
    expect(await standing(T2)).toEqual({ grants: [grant(T2, C1)], member: true });
    expect(await standing(T3)).toMatchObject({ tenantName: `${'𝄞'.repeat(254)}…` });
    expect(clientNames(read.grants)).toEqual(new Map([[C1, 'Loja 1']]));
  });

  test('the settings choose the adapter', () => {
    expect(mentorPort({ mentor: 'claims', mentorUrl: 'http://mentor/' })).toBe(claimsMentor);
    expect(mentorPort({ mentor: 'http', mentorUrl: 'http://mentor/' }).tenants(person)).toBeNull();
  });
});

describe('Mentor over HTTP', () => {
  type Answer = (response: ServerResponse, request: IncomingMessage) => void;
  const json =
    (body: unknown, status = 200): Answer =>
    (response) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

  const asked: IncomingMessage[] = [];
  let answer: Answer = json({ grants: [] });
  let clock = 0;
  let url = '';
  const server = createServer((request, response) => {
    asked.push(request);
    answer(response, request);
  });
  beforeAll(async () => {
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/grants?of=reel`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    asked.length = 0;
    clock = 1000;
  });

  const mentor = (options: HttpMentorOptions = {}) => httpMentor(url, { now: () => clock, ...options });
  const unavailable = { code: 'UNAVAILABLE', retryAfter: expect.any(Number) };

  test('may name the tenant and clients', async () => {
    const named = { ...wire(T1, C1), client_name: 'Loja 1' };
    answer = json({ grants: [named, { ...wire(T2), tenant_name: 'Another' }], tenant_name: 'Aurora' });
    expect(await mentor().standing(asker(), T1)).toEqual({
      grants: [{ ...grant(T1, C1), clientName: 'Loja 1' }],
      member: false,
      tenantName: 'Aurora',
    });
  });

  test('is asked with the tenant and the header as it came', async () => {
    answer = json({ grants: [wire(T1, C1.toUpperCase()), wire(T2)], member: true, more: 1 });
    const who = { ...asker(), authorization: 'bearer  a.b.c' };
    expect(await mentor().standing(who, T1)).toEqual({ grants: [grant(T1, C1)], member: true });
    expect(asked[0]!.method).toBe('GET');
    expect(asked[0]!.url).toBe(`/grants?of=reel&tenant_id=${T1}`);
    expect(asked[0]!.headers.authorization).toBe('bearer  a.b.c');
  });

  test('member is optional, and client_id too', async () => {
    answer = json({ grants: [{ action: 'reel.logs.view', scope: 'ACCOUNT', tenant_id: T1 }] });
    expect(await mentor().standing(asker(), T1)).toEqual({ grants: [grant(T1)], member: false });
  });

  test('a CLIENT grant without a client opens nothing', async () => {
    answer = json({ grants: [wire(T1, null, 'CLIENT')] });
    expect(await mentor().standing(asker(), T1)).toEqual({ grants: [], member: false });
  });

  test('an answer is kept 30 s, for its token and tenant alone', async () => {
    const port = mentor();
    answer = json({ grants: [wire(T1)] });
    await port.standing(asker(), T1);
    clock += 29_999;
    answer = json({ grants: [] });
    expect((await port.standing(asker(), T1)).grants).toHaveLength(1);
    expect(asked).toHaveLength(1);
    expect((await port.standing(asker(), T2)).grants).toEqual([]);
    expect((await port.standing(asker('other.b.c'), T1)).grants).toEqual([]);
    expect(asked).toHaveLength(3);
    clock += 2;
    expect((await port.standing(asker(), T1)).grants).toEqual([]);
    expect(asked).toHaveLength(4);
  });

  test('a person may cause so many questions a minute, of which kept answers are none', async () => {
    const port = mentor({ questionsPerMinute: 3 });
    answer = json({ grants: [] });
    const tenant = () => randomUUID();
    const ana = (token: string) => ({ ...asker(token), person: personWith({ token, id: 'ana' }) });
    const known = tenant();
    for (const token of ['1', '2', '3']) await port.standing(ana(token), known);
    await expect(port.standing(ana('4'), tenant())).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      retryAfter: expect.toSatisfy((seconds: number) => seconds >= 1 && seconds <= 60),
    });
    expect(await port.standing(ana('3'), known)).toEqual({ grants: [], member: false });
    await port.standing({ ...asker('5'), person: personWith({ token: '5', id: 'bea' }) }, tenant());
    expect(asked).toHaveLength(4);
  });

  test('made-up tenants do not push out grants', async () => {
    const port = mentor({ kept: { answers: 3, refusals: 3 } });
    answer = json({ grants: [wire(T1)] });
    await port.standing(asker(), T1);
    answer = (response) => void response.writeHead(404).end();
    const madeUp = Array.from({ length: 10 }, () => randomUUID());
    for (const tenantId of madeUp) await port.standing(asker(), tenantId);
    expect(asked).toHaveLength(11);
    expect((await port.standing(asker(), T1)).grants).toHaveLength(1);
    await port.standing(asker(), madeUp.at(-1)!);
    expect(asked).toHaveLength(11);
    await port.standing(asker(), madeUp[0]!);
    expect(asked).toHaveLength(12);
  });

  test('calls at the same time share one question', async () => {
    const port = mentor();
    let release = () => {};
    answer = (response, request) => {
      release = () => json({ grants: [wire(T1)] })(response, request);
    };
    const calls = Array.from({ length: 50 }, () => port.standing(asker(), T1));
    await expect.poll(() => asked.length).toBe(1);
    release();
    expect(new Set((await Promise.all(calls)).map(({ grants }) => grants.length))).toEqual(new Set([1]));
    expect(asked).toHaveLength(1);
  });

  test('401 is 401, and is not kept', async () => {
    const port = mentor();
    answer = json({}, 401);
    await expect(port.standing(asker(), T1)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    answer = json({ grants: [wire(T1)] });
    expect((await port.standing(asker(), T1)).grants).toHaveLength(1);
  });

  test.each([403, 404])('%i means no grants', async (status) => {
    answer = json({ grants: [wire(T1)], member: true }, status);
    expect(await mentor().standing(asker(), T1)).toEqual({ grants: [], member: false });
  });

  test.each<[string, Answer]>([
    ['500', json({ grants: [] }, 500)],
    ['201', json({ grants: [] }, 201)],
    ['204', (response) => response.writeHead(204).end()],
    ['400', json({ grants: [] }, 400)],
    [
      'a redirect to a good answer',
      (response, request) =>
        request.url === '/elsewhere'
          ? json({ grants: [wire(T1)] })(response, request)
          : response.writeHead(302, { location: '/elsewhere' }).end(),
    ],
    ['no JSON', (response) => response.end('grants')],
    ['an empty body', (response) => response.end()],
    [
      'bytes that are no UTF-8',
      (response) => response.end(Buffer.from('{"grants":[],"a":"\xff"}', 'latin1')),
    ],
    ['a list', json([wire(T1)])],
    ['null', json(null)],
    ['missing grants', json({ member: true })],
    ['null grants', json({ grants: null, member: true })],
    ['grants that are no list', json({ grants: wire(T1) })],
    ['a grant that is none', json({ grants: [wire(T1), null] })],
    ['an unknown scope', json({ grants: [wire(T1, null, 'GALAXY')] })],
    ['a tenant that is no UUID', json({ grants: [wire('*')] })],
    ['a client that is no UUID', json({ grants: [wire(T1, '*')] })],
    ['member as text', json({ grants: [], member: 'true' })],
    ['null member', json({ grants: [], member: null })],
    ['over 1 MiB', json({ grants: [], filler: 'x'.repeat(1024 * 1024) })],
    ['a broken connection', (_, request) => request.socket.destroy()],
    [
      'half a body',
      (response, request) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{"grants":[]', () => request.socket.destroy());
      },
    ],
  ])('%s is UNAVAILABLE, and is not kept', async (_, broken) => {
    const port = mentor();
    answer = broken;
    await expect(port.standing(asker(), T1)).rejects.toMatchObject(unavailable);
    answer = json({ grants: [wire(T1)] });
    expect((await port.standing(asker(), T1)).grants).toHaveLength(1);
  });

  test('an endless body is given up at 1 MiB', async () => {
    let written = 0;
    answer = (response) => {
      const more = () => {
        while (!response.destroyed && response.write(' '.repeat(65_536))) written += 65_536;
      };
      response.on('drain', more);
      more();
    };
    await expect(mentor().standing(asker(), T1)).rejects.toMatchObject(unavailable);
    expect(written).toBeLessThan(50 * 1024 * 1024);
  });

  test.each<[string, Answer]>([
    ['an answer', () => {}],
    ['the end of a body', (response) => void response.writeHead(200).write('{"grants":[')],
  ])('waiting for %s has an end', async (_, late) => {
    answer = late;
    await expect(mentor({ timeoutMs: 50 }).standing(asker(), T1)).rejects.toMatchObject(unavailable);
  });

  test('nobody there is UNAVAILABLE', async () => {
    const gone = httpMentor('http://127.0.0.1:1/');
    await expect(gone.standing(asker(), T1)).rejects.toMatchObject(unavailable);
  });
});

test("Reel's actions are data that a host registers", () => {
  const registered = registerReelActions({ register: (actions) => actions.map((each) => each.code) });
  expect(registered).toEqual([
    'reel.logs.view',
    'reel.logs.export',
    'reel.logs.filter',
    'reel.streams.manage',
  ]);
  expect(REEL_ACTIONS.map(({ scopes, reserved, labelKey }) => ({ scopes, reserved, labelKey }))).toEqual([
    { scopes: ['ACCOUNT', 'CLIENT'], reserved: false, labelKey: 'reel.actions.logs_view.label' },
    { scopes: ['CLIENT'], reserved: false, labelKey: 'reel.actions.logs_export.label' },
    { scopes: ['ACCOUNT', 'CLIENT'], reserved: true, labelKey: 'reel.actions.logs_filter.label' },
    { scopes: ['ACCOUNT'], reserved: false, labelKey: 'reel.actions.streams_manage.label' },
  ]);
});
