import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { grant, person, viewer } from '../../support/reel.js';
import { type Fields, idsOf, module, reel, startTrail, WIRES } from '../../support/wires.js';

beforeAll(startTrail);
afterAll(() => reel.close());

/** Two spellings of what people read as the same. */
const PAIRS = [
  ['josé', 'jose\u0301'],
  ['istanbul', 'İSTANBUL'],
  ['password', 'pass\u200bword'],
  ['card declined', 'card\u00a0declined'],
  ['STRASSE', 'straße'],
] as const;

/** Every field that is shown and searched, each with a text that nothing else has. */
const SHOWN: Fields = {
  module: 'Qmodule',
  action: 'Qaction.x',
  resourceType: 'Qtype',
  resourceId: 'Qresource/1',
  resourceName: 'Qcalled Ünit',
  actorId: 'auth0|Qactor',
  actorEmail: 'Qmail@Example.com',
  actorName: 'Qname Souza',
  onBehalfOfId: 'system:Qbehalf',
  onBehalfOfName: 'Qwhose Ítalo',
  userAgent: 'Qagent/1.0 (X11)',
  requestId: 'Qrequest-7',
  ipAddress: '2001:db8:0:0:0:0:0:7',
  data: { Qkey: { inner: ['Qtext "quoted"', 4711.25, true] } },
};
const NEEDLES = [
  ...[
    'QMODULE',
    'qaction.',
    'qtype',
    'RESOURCE/1',
    'QCALLED ünit',
    '|qactor',
    'qmail@EXAMPLE',
    'qname souza',
  ],
  ...['system:qbehalf', 'qwhose ítalo', 'qagent/1.0 (x11)', 'qrequest-7', '2001:db8::7', 'qkey', 'inner'],
  ...['qtext "quoted"', '4711.25', 'true'],
];

describe.each(WIRES)('%s: a search', (name, wire) => {
  const tenantId = randomUUID();
  let token: string;
  let entry: Fields;
  const find = async (search: string) => {
    const { code, value, text } = await wire.list(token, { search });
    expect({ code, text }).toEqual({ code: undefined, text });
    expect(value.total).toBe(value.items.length);
    return idsOf(value.items);
  };
  const create = async (fields: Fields) => {
    const { code, value, text } = await wire.create(module, {
      module: 'guardian',
      action: 'users.update',
      tenantId,
      ...fields,
    });
    expect({ code, text }).toEqual({ code: undefined, text });
    return value;
  };
  beforeAll(async () => {
    token = await viewer(tenantId);
    entry = await create(SHOWN);
  });

  it.each(PAIRS)('for %j finds %j, and the other way round', async (one, other) => {
    for (const [text, term] of [
      [one, other],
      [other, one],
    ] as const) {
      const mark = randomUUID();
      const { id } = await create({ resourceName: `${mark} ${text}`, data: { [mark]: text } });
      expect(await find(term)).toContain(id);
      expect(await find(`${mark} ${term}`)).toEqual([id]);
    }
  });

  it.each(NEEDLES)('finds %j in what the entry shows', async (needle) => {
    expect(await find(needle)).toEqual([entry.id]);
  });

  it('finds an id, and does so once the search index has the entry', async () => {
    expect(await find(String(entry.id).toUpperCase())).toEqual([entry.id]);
    for (let count = 0; count < 16; count += 1) await create({});
    await vi.waitFor(
      async () =>
        expect(
          await reel.own.query('select from reel_log_search where tenant_id = $1', [tenantId]),
        ).not.toEqual([]),
      60_000,
    );
    for (const needle of NEEDLES) expect([needle, await find(needle)]).toEqual([needle, [entry.id]]);
    expect(await find(String(entry.id))).toEqual([entry.id]);
    expect(await find('not written anywhere')).toEqual([]);
  });

  it("shows nobody what they may not see: another tenant's, or another client's", async () => {
    const other = randomUUID();
    expect((await wire.list(await viewer(other), { search: 'qname' })).value.items).toEqual([]);
    const client = randomUUID();
    const of = await person({ grants: [grant(tenantId, `reel.logs.view:CLIENT:${client}`)] });
    expect((await wire.list(of, { search: 'qname' })).value.items).toEqual([]);
    const own = await create({ clientId: client, actorName: 'Qname of the client' });
    expect(idsOf((await wire.list(of, { search: 'qname' })).value.items)).toEqual([own.id]);
  });

  it.each([' ', '\t\n', '\u200b', '\u00ad \u2060'])(
    'for %j is refused: there is nothing to look for',
    async (search) => {
      const { code, text } = await wire.list(token, { search });
      expect([name, code]).toEqual([name, 'BAD_USER_INPUT']);
      expect(text).toContain('search');
    },
  );
});
