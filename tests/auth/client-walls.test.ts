import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { grant, moduleToken, person, startReel, type TestReel } from '../support/reel.js';

const [TENANT, MINE, THEIRS] = [randomUUID(), randomUUID(), randomUUID()];
const SECRET_WORD = 'quokka';

let reel: TestReel;
let ana: string;
let theirs: string[];
let mine: string;
beforeAll(async () => {
  reel = await startReel({ REEL_AUDIT_READS: 'off' });
  const gateway = await moduleToken('*');
  const report = async (client_id: string | null, name: string) => {
    const made = await reel.rest(gateway, 'POST', '/logs', {
      module: `module-${name}`,
      action: `action-${name}`,
      severity: name === 'mine' ? 'INFO' : 'CRITICAL',
      tenant_id: TENANT,
      client_id,
      actor_id: `actor-${name}`,
      actor_name: `Actor ${name}`,
      resource_type: `resource-${name}`,
      outcome: name === 'mine' ? 'SUCCESS' : 'DENIED',
      ip_address: name === 'mine' ? '10.0.0.1' : '10.0.0.2',
      request_id: 'one-request',
      data: { word: name === 'mine' ? 'plain' : SECRET_WORD },
    });
    expect(made.status).toBe(201);
    return made.body.id as string;
  };
  theirs = [await report(THEIRS, 'theirs'), await report(null, 'nobodys')];
  mine = await report(MINE, 'mine');
  theirs.push(await report(THEIRS, 'theirs'));
  ana = await person({
    grants: ['view', 'export'].map((action) => grant(TENANT, `reel.logs.${action}:CLIENT:${MINE}`)),
  });
  await vi.waitFor(
    async () =>
      expect(await reel.own.query('select 1 from reel_log_inbox where tenant_id = $1', [TENANT])).toEqual([]),
    60_000,
  );
});
afterAll(() => reel?.close());

/** What only other clients' entries hold. */
const FOREIGN = /theirs|nobodys|quokka|10\.0\.0\.2|CRITICAL|DENIED/;
const ask = async (query: string, variables = {}) => {
  const { body } = await reel.graphql(ana, query, variables);
  expect(body.errors).toBeUndefined();
  return body.data;
};

