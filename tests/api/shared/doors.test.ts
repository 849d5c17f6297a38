import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOORS, type Door, type Members } from '../../support/doors.js';
import { moduleToken, person, startReel, type TestReel, viewer } from '../../support/reel.js';

let reel: TestReel;
let token: string;
beforeAll(async () => {
  reel = await startReel();
  token = await moduleToken();
});
afterAll(() => reel.close());

/** An entry of the tenant, with these members instead or besides. */
const entry = (tenant: string, ...more: Members): Members => [
  ['tenantId', `"${tenant}"`],
  ['module', '"billing"'],
  ['action', '"invoices.pay"'],
  ...more,
];
const total = async (tenant: string) =>
  (await reel.rest(await viewer(tenant), 'GET', '/logs')).body.total as number;

/** An entry between two that are well; the two are stored, or not, as the door has it. */
async function between(door: Door, faulty: (tenant: string) => Members, isJsonFault: boolean) {
  const tenant = randomUUID();
  const [before, answer, after] = await door.write(reel, token, [
    entry(tenant),
    faulty(tenant),
    entry(tenant),
  ]);
  const areStored =
    door.neighbours === 'stored' ||
    door.neighbours === 'none' ||
    (door.neighbours === 'refused for JSON' && !isJsonFault);
  for (const each of [before!, after!]) expect(each.code === undefined).toBe(areStored);
  expect(await total(tenant)).toBe(areStored ? 2 : 0);
  return answer!;
}

describe.each(DOORS)('$name', (door) => {
  it.each(['9999999999999.9999', '1e21', '5e-324', '123456789012345678'])(
    'refuses the number %s, which no double holds, at its place as it was written',
    async (number) => {
      const { code, text } = await between(
        door,
        (tenant) => entry(tenant, ['data', `{"v":${number}}`]),
        false,
      );
      expect(code).toBe('BAD_USER_INPUT');
      expect(text).toContain(
        `data.v: expected a number that a double holds as written (send it as text), got ${number}`,
      );
    },
  );

  it('keeps such numbers as text where repair is asked for, and all others as they were sent', async () => {
    const tenant = randomUUID();
    const [mended, kept] = await door.write(reel, token, [
      entry(tenant, ['data', '{"v":[9999999999999.9999,1e21,1]}'], ['repair', 'true']),
      entry(tenant, ['data', '{"v":[0.1,1.10,-0,1E2,9007199254740991]}']),
    ]);
    expect(mended!.entry).toMatchObject({
      data: { v: ['9999999999999.9999', '1e21', 1] },
      repaired: ['data'],
    });
    expect(kept!.entry).toMatchObject({ data: { v: [0.1, 1.1, 0, 100, 9007199254740991] }, repaired: [] });
  });

  it.each<[string, Members, string]>([
    ['in data', [['data', '{"amount":100,"amount":1}']], 'amount'],
    ['in data by another spelling', [['data', '{"amount":100,"amou\\u006et":1}']], 'amount'],
    ['in an entry', [['action', '"other"']], 'action'],
    ['in an entry by another spelling', [['acti\\u006fn', '"other"']], 'action'],
  ])('refuses a name that stands twice %s, with repair too', async (_, members, name) => {
    for (const repair of ['false', 'true']) {
      const { code, text } = await between(
        door,
        (tenant) => entry(tenant, ...members, ['repair', repair]),
        true,
      );
      expect(code).toBe('BAD_USER_INPUT');
      expect(text).toContain(name);
    }
  });

  it('refuses what it does not know instead of dropping it', async () => {
    const { code, text } = await between(door, (tenant) => entry(tenant, ['resourceTyp', '"invoice"']), true);
    expect(code).toBe('BAD_USER_INPUT');
    expect(text).toMatch(/did you mean [\\"]*resource(T|_t)ype/i);
  });

  it('stores what an attacker would have refused, and says what was mended', async () => {
    const tenant = randomUUID();
    const answers = await door.write(reel, token, [
      entry(tenant),
      entry(
        tenant,
        ['repair', 'true'],
        ['actorName', '"bob\\u0000"'],
        ['userAgent', `"${'u'.repeat(5_000)}"`],
        ['resourceId', `"${'r'.repeat(2_000)}"`],
        ['data', `{"a":"${'x'.repeat(100_000)}"}`],
      ),
      entry(tenant, ['repair', 'true'], ['actorId', '"ana@example.com"'], ['ipAddress', '"nowhere"']),
      entry(tenant),
    ]);
    expect(answers.map(({ code, text }) => code && text)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    const [, mended, moved] = answers;
    expect(mended!.entry).toMatchObject({
      actorName: 'bob\ufffd',
      userAgent: `${'u'.repeat(999)}…`,
      resourceId: `${'r'.repeat(1_023)}…`,
      data: { _truncated: true, _bytes: 100_008 },
      repaired: ['actor_name', 'data', 'resource_id', 'user_agent'],
    });
    expect(moved!.entry).toMatchObject({
      actorId: null,
      actorEmail: 'ana@example.com',
      ipAddress: null,
      repaired: ['actor_id', 'ip_address'],
    });
  });

  it('invents nothing, and takes an address in any spelling', async () => {
    const tenant = randomUUID();
    const [plain, addressed] = await door.write(reel, token, [
      entry(tenant),
      entry(tenant, ['ipAddress', '"[2001:DB8::ABCD]:443"'], ['occurredAt', '"2026-01-05T12:00:00.1+02:00"']),
    ]);
    expect(plain!.entry).toMatchObject({
      ipAddress: null,
      userAgent: null,
      requestId: null,
      actorType: 'SYSTEM',
    });
    expect(plain!.entry.occurredAt).toBe(plain!.entry.createdAt);
    expect(addressed!.entry).toMatchObject({
      ipAddress: '2001:db8::abcd',
      occurredAt: '2026-01-05T10:00:00.100000Z',
    });
  });

  it("is closed to the name of Reel's own and what looks like it", async () => {
    for (const name of ['reel', 'rеel', 'REEL']) {
      const { code } = await between(
        door,
        (tenant) => [
          ['tenantId', `"${tenant}"`],
          ['module', `"${name}"`],
          ['action', '"a"'],
        ],
        false,
      );
      expect(code).toBe('FORBIDDEN');
    }
  });

  it('stores the same key once, also beside others', async () => {
    const tenant = randomUUID();
    const key = ['idempotencyKey', `"${randomUUID()}"`] as const;
    const [first, again] = await door.write(reel, token, [
      entry(tenant, key),
      entry(tenant, key),
      entry(tenant),
    ]);
    expect(again!.entry.id).toBe(first!.entry.id);
    const { code } = await between(door, () => entry(tenant, key, ['resourceId', '"other"']), false);
    expect(code).toBe('CONFLICT');
    expect(await total(tenant)).toBe(2);
  });
});

it('is closed to people where many are written at once', async () => {
  const tenant = randomUUID();
  const ana = await person({ tenants: [tenant] });
  for (const door of DOORS.filter(({ neighbours }) => neighbours !== 'none')) {
    const [answer] = await door.write(reel, ana, [entry(tenant)]);
    expect([door.name, answer!.code]).toEqual([door.name, 'FORBIDDEN']);
  }
});
