import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grant, person, viewer } from '../../support/reel.js';
import { type Fields, module, reel, startTrail, WIRES } from '../../support/wires.js';

const [tenantId, client, invoice] = [randomUUID(), randomUUID(), randomUUID()];
const FOUR_DAYS_AGO = new Date(Date.now() - 4 * 86_400_000).toISOString();
const ENTRIES: Fields[] = [
  { actorName: 'Nora Field', ipAddress: '10.11.12.13:12345', outcome: 'DENIED' },
  { actorEmail: 'Nora.Field@Example.org', ipAddress: '[2001:db8::abcd]:443', outcome: 'FAILURE' },
  { actorId: 'auth0|5f1', occurredAt: FOUR_DAYS_AGO, resourceType: 'invoice', resourceId: invoice },
  { requestId: 'Root=1-67891233-abcdef012345678912345678', resourceId: '/'.repeat(1_024) },
  {
    data: {
      invoice: { amount: 1000.5 },
      items: [{ sku: 'A1' }, { sku: 'B2' }],
      after: { 'card.type': 'visa' },
    },
    action: 'invoices.pay',
  },
];
let stored: Fields[];
let reader: string;

beforeAll(async () => {
  await startTrail();
  stored = [];
  for (const [at, fields] of ENTRIES.entries()) {
    const [, wire] = WIRES[at % 2]!;
    const common = { module: 'guardian', action: 'users.create', tenantId, clientId: client };
    const { value, text } = await wire.create(module, { ...common, ...fields });
    expect(text).toContain(String(value?.id));
    stored.push(value);
  }
  reader = await person({
    grants: ['reel.logs.view:ACCOUNT', `reel.logs.export:CLIENT:${client}`].map((text) =>
      grant(tenantId, text),
    ),
  });
});
afterAll(() => reel.close());

/** Which of the entries are in a list. */
const placesOf = (items: Fields[]) =>
  items.map(({ id }) => stored.findIndex((entry) => entry.id === id)).sort((a, b) => a - b);

