import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grant, moduleToken, person, startReel, type TestReel } from '../../support/reel.js';

const TENANT = randomUUID();
const CLIENT = randomUUID();
const ID = randomUUID();

let reel: TestReel;
let token: string;
let stored: string[];

/** Entries, each with lines of which it is the only one that matches, or one of those numbered. */
const ENTRIES: readonly {
  input: object;
  found: readonly (string | [line: string, ...others: number[]])[];
}[] = [
  {
    input: {
      module: 'cloudtrail',
      action: 'lambda.update',
      severity: 'WARNING',
      actorId: 'AIDA2IBR2EZTJMPOR52WV',
      resourceType: 'AWS::Lambda::Function',
      resourceId: 'nightly, "report"',
      outcome: 'DENIED',
      occurredAt: '2024-09-11T17:46:13Z',
      data: { requestParameters: { functionName: 'nightly-report', memory: 512 }, error: null },
    },
    found: [
      'resource:"AWS::Lambda::Function"',
      'resource:"AWS::Lambda::Function"/"nightly, \\"report\\""',
      'actor:AIDA2IBR2EZTJMPOR52WV',
      'actor:AIDA2*',
      'outcome:denied',
      'severity>INFO -severity:ERROR',
      'data.requestParameters.functionName:nightly-report',
      'data.requestParameters.memory>=512',
      'data.requestParameters.memory>99 -data.requestParameters.memory>600',
      'data.error:null',
      'data.error:*',
      'occurred-since:2024-09-11 occurred-until:2024-09-11',
      '-module:kubernetes,auth0,billing',
    ],
  },
  {
    input: {
      module: 'kubernetes',
      action: 'leases.get',
      actorId: '12345678',
      actorName: 'system:serviceaccount:kube-system:agent',
      actorType: 'SERVICE',
      resourceType: 'coordination.k8s.io/leases',
      resourceId: 'kube-system/agent',
      ipAddress: '[2001:db8::abcd]:443',
      clientId: CLIENT,
      data: { responseStatus: { code: 200 }, items: [{ sku: 'A1' }, { sku: 'B2' }] },
    },
    found: [
      'resource:"coordination.k8s.io/leases"/kube-system/agent',
      'actor:"system:serviceaccount:kube-system:agent"',
      'actor:SYSTEM:serviceaccount:kube-system:agent',
      'type:service',
      'data.responseStatus.code:200',
      'data.responseStatus.code<300',
      'data.items[*].sku:B2,C3',
      'ip:2001:DB8:0:0:0:0:0:ABCD',
      `client:${CLIENT.toUpperCase()}`,
      '-client:none',
    ],
  },
  {
    input: {
      module: 'auth0',
      action: 'sapi',
      actorId: 'auth0|6181ce2b0f293a006d158194',
      actorEmail: 'Nora.Field@example.org',
      actorName: 'Nora Field',
      onBehalfOfId: 'auth0|77a',
      resourceType: 'log-stream',
      resourceId: 'lst_0000000000001269',
      ipAddress: '10.11.12.13',
      requestId: ID,
      data: { after: { 'card.type': 'visa' }, message: 'permission denied' },
    },
    found: [
      'actor:auth0|6181ce2b0f293a006d158194',
      'actor:auth0|*',
      'actor:nora.field@EXAMPLE.org',
      'actor:"nora field"',
      'behalf:auth0|77a',
      'resource:log-stream/lst_*',
      'ip:10.0.0.0/8',
      'ip:::ffff:10.11.12.13',
      `request:${ID.toUpperCase()}`,
      'data.after."card.type":visa',
      '-"nightly" "permission denied" -okta',
    ],
  },
  {
    input: { module: 'billing', action: 'invoices.pay', severity: 'ERROR', data: { amount: 10.5 } },
    found: [
      'action:invoices.*',
      'action:invoices.p*',
      'severity>=ERROR',
      'type:system',
      'actor:none',
      '-actor:nobody -ip:10.0.0.0/8 module:billing',
      'data.amount>10 data.amount<10.6',
      'until:-0m module:billing',
      ['-outcome:denied -type:agent', 1, 2],
      ['client:none', 0, 2],
    ],
  },
];

beforeAll(async () => {
  reel = await startReel();
  token = await person({
    grants: [grant(TENANT, 'reel.logs.view:ACCOUNT'), grant(TENANT, `reel.logs.export:CLIENT:${CLIENT}`)],
  });
  const { body } = await reel.graphql(
    await moduleToken(),
    'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
    { inputs: ENTRIES.map(({ input }) => ({ ...input, tenantId: TENANT })) },
  );
  stored = body.data.createLogs.map(({ id }: { id: string }) => id);
});
afterAll(() => reel.close());

