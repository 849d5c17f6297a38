import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { lockTables } from '../../support/postgres.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../../support/reel.js';

const [tenantId, clientId] = [randomUUID(), randomUUID()];

describe('a statement that takes long', () => {
  let reel: TestReel;
  let token: string;
  let link: string;
  let blocker: pg.Client;
  /** Another one, since a transaction sees the activity of its beginning. */
  let watcher: pg.Client;
  beforeAll(async () => {
    reel = await startReel({ REEL_STATEMENT_MS: '6000', REEL_SEARCH_MS: '50', REEL_AUDIT_READS: 'off' });
    token = await person({
      grants: [
        grant(tenantId, 'reel.logs.view:ACCOUNT'),
        grant(tenantId, `reel.logs.export:CLIENT:${clientId}`),
      ],
    });
    const entry = { module: 'm', action: 'a', tenant_id: tenantId, client_id: clientId };
    expect((await reel.rest(await moduleToken(), 'POST', '/logs', entry)).status).toBe(201);
    const prepared = await reel.rest(token, 'POST', '/logs/export', {}, { 'x-client-id': clientId });
    link = prepared.body.download_url;
    [blocker, watcher] = [0, 1].map(() => new pg.Client({ connectionString: reel.own.superuserUrl })) as [
      pg.Client,
      pg.Client,
    ];
    await Promise.all([blocker.connect(), watcher.connect()]);
    await lockTables(blocker, 'reel_log_entries', 'reel_log_counts', 'reel_log_sequence');
  });
  afterAll(async () => {
    await blocker?.end();
    await watcher?.end();
    await reel?.close();
  });

  /** Statements of callers that wait for the locks: what fills the search index, or delivers streams, reads sequences of its own accord. */
  const waiting = async (): Promise<number> => {
    const { rows } = await watcher.query(
      `select count(*)::integer as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and application_name = 'reel' and query ~ '^\\s*[(]*(select|with|copy)'
        and query not like '%seq >= $2 and seq <= $3%' and query !~ 'reel_(due|lagging)_streams|reel_search_backlog'`,
    );
    return rows[0].n;
  };

  const json = { 'content-type': 'application/json' };
  const graphql = (query: string) => (init: RequestInit) =>
    fetch(`${reel.url}/graphql`, {
      ...init,
      method: 'POST',
      headers: { ...init.headers, ...json },
      body: JSON.stringify({ query }),
    });
  const rest = (path: string) => (init: RequestInit) => fetch(`${reel.url}/api/v1/reel${path}`, init);
  const doors: Record<string, (init: RequestInit) => Promise<Response>> = {
    'GraphQL logs': graphql('{ logs { nodes { id } } }'),
    'GraphQL totalCount': graphql('{ logs { totalCount(exact: true) { value } } }'),
    'GraphQL log': graphql(`{ log(id: "${randomUUID()}") { id } }`),
    'GraphQL logStats': graphql('{ logStats { totalEntries facet(field: ACTION) { key } } }'),
    'GraphQL consistencyProof': graphql(
      `{ log(id: "${randomUUID()}") { proof { leafIndex } related { id } } }`,
    ),
    'REST list': rest('/logs?search=nothing'),
    'REST statistics': rest('/logs/stats'),
    'REST entry': rest(`/logs/${randomUUID()}`),
    'an export': (init) => fetch(reel.url + link, init),
  };
  const authorized = () => ({ authorization: `Bearer ${token}`, 'x-client-id': clientId });

  test.each(Object.entries(doors))('of %s is cancelled when its caller hangs up', async (_name, call) => {
    await expect.poll(waiting).toBe(0);
    const hangUp = new AbortController();
    const answer = call({ headers: authorized(), signal: hangUp.signal });
    await expect.poll(waiting).toBeGreaterThan(0);
    const hungUp = performance.now();
    hangUp.abort();
    await expect(answer).rejects.toThrow();
    await expect.poll(waiting, { timeout: 4_000 }).toBe(0);
    // By itself it would end at REEL_STATEMENT_MS.
    expect(performance.now() - hungUp).toBeLessThan(4_000);
  });

  test.each(['websocket', 'event stream'])('of a subscription over %s is cancelled, too', async (kind) => {
    await expect.poll(waiting).toBe(0);
    const query = 'subscription { logAdded(after: 0) { id } }';
    const gone = new AbortController();
    let hangUp = () => gone.abort();
    if (kind === 'websocket') {
      const socket = new WebSocket(`${reel.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
        headers: authorized(),
      });
      hangUp = () => socket.terminate();
      socket.on('open', () => socket.send('{"type":"connection_init"}'));
      socket.once('message', () =>
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } })),
      );
    } else
      void fetch(`${reel.url}/graphql`, {
        method: 'POST',
        headers: { ...authorized(), ...json, accept: 'text/event-stream' },
        body: JSON.stringify({ query }),
        signal: gone.signal,
      }).then(
        (response) => response.text().catch(() => {}),
        () => {},
      );
    await expect.poll(waiting).toBeGreaterThan(0);
    hangUp();
    await expect.poll(waiting, { timeout: 4_000 }).toBe(0);
  });

  test('is given up at REEL_STATEMENT_MS', async () => {
    await Promise.all(
      Object.entries(doors).map(async ([name, call]) => {
        const answer = await call({ headers: authorized() });
        expect([name, answer.status]).toEqual([name, 503]);
        expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
        expect(await answer.text()).toMatch(/took too long|Too many reads/);
      }),
    );
  });

  test('leaves its connection as good as new', async () => {
    await blocker.query('rollback');
    for (let round = 0; round < 5; round += 1) {
      const answers = await Promise.all(Object.values(doors).map((call) => call({ headers: authorized() })));
      expect(
        answers.map(({ status }) => status).filter((status) => status !== 200 && status !== 404),
      ).toEqual([]);
      await Promise.all(answers.map((answer) => answer.text()));
    }
  });
});
