import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { createClient as createEventClient } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Scope } from '../../../src/auth/scope.js';
import { forbidden } from '../../../src/errors.js';
import { createContext } from '../../../src/graphql/context.js';
import { followLog } from '../../../src/graphql/log-added.js';
import { Answers } from '../../../src/http/answer.js';
import { toCriteria } from '../../../src/log/filter/criteria.js';
import { Tail } from '../../../src/log/read/tail.js';
import { fakeServices, NOBODY } from '../../support/graphql-server.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../../support/reel.js';
import { json, startStubServer } from '../../support/stub-server.js';
import { openTrail, type Trail } from '../../support/trail.js';

const QUERY = 'subscription ($after: Count) { logAdded(after: $after) { sequence } }';
interface Course {
  seen: number[];
  code: string;
  /** Of a websocket. */
  closed: number | null;
}

/** Follows until it is told why not any more. */
async function course(
  url: string,
  kind: string,
  headers: Record<string, string>,
  seen: number[] = [],
): Promise<Course> {
  const closed = Promise.withResolvers<number | null>();
  const client =
    kind === 'websocket'
      ? createClient({
          url: `${url.replace('http', 'ws')}/graphql`,
          webSocketImpl: WebSocket,
          connectionParams: headers,
          retryAttempts: 0,
          on: { closed: (event) => closed.resolve((event as { code: number }).code) },
        })
      : createEventClient({ url: `${url}/graphql`, headers, retryAttempts: 0 });
  if (kind !== 'websocket') closed.resolve(null);
  let code = '';
  try {
    for await (const { data, errors } of client.iterate<{ logAdded: { sequence: number } }>({
      query: QUERY,
      variables: { after: 0 },
    })) {
      if (data) {
        expect(code).toBe('');
        seen.push(data.logAdded.sequence);
      }
      if (errors) code = String(errors[0]?.extensions?.code);
    }
  } catch (error) {
    // A websocket is closed with the code right after it was told why.
    if (code === '') throw error;
  }
  return { seen, code, closed: await closed.promise };
}

describe('as long as it runs, end to end', () => {
  let reel: TestReel;
  let asked: TestReel;
  let mentor: Awaited<ReturnType<typeof startStubServer>>;
  beforeAll(async () => {
    reel = await startReel();
    mentor = await startStubServer();
    asked = await startReel({ REEL_MENTOR: 'http', REEL_MENTOR_URL: `${mentor.url}/grants` });
  });
  afterAll(async () => {
    await Promise.all([reel?.close(), asked?.close()]);
    mentor?.server.closeAllConnections();
    mentor?.server.close();
  });

  test.concurrent.each(['websocket', 'event stream'])(
    'a token that runs out ends a %s with UNAUTHENTICATED',
    async (kind) => {
      const tenantId = randomUUID();
      const token = await person({ grants: [grant(tenantId, 'reel.logs.view:ACCOUNT')], minutes: 5 / 60 });
      const { code, closed } = await course(reel.url, kind, { Authorization: `Bearer ${token}` });
      expect(code).toBe('UNAUTHENTICATED');
      expect(closed).toBe(kind === 'websocket' ? 4401 : null);
    },
  );

  test('what Mentor takes away ends it, and nothing is delivered after that', async () => {
    const tenantId = randomUUID();
    const clientId = randomUUID();
    const view = { action: 'reel.logs.view', scope: 'ACCOUNT', tenant_id: tenantId, client_id: null };
    const ends = {
      grant: { answer: json({ grants: [], member: true }), code: 'FORBIDDEN', closed: 4403 },
      tenant: { answer: json({}, 404), code: 'FORBIDDEN', closed: 4403 },
      scope: {
        answer: json({ grants: [{ ...view, scope: 'CLIENT', client_id: clientId }] }),
        code: 'FORBIDDEN',
        closed: 4403,
      },
      person: { answer: json({}, 401), code: 'UNAUTHENTICATED', closed: 4401 },
      mentor: { answer: json({}, 500), code: 'UNAVAILABLE', closed: 4503 },
    };
    const people = new Map<string, keyof typeof ends>();
    let taken = false;
    mentor.respondWith((request, response) => {
      const end = ends[people.get(request.headers.authorization ?? '')!];
      (taken ? end.answer : json({ grants: [view] }))(request, response);
    });
    let isOver = false;
    const writing = (async () => {
      const inputs = [{ module: 'm', action: 'a.b', tenantId }];
      const query = 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }';
      const token = await moduleToken();
      for (; !isOver; await setTimeout(100)) await asked.graphql(token, query, { inputs });
    })();
    const courses = await Promise.all(
      (Object.keys(ends) as (keyof typeof ends)[]).flatMap((name) =>
        ['websocket', 'event stream'].map(async (kind) => {
          const authorization = `Bearer ${await person({ email: `${name}@example.com` })}`;
          people.set(authorization, name);
          const headers = { authorization, 'x-tenant-id': tenantId };
          const seen: number[] = [];
          return { name, kind, seen, going: course(asked.url, kind, headers, seen) };
        }),
      ),
    );
    await expect.poll(() => courses.every(({ seen }) => seen.length > 0)).toBe(true);
    taken = true;
    for (const { name, kind, seen, going } of courses) {
      const { code, closed } = await going;
      expect([name, kind, code]).toEqual([name, kind, ends[name].code]);
      expect(closed).toBe(kind === 'websocket' ? ends[name].closed : null);
      expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => index + 1));
    }
    isOver = true;
    await writing;
  }, 120_000);
});