const overGraphql = (query: string, timeZone?: string) =>
  reel.graphql(
    token,
    'query ($query: String, $timeZone: String! = "UTC") { logs(filter: {query: $query}, timeZone: $timeZone) { nodes { id } } }',
    { query, ...(timeZone && { timeZone }) },
  );
const overRest = (query: string, timeZone?: string) =>
  reel.rest(
    token,
    'GET',
    `/logs?${new URLSearchParams({ query, ...(timeZone && { time_zone: timeZone }) })}`,
  );

describe('a query line finds, over GraphQL and REST', () => {
  it.each(
    ENTRIES.flatMap(({ found }, place) =>
      found.map((each): [string, number[]] => {
        const [line, ...others] = typeof each === 'string' ? [each] : each;
        return [line, [place, ...others]];
      }),
    ),
  )('%s', async (line, places) => {
    const expected = new Set(places.map((place) => stored[place]));
    const graphql = (await overGraphql(line)).body.data.logs.nodes as { id: string }[];
    expect(new Set(graphql.map(({ id }) => id))).toEqual(expected);
    const rest = (await overRest(line)).body.items as { id: string }[];
    expect(new Set(rest.map(({ id }) => id))).toEqual(expected);
  });

  it('by its id, and by nothing', async () => {
    const ids = async (line: string) => (await overRest(line)).body.items.map(({ id }: { id: string }) => id);
    expect(await ids(`id:${stored[2]!.toUpperCase()},${randomUUID()}`)).toEqual([stored[2]]);
    expect(new Set(await ids('  '))).toEqual(new Set(stored));
    expect(await ids('severity>CRITICAL')).toEqual([]);
  });

  it('with dates of the time zone that is named', async () => {
    // 17:46 UTC is the 12th in Auckland.
    const line = 'occurred-since:2024-09-12 occurred-until:2024-09-12';
    for (const ask of [overGraphql, overRest]) {
      expect(JSON.stringify((await ask(line)).body)).not.toContain(stored[0]);
      expect(JSON.stringify((await ask(line, 'Pacific/Auckland')).body)).toContain(stored[0]);
    }
  });
});

describe('a query line that is not understood', () => {
  it.each([
    ['module:billing AND action:invoices.pay', 'BOOLEAN_WORD', 15, 3, 'module:billing action:invoices.pay'],
    ['resource_type:invoice', 'UNKNOWN_FIELD', 0, 21, 'resource:invoice'],
    ['module=billing', 'BAD_OPERATOR', 0, 14, 'module:billing'],
    ['NOT module:guardian', 'BOOLEAN_WORD', 0, 3, '-module:guardian'],
    ['!module:x', 'EXCLAMATION_MARK', 0, 9, '-module:x'],
    ['severity!=DEBUG', 'BAD_OPERATOR', 0, 15, '-severity:DEBUG'],
    ['actor.email:a@b.example', 'UNKNOWN_FIELD', 0, 23, 'actor:a@b.example'],
    ['users*:x', 'MISPLACED_WILDCARD', 0, 8, null],
    ['😀 module:bill*ing', 'MISPLACED_WILDCARD', 3, 15, null],
  ])('is answered by no door: %s', async (line, fault, position, length, suggestion) => {
    const ctx = { position, length, fault, ...(suggestion !== null && { suggestion }) };
    const graphql = (await overGraphql(line)).body;
    expect(graphql.data).toBeNull();
    expect(graphql.errors).toHaveLength(1);
    expect(graphql.errors[0].extensions).toMatchObject({ code: 'BAD_USER_INPUT', ...ctx });
    expect('suggestion' in graphql.errors[0].extensions).toBe(suggestion !== null);
    const detail = [
      { type: 'value_error', loc: ['query', 'query'], msg: expect.any(String), input: line, ctx },
    ];
    for (const path of ['/logs', '/logs/stats']) {
      const { status, body } = await reel.rest(
        token,
        'GET',
        `${path}?${new URLSearchParams({ query: line })}`,
      );
      expect({ status, body }).toEqual({ status: 422, body: { detail } });
    }
    const { status, body } = await reel.rest(
      token,
      'POST',
      '/logs/export',
      { filter: { query: line } },
      { 'X-Client-Id': CLIENT },
    );
    expect(status).toBe(422);
    expect(body.detail).toEqual([{ ...detail[0], loc: ['body', 'filter', 'query'] }]);
  });
});
