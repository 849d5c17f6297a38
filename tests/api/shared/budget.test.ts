import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { forgetStatistics, storeMany } from '../../support/many-entries.js';
import { createDatabase } from '../../support/postgres.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../../support/reel.js';

const [tenantId, clientId] = [randomUUID(), randomUUID()];
const COUNT = 100_000;
/** No index serves it, and no entry matches. */
const NOTHING = '-resource:invoice/*';

describe('looking that stops at REEL_SEARCH_MS', () => {
  let reel: TestReel;
  let token: string;
  beforeAll(async () => {
    const own = await createDatabase();
    await storeMany(own, { tenantId, clientId, count: COUNT, newest: new Date(Date.now() - 3_600_000) });
    await forgetStatistics(own, false);
    reel = await startReel({ REEL_SEARCH_MS: '50' }, own);
    token = await person({
      grants: [
        grant(tenantId, 'reel.logs.view:ACCOUNT'),
        grant(tenantId, `reel.logs.export:CLIENT:${clientId}`),
      ],
    });
  }, 300_000);
  afterAll(() => reel?.close());

  interface Page {
    ids: string[];
    after: string | null;
    before: string | null;
    searchedUntil: string | null;
  }

  /** The list as each interface shows it. `query`: the query line. */
  const doors: Record<
    string,
    (query: string, asked: { size: number; after?: string | null; before?: string | null }) => Promise<Page>
  > = {
    GraphQL: async (query, { size, after, before }) => {
      const { body } = await reel.graphql(
        token,
        `query ($query: String, $first: Int, $after: String, $last: Int, $before: String) {
          logs(filter: { query: $query }, first: $first, after: $after, last: $last, before: $before) {
            nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor searchedUntil } } }`,
        before ? { query, last: size, before } : { query, first: size, after },
      );
      const { nodes, pageInfo } = body.data.logs;
      return {
        ids: nodes.map(({ id }: { id: string }) => id),
        after: pageInfo.hasNextPage ? pageInfo.endCursor : null,
        before: pageInfo.hasPreviousPage ? pageInfo.startCursor : null,
        searchedUntil: pageInfo.searchedUntil,
      };
    },
    REST: async (query, { size, after, before }) => {
      const parameters = new URLSearchParams({ query, page_size: String(size) });
      if (after) parameters.set('after', after);
      if (before) parameters.set('before', before);
      const { status, body } = await reel.rest(token, 'GET', `/logs?${parameters}`);
      expect(status).toBe(200);
      expect([body.page, body.total]).toEqual(after || before ? [null, null] : [1, expect.any(Number)]);
      return {
        ids: body.items.map(({ id }: { id: string }) => id),
        after: body.next_cursor,
        before: body.previous_cursor,
        searchedUntil: body.searched_until,
      };
    },
  };

  describe.each(Object.entries(doors))('over %s', (_name, read) => {
    test('a filter that matches nothing says how far it got, and goes on to the end', async () => {
      let page = await read(NOTHING, { size: 20 });
      let pages = 1;
      for (; page.after !== null; pages += 1) {
        expect(page.ids).toEqual([]);
        expect(page.searchedUntil).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
        const last = page.searchedUntil!;
        page = await read(NOTHING, { size: 20, after: page.after });
        if (page.searchedUntil !== null) expect(page.searchedUntil < last).toBe(true);
      }
      expect(page).toMatchObject({ ids: [], after: null, searchedUntil: null });
      expect(pages).toBeGreaterThan(1);
    });

    // By data, which no index serves.
    test('going on finds every match once, and back again from the last', async () => {
      const query = `data.n:${Array.from({ length: 5 }, (_, n) => (n + 1) * 20_000 - 7).join()}`;
      const found: string[] = [];
      let page: Page | null = null;
      while (page === null || page.after !== null) {
        page = await read(query, { size: 2, after: page?.after ?? null });
        found.push(...page.ids);
      }
      const rows = await reel.own.query(
        `select id from reel_log_entries where tenant_id = $1 and (data->>'n')::int % 20000 = 19993 order by id desc`,
        [tenantId],
      );
      expect(found).toEqual(rows.map(({ id }) => id));

      const back: string[] = [];
      let before: string | null = found.at(-1)!;
      while (before !== null) {
        page = await read(query, { size: 2, before });
        back.unshift(...page.ids);
        before = page.before;
      }
      expect(back).toEqual(found.slice(0, -1));
    });

    test('a condition with an index answers at once', async () => {
      for (const query of [
        'actor:somebody',
        'request:request-4711',
        'resource:invoice/invoice-77',
        'actor:nobody',
      ]) {
        // It takes a few of the 50 ms: it is asked until the machine lets it have them.
        await expect
          .poll(async () => [query, (await read(query, { size: 10 })).searchedUntil])
          .toEqual([query, null]);
      }
      expect((await read('actor:somebody', { size: 10 })).ids).toHaveLength(10);
    });
  });

  test('a total is a lower bound, exact where that is asked for', async () => {
    const query =
      'query ($exact: Boolean!) { logs(filter: { notActorIds: ["none"] }, first: 1) { totalCount(exact: $exact) { value precision } } }';
    const count = async (exact: boolean) =>
      (await reel.graphql(token, query, { exact })).body.data.logs.totalCount;
    expect(await count(true)).toEqual({ value: COUNT, precision: 'EXACT' });
    const quick = await count(false);
    expect(quick.precision).toBe('AT_LEAST');
    expect(quick.value).toBeLessThanOrEqual(10_000);

    const { body } = await reel.rest(token, 'GET', `/logs?query=${encodeURIComponent(NOTHING)}`);
    expect(body).toMatchObject({ items: [], total: 0, total_precision: 'AT_LEAST', page: 1, pages: 0 });
    await expect
      .poll(async () => (await reel.rest(token, 'GET', '/logs?module=rare')).body)
      .toMatchObject({ total: COUNT / 100, total_precision: 'EXACT', searched_until: null });
  });

  test('a page by number that is not reached is empty and says where to go on', async () => {
    const query =
      '{ logs(filter: { notActions: ["none"] }, first: 100, page: 900) { nodes { id } pageInfo { hasNextPage endCursor searchedUntil } } }';
    const { nodes, pageInfo } = (await reel.graphql(token, query)).body.data.logs;
    expect(nodes).toEqual([]);
    expect(pageInfo).toEqual({
      hasNextPage: true,
      endCursor: expect.any(String),
      searchedUntil: expect.any(String),
    });
    const rest = (await reel.rest(token, 'GET', '/logs?query=-action:none&page=900&page_size=100')).body;
    expect(rest).toMatchObject({
      items: [],
      next_cursor: expect.any(String),
      searched_until: expect.any(String),
    });
    // Where the counts suffice, it is jumped to.
    const deep = async () => {
      const { body } = await reel.rest(token, 'GET', '/logs?page=900&page_size=100');
      return [body.items.length, body.searched_until];
    };
    await expect.poll(deep).toEqual([100, null]);
  });

  test('an export is counted to the end', async () => {
    for (const query of ['', '-action:none', 'action:users.*']) {
      const { body } = await reel.graphql(
        token,
        `mutation ($query: String) { exportLogs(input: { filter: { query: $query } }) { recordCount } }`,
        { query },
        { 'x-client-id': clientId },
      );
      expect(body.data.exportLogs.recordCount).toBe(COUNT / 2);
    }
  });

  test('a cursor over REST excludes a page and the other cursor, and must be one', async () => {
    const fault = async (parameters: string) => {
      const { status, body } = await reel.rest(token, 'GET', `/logs?${parameters}`);
      return [status, body.detail[0].loc, body.detail.length];
    };
    const cursor = randomUUID();
    expect(await fault(`after=${cursor}&page=2`)).toEqual([422, ['query', 'after'], 1]);
    expect(await fault(`before=${cursor}&page=1`)).toEqual([422, ['query', 'before'], 1]);
    expect(await fault(`before=${cursor}&after=${cursor}`)).toEqual([422, ['query', 'before'], 1]);
    expect(await fault('after=x')).toEqual([422, ['query', 'after'], 1]);
  });
});