describe('between batches', () => {
  let trail: Trail;
  let tail: Tail;
  beforeAll(async () => {
    trail = await openTrail();
    tail = new Tail(trail.database);
  });
  afterAll(() => trail?.close());

  const write = async (tenantId: string, count: number) => {
    const author = { kind: 'module', module: '*', ip: null, agent: null } as const;
    const inputs = Array.from({ length: count }, () => ({ module: 'm', action: 'a.b', tenantId }));
    await trail.service.createMany(author, inputs);
    const last = await trail.sequencer.catchUp(tenantId);
    tail.advance(tenantId, last);
  };
  const follow = (tenantId: string, allowed: () => boolean) => {
    const scope: Scope = { tenantId, clients: null };
    const require = async () => {
      if (!allowed()) throw forbidden('no longer');
      return scope;
    };
    const services = fakeServices({ tail });
    const authorizer = { ...services.authorizer, require };
    const context = createContext(
      NOBODY,
      { ...services, authorizer },
      { defaultPageSize: 50, maxPageSize: 100 },
      new Answers().begin(),
    );
    return followLog(context, toCriteria(scope, null, new Date()), 0);
  };

  test('a grant taken away while an old trail is caught up with stops that, too', async () => {
    const tenantId = randomUUID();
    await write(tenantId, 1_000);
    let allowed = true;
    const seen: number[] = [];
    const going = (async () => {
      for await (const { sequence } of follow(tenantId, () => allowed)) {
        seen.push(sequence!);
        allowed = seen.length < 400;
      }
    })();
    await expect(going).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(seen).toEqual(Array.from({ length: 400 }, (_, index) => index + 1));
  });

  test('an entry that is sealed after a grant was taken away is not delivered', async () => {
    const tenantId = randomUUID();
    await write(tenantId, 3);
    let allowed = true;
    const seen: number[] = [];
    const going = (async () => {
      for await (const { sequence } of follow(tenantId, () => allowed)) seen.push(sequence!);
    })();
    const ended = expect(going).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect.poll(() => seen).toEqual([1, 2, 3]);
    allowed = false;
    await write(tenantId, 3);
    await ended;
    expect(seen).toEqual([1, 2, 3]);
  });
});