describe.each(WIRES)('%s', (_, wire) => {
  it.each<[Fields, number[]]>([
    [{ actorName: 'NORA field' }, [0]],
    [{ actorName: 'Nora' }, []],
    [{ actorEmail: 'nora.field@example.ORG' }, [1]],
    [{ actorId: 'auth0|5f1' }, [2]],
    [{ actorId: 'AUTH0|5f1' }, []],
    [{ actorId: 'auth0|*' }, [2]],
    [{ outcome: 'DENIED' }, [0]],
    [{ outcome: 'SUCCESS' }, []],
    [{ ipAddress: '10.11.12.13' }, [0]],
    [{ ipAddress: '::ffff:10.11.12.13' }, [0]],
    [{ ipAddress: '10.0.0.0/8' }, [0]],
    [{ ipAddress: '[2001:DB8:0:0::abcd]:80' }, [1]],
    [{ occurredUntil: FOUR_DAYS_AGO }, [2]],
    [{ occurredFrom: FOUR_DAYS_AGO, occurredUntil: FOUR_DAYS_AGO }, [2]],
    [{ occurredFrom: new Date(Date.parse(FOUR_DAYS_AGO) + 1).toISOString() }, [0, 1, 3, 4]],
    [{ requestId: 'Root=1-67891233-abcdef012345678912345678' }, [3]],
    [{ resourceId: '/'.repeat(1_024) }, [3]],
    [{ resourceId: invoice.toUpperCase() }, [2]],
    [{ query: '' }, [0, 1, 2, 3, 4]],
    [{ query: 'outcome:failure,denied' }, [0, 1]],
    [{ query: 'outcome:failure,denied', actorName: 'nora field' }, [0]],
    [{ query: 'actor:"Nora Field",auth0|5f1,NORA.FIELD@example.org' }, [0, 1, 2]],
    [{ query: 'actor:none' }, [3, 4]],
    [{ query: '-actor:none -actor:auth0|*' }, [0, 1]],
    [{ query: `resource:invoice/${invoice.slice(0, 8)}*` }, [2]],
    [{ query: '-resource:invoice' }, [0, 1, 3, 4]],
    [{ query: 'ip:[::ffff:10.11.12.13]' }, [0]],
    [{ query: '-ip:10.0.0.0/8' }, [1, 2, 3, 4]],
    [{ query: 'occurred-until:-3d' }, [2]],
    [{ query: 'data.invoice.amount>1000' }, [4]],
    [{ query: 'data.invoice.amount>1000.5' }, []],
    [{ query: 'data.items[*].sku:B2,C3' }, [4]],
    [{ query: '-data.items[*].sku:A1' }, [0, 1, 2, 3]],
    [{ query: 'data.items.0.sku:A1' }, []],
    [{ query: 'data.after."card.type":visa action:invoices*' }, [4]],
    [{ query: 'data.invoice:*' }, [4]],
  ])('finds by %j', async (filter, places) => {
    const { text, value } = await wire.list(reader, filter);
    expect({ text, places: value.items && placesOf(value.items) }).toEqual({ text, places });
    expect(value.total).toBe(places.length);
    const exported = await wire.export(reader, filter, {}, { 'x-client-id': client });
    expect({ text: exported.text, count: exported.value?.recordCount }).toEqual({
      text: exported.text,
      count: places.length,
    });
  });

  it.each<[Fields, RegExp]>([
    [{ ipAddress: '10.0.0' }, /ip_?address.*expected an IP address or a CIDR block/i],
    [{ ipAddress: 'x'.repeat(321) }, /ip_?address.*expected at most 320 characters/i],
    [{ actorName: 'x'.repeat(321) }, /actor_?name.*at most 320 characters/i],
    [{ actorEmail: 'x'.repeat(321) }, /actor_?email.*at most 320 characters/i],
    [{ resourceId: 'x'.repeat(1_025) }, /resource_?id.*at most 1024 characters/i],
    [{ occurredFrom: 'yesterday' }, /occurred_?from/i],
    [{ occurredUntil: '2026-02-30T00:00:00Z' }, /occurred_?until/i],
    [{ query: 'module:a modul:x' }, /query.*"position":9,"length":7.*"UNKNOWN_FIELD".*module:a/i],
    [{ query: 'x '.repeat(1_001) }, /query.*LINE_TOO_LONG/],
  ])('refuses %j by name', async (filter, expected) => {
    for (const answer of [
      await wire.list(reader, filter),
      await wire.export(reader, filter, {}, { 'x-client-id': client }),
    ]) {
      expect(answer.code).toBe('BAD_USER_INPUT');
      expect(answer.text).toMatch(expected);
      expect(answer.text).not.toContain('x'.repeat(201));
    }
  });
});

describe('GraphQL alone', () => {
  const places = async (filter: Fields) => {
    const { body } = await reel.graphql(
      reader,
      'query ($filter: LogFilter) { logs(filter: $filter) { nodes { id } } }',
      { filter },
    );
    expect(body.errors).toBeUndefined();
    return placesOf(body.data.logs.nodes);
  };

  it('takes what REST has no name for', async () => {
    expect(await places({ ids: [String(stored[3]!.id).toUpperCase()] })).toEqual([3]);
    expect(await places({ notActorIds: ['auth0|*'] })).toEqual([0, 1, 3, 4]);
    expect(await places({ actorTypes: ['SYSTEM'] })).toEqual([3, 4]);
    expect(await places({ onBehalfOfId: 'nobody' })).toEqual([]);
    expect(await places({ notIpAddress: '[2001:db8::abcd]' })).toEqual([0, 2, 3, 4]);
    expect(await places({ notSearch: ['visa', 'no such text'] })).toEqual([0, 1, 2, 3]);
    expect(await places({ data: [{ path: 'invoice.amount', op: 'GT', value: '1e3' }] })).toEqual([4]);
    expect(
      await places({
        data: [
          { path: 'items[*].sku', value: 'A1' },
          { path: 'after."card.type"', value: 'visa' },
        ],
      }),
    ).toEqual([4]);
    expect(await places({ data: [{ path: 'invoice', op: 'EXISTS' }] })).toEqual([4]);
    expect(await places({ data: [{ path: 'invoice.amount', op: 'NE', value: '1000.50' }] })).toEqual([
      0, 1, 2, 3,
    ]);
  });
});