test('20,000 entries written a moment ago, with no statistics, are exported at once', async () => {
  const own = await createDatabase();
  await forgetStatistics(own, false);
  const reel = await startReel({}, own);
  try {
    const [tenant, client] = [randomUUID(), randomUUID()];
    const module = await moduleToken();
    const inputs = Array.from({ length: 1_000 }, (_, n) => ({
      module: 'm',
      action: `a.${n % 10}`,
      tenantId: tenant,
      clientId: client,
      data: { n },
    }));
    for (let batch = 0; batch < 20; batch += 1) {
      const { body } = await reel.graphql(
        module,
        'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
        { inputs },
      );
      expect(body.data.createLogs).toHaveLength(1_000);
    }
    const exporter = await person({ grants: [grant(tenant, `reel.logs.export:CLIENT:${client}`)] });
    for (const query of ['', 'action:a.*', '-action:none']) {
      const started = performance.now();
      const { body } = await reel.graphql(
        exporter,
        'mutation ($query: String) { exportLogs(input: { filter: { query: $query } }) { recordCount downloadUrl } }',
        { query },
        { 'x-client-id': client },
      );
      expect(body.data.exportLogs.recordCount).toBe(20_000);
      // Of a quadratic join, minutes.
      expect(performance.now() - started).toBeLessThan(20_000);
    }
  } finally {
    await reel.close();
  }
}, 120_000);

test('a statement that takes longer than REEL_STATEMENT_MS is given up as unavailable', async () => {
  const reel = await startReel({ REEL_STATEMENT_MS: '200', REEL_SEARCH_MS: '50' });
  const token = await person({ grants: [grant(tenantId, 'reel.logs.view:ACCOUNT')] });
  const owner = new pg.Client({ connectionString: reel.own.ownerUrl });
  await owner.connect();
  try {
    await owner.query('begin; lock table reel_log_entries, reel_log_counts in access exclusive mode');
    const { body, headers } = await reel.graphql(token, '{ logs { nodes { id } } }');
    expect(body.errors[0].extensions.code).toBe('UNAVAILABLE');
    expect(headers.get('retry-after')).toMatch(/^\d+$/);
    for (const path of ['/logs', '/logs/stats', `/logs/${randomUUID()}`]) {
      const answer = await reel.rest(token, 'GET', path);
      expect([path, answer.status]).toEqual([path, 503]);
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    }
    await owner.query('rollback');
    expect((await reel.rest(token, 'GET', '/logs')).status).toBe(200);
  } finally {
    await owner.end();
    await reel.close();
  }
});