describe('somebody who views one client', () => {
  it('gets no other client’s entry by any filter, cursor, page or order', async () => {
    const lists = [
      '',
      '(orderBy: OLDEST_FIRST)',
      '(last: 10)',
      ...theirs.flatMap((id) => [
        `(after: "${id}")`,
        `(last: 5, before: "${id}")`,
        `(filter: { ids: ["${id}"] })`,
      ]),
      '(first: 1, page: 2)',
      `(filter: { search: "${SECRET_WORD}" })`,
      `(filter: { notSearch: ["plain"] })`,
      `(filter: { clientId: "${THEIRS}" })`,
      '(filter: { requestId: "one-request" })',
      '(filter: { data: [{ path: "word", op: EXISTS }] })',
      `(filter: { query: "client:${THEIRS}" })`,
      '(filter: { query: "-module:module-mine" })',
      '(filter: { notActions: ["action-mine"] })',
      '(filter: { minSeverity: ERROR })',
    ];
    for (const list of lists) {
      const { logs } = await ask(
        `{ logs${list} { nodes { id module data related { id } } totalCount(exact: true) { value } pageInfo { startCursor endCursor } } }`,
      );
      expect(JSON.stringify({ list, logs }).slice(list.length + 8)).not.toMatch(FOREIGN);
      for (const id of theirs) expect(JSON.stringify(logs)).not.toContain(id);
      expect(logs.totalCount.value).toBeLessThanOrEqual(1);
    }
    const inRest = await reel.rest(ana, 'GET', '/logs?query=-module:module-mine');
    expect(inRest.body).toMatchObject({ items: [], total: 0 });
  });

  it('gets no figure, bucket or facet of another’s', async () => {
    const facets = ['MODULE', 'ACTION', 'SEVERITY', 'ACTOR', 'RESOURCE_TYPE', 'CLIENT', 'OUTCOME', 'ORIGIN'];
    for (const filter of ['{}', '{ actions: ["action-*"] }', `{ clientId: "${THEIRS}" }`]) {
      const { logStats } = await ask(
        `{ logStats(filter: ${filter}) { totalEntries entriesToday entriesThisWeek
          entriesBySeverity { key count } entriesByModule { key count }
          timeline(interval: MINUTE) { count bySeverity { key count } }
          ${facets.map((field) => `${field}: facet(field: ${field}) { key label count }`).join('\n')} } }`,
      );
      const text = JSON.stringify(logStats);
      expect(text).not.toMatch(FOREIGN);
      expect(text).not.toContain(THEIRS);
      expect(logStats.totalEntries).toBe(filter.includes(THEIRS) ? 0 : 1);
    }
  });

  it('is told the same of another’s entry and of one that does not exist', async () => {
    for (const id of [...theirs, randomUUID()]) {
      expect(await ask('query ($id: UUID!) { log(id: $id) { id } }', { id })).toEqual({ log: null });
      expect(await reel.rest(ana, 'GET', `/logs/${id}`)).toMatchObject({
        status: 404,
        body: { detail: 'Log entry not found' },
      });
    }
    const refusals = await Promise.all(
      [THEIRS, randomUUID()].map(async (client) => {
        const { status, body } = await reel.rest(ana, 'GET', '/logs', undefined, { 'x-client-id': client });
        return { status, body };
      }),
    );
    expect(refusals[0]).toMatchObject({ status: 403 });
    expect(refusals[1]).toEqual(refusals[0]);
  });

  it('proves its own entry, and is not given the tenant’s checkpoints', async () => {
    const { log } = await ask(
      'query ($id: UUID!) { log(id: $id) { proof { leafHash path checkpoint { treeSize } } } }',
      { id: mine },
    );
    expect(log.proof.checkpoint.treeSize).toBeGreaterThan(0);
    for (const query of ['{ checkpoint { note } }', '{ consistencyProof(first: 1, second: 2) { path } }']) {
      const { body } = await reel.graphql(ana, query);
      expect(body.errors[0].extensions.code).toBe('FORBIDDEN');
    }
  });

  it('exports its own, and no link can be turned to another’s', async () => {
    for (const [body, headers] of [
      [{ filter: { client_id: THEIRS } }, {}],
      [{}, { 'x-client-id': THEIRS }],
    ] as const)
      expect((await reel.rest(ana, 'POST', '/logs/export', body, headers)).status).toBe(403);
    const made = await reel.rest(ana, 'POST', '/logs/export', {
      format: 'ndjson',
      include_data: true,
      all_fields: true,
      include_proofs: true,
    });
    expect(made.body.record_count).toBe(1);
    const file = await (await fetch(reel.url + made.body.download_url)).text();
    expect(file).toContain(mine);
    expect(file).not.toMatch(FOREIGN);
    const url = new URL(reel.url + made.body.download_url);
    const [head, payload = '', signature] = url.searchParams.get('token')!.split('.');
    for (const token of [
      `${head}.${payload.slice(0, -2)}${payload.endsWith('AA') ? 'BB' : 'AA'}.${signature}`,
      `${Buffer.from('{"alg":"none","typ":"reel-export"}').toString('base64url')}.${payload}.`,
      `${head}.${payload}.`,
      '',
    ]) {
      const changed = new URL(url);
      changed.searchParams.set('token', token);
      expect((await fetch(changed)).status).toBe(403);
    }
    // What stands beside the token decides nothing.
    const beside = new URL(url);
    for (const [name, value] of Object.entries({ client_id: THEIRS, tenant_id: randomUUID(), format: 'csv' }))
      beside.searchParams.set(name, value);
    const again = await fetch(beside, { headers: { 'x-client-id': THEIRS, 'x-tenant-id': randomUUID() } });
    expect(await again.text()).toBe(file);
    expect((await fetch(url.href.replace('.ndjson', '.csv'))).status).toBe(403);
  });
});