describe('the time zone of bare dates in the query line', () => {
  const day = (at: unknown) => String(at).slice(0, 10);
  /** From midnight of that day in a zone a day ahead of all others there is nothing yet, a day behind it all is. */
  const line = () => `since:${day(stored[0]!.createdAt)} until:${day(stored[0]!.createdAt)}`;
  const within = (zoneHours: number) =>
    stored.filter(({ createdAt }) => {
      const local = new Date(Date.parse(String(createdAt)) + zoneHours * 3_600_000).toISOString();
      return day(local) === day(stored[0]!.createdAt);
    }).length;

  it.each([
    ['UTC', 0],
    ['Pacific/Kiritimati', 14],
    ['Etc/GMT+12', -12],
    ['+05:30', 5.5],
  ])('%s, in lists, statistics and exports of either API', async (zone, hours) => {
    const expected = within(hours);
    const { body } = await reel.graphql(
      reader,
      `query ($filter: LogFilter, $zone: String!) {
        logs(filter: $filter, timeZone: $zone) { totalCount { value } }
        logStats(filter: $filter, timeZone: $zone) { totalEntries }
      }`,
      { filter: { query: line() }, zone },
    );
    expect(body.data).toEqual({
      logs: { totalCount: { value: expected } },
      logStats: { totalEntries: expected },
    });
    const prepared = await reel.graphql(
      reader,
      'mutation ($input: ExportLogsInput!) { exportLogs(input: $input) { recordCount } }',
      { input: { filter: { query: line() }, timeZone: zone } },
      { 'x-client-id': client },
    );
    expect(prepared.body.data).toEqual({ exportLogs: { recordCount: expected } });
    const query = new URLSearchParams({ query: line(), time_zone: zone });
    expect((await reel.rest(reader, 'GET', `/logs?${query}`)).body.total).toBe(expected);
    expect((await reel.rest(reader, 'GET', `/logs/stats?${query}`)).body.total_entries).toBe(expected);
    for (const input of [
      { filter: { query: line(), time_zone: zone } },
      { filter: { query: line() }, time_zone: zone },
    ]) {
      const answer = await reel.rest(reader, 'POST', '/logs/export', input, { 'x-client-id': client });
      expect(answer.body.record_count).toBe(expected);
    }
  });

  it('that is none is refused by name, without a query line too', async () => {
    for (const field of ['logs { nodes { id } }', 'logStats { totalEntries }']) {
      const [name = '', rest] = field.split(/(?= )/, 2);
      const text = field.replace(name, `${name}(timeZone: "Mars/Olympus")`);
      const { body } = await reel.graphql(reader, `{ ${text} }`);
      expect([rest, body.errors?.[0]]).toMatchObject([
        rest,
        { message: expect.stringContaining('timeZone'), extensions: { code: 'BAD_USER_INPUT' } },
      ]);
    }
    for (const path of ['/logs', '/logs/stats']) {
      const { status, body } = await reel.rest(reader, 'GET', `${path}?time_zone=Mars/Olympus`);
      expect([status, body.detail[0].loc]).toEqual([422, ['query', 'time_zone']]);
    }
    const { status, body } = await reel.rest(
      reader,
      'POST',
      '/logs/export',
      { time_zone: 'x' },
      { 'x-client-id': client },
    );
    expect([status, body.detail[0].loc]).toEqual([422, ['body', 'time_zone']]);
  });
});

it('every fault of a REST request stands in its answer, that of the query line with its place and mend', async () => {
  const query = 'query=modul:a&ip_address=x&time_zone=y&severity=z&outcome=failure&actor=q';
  const { status, body } = await reel.rest(await viewer(tenantId), 'GET', `/logs?${query}`);
  expect(status).toBe(422);
  const faults = body.detail as { type: string; loc: string[]; ctx?: unknown }[];
  expect(faults.map(({ type, loc }) => `${loc.join('.')} ${type}`).sort()).toEqual([
    'query.actor extra_forbidden',
    'query.ip_address value_error',
    'query.outcome enum',
    'query.query value_error',
    'query.severity enum',
    'query.time_zone value_error',
  ]);
  expect(faults.find(({ loc }) => loc[1] === 'query')?.ctx).toEqual({
    position: 0,
    length: 7,
    fault: 'UNKNOWN_FIELD',
    suggestion: 'module:a',
  });
});
