import { randomUUID } from 'node:crypto';
import { MikroORM } from '@mikro-orm/postgresql';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { getReelService } from '../../../src/log/embed.js';
import type { LogInput } from '../../../src/log/service.js';
import { isHeld } from '../../../src/query-line/number.js';
import { guarded, readCsv } from '../../support/csv.js';
import { byCamel, DOORS, FIELDS, type Fields, type Members } from '../../support/doors.js';
import { grant, moduleToken, person, startReel, type TestReel } from '../../support/reel.js';
import { snake } from '../../support/wires.js';

/** What goes in by any way comes out the same by every way. */

let reel: TestReel;
let orm: MikroORM;
let token: string;
beforeAll(async () => {
  reel = await startReel({ REEL_AUDIT_READS: 'off' });
  token = await moduleToken();
  orm = await MikroORM.init({
    clientUrl: reel.own.runtimeUrl,
    entities: [],
    discovery: { warnWhenNoEntities: false },
    logger: () => {},
  });
});
afterAll(async () => {
  await orm?.close(true);
  await reel?.close();
});

const storable = (text: string) => text.toWellFormed().replaceAll('\0', '');
const text = (maxLength: number) =>
  fc
    .oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength }),
      fc.constantFrom('=1+1', '-5', '+49 30', "'", '"a";\r\nb', '@x', ' ', '00012', 'İ', 'ﬁ', '\u202e', '𝕏'),
    )
    .map(storable)
    .filter((value) => value !== '');
const id = (maxLength: number) =>
  fc
    .oneof(fc.uuid(), text(maxLength))
    .filter((value) => !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value) && value === value.toLowerCase());
const name = fc.stringMatching(/^m[a-z0-9._-]{0,20}[a-z]$/);
/** JSON as it may be stored. */
const stored = (value: unknown): unknown => {
  if (typeof value === 'number') return isHeld(value) ? value + 0 : 0;
  if (typeof value === 'string') return storable(value);
  if (Array.isArray(value)) return value.map(stored);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [storable(key), stored(each)]));
};
const data = fc
  .dictionary(
    fc.oneof(fc.string({ unit: 'binary', maxLength: 10 }), fc.constantFrom('__proto__', 'a.b', '=x', '')),
    fc.oneof(fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }), fc.double({ noNaN: true })),
    { maxKeys: 6 },
  )
  .map((value) => stored(value) as Fields);
const instant = fc
  .tuple(
    fc.date({
      min: new Date('2001-01-01T00:00:00Z'),
      max: new Date('2026-01-01T00:00:00Z'),
      noInvalidDate: true,
    }),
    fc.integer({ min: 0, max: 999 }),
  )
  .map(([date, micros]) => `${date.toISOString().slice(0, 23)}${String(micros).padStart(3, '0')}Z`);

const record: fc.Arbitrary<Fields> = fc.record(
  {
    module: name,
    action: name,
    severity: fc.constantFrom('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'),
    actorId: id(50),
    actorEmail: text(60),
    actorName: text(60),
    actorType: fc.constantFrom('USER', 'SERVICE', 'AGENT', 'SYSTEM', 'ANONYMOUS'),
    onBehalfOfId: id(50),
    onBehalfOfName: text(60),
    resourceType: text(50),
    resourceId: id(80),
    resourceName: text(60),
    outcome: fc.constantFrom('SUCCESS', 'FAILURE', 'DENIED'),
    data,
    ipAddress: fc.constantFrom('203.0.113.7', '2001:db8::7', '::1', 'fe80::1'),
    userAgent: text(80),
    requestId: id(60),
    occurredAt: instant,
  },
  { requiredKeys: ['module', 'action'] },
);

const isActor = ({ actorId, actorEmail, actorName }: Fields) => actorId ?? actorEmail ?? actorName;
const expected = (said: Fields, { id, createdAt }: Fields): Fields => ({
  ...Object.fromEntries(FIELDS.map((field) => [field, null])),
  severity: 'INFO',
  origin: 'MODULE',
  repaired: [],
  occurredAt: createdAt,
  ...said,
  actorType: said.actorType ?? (isActor(said) === undefined ? 'SYSTEM' : 'USER'),
  id,
  createdAt,
});
const same = (fields: Fields) =>
  canonicalize(Object.fromEntries(FIELDS.map((field) => [field, fields[field] ?? null])));

async function exportAs(reader: string, client: string, format: string): Promise<string> {
  const body = { format, all_fields: true, include_data: true };
  const prepared = await reel.rest(reader, 'POST', '/logs/export', body, { 'x-client-id': client });
  return (await fetch(reel.url + prepared.body.download_url)).text();
}

it('comes out as it went in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 4, maxLength: 8 }), async (records) => {
      const [tenantId, clientId] = [randomUUID(), randomUUID()];
      const wanted = new Map<string, Fields>();
      const said = records.map((each): Fields => ({ ...each, tenantId, clientId }));
      for (const door of DOORS) {
        const members = said.map((each) =>
          Object.entries(each).map(([field, value]) => [field, JSON.stringify(value)] as const),
        );
        const answers = await door.write(reel, token, members as Members[]);
        for (const [index, { code, text, entry }] of answers.entries()) {
          expect({ code, text }).toEqual({ code: undefined, text: '' });
          const want = expected(said[index]!, entry);
          expect(same(entry)).toBe(same(want));
          wanted.set(String(entry.id), want);
        }
      }
      const service = getReelService(orm.em.fork());
      const inputs = said as unknown as LogInput[];
      const logged = [await service.log(inputs[0]!)];
      for (const result of await service.writeLogs(inputs.slice(1)))
        if ('entry' in result) logged.push(result.entry);
      expect(logged).toHaveLength(said.length);
      for (const [index, entry] of logged.entries()) {
        const want = expected(said[index]!, entry as unknown as Fields);
        expect(same({ ...entry })).toBe(same(want));
        wanted.set(entry.id, want);
      }

      const reader = await person({
        grants: [
          grant(tenantId, 'reel.logs.view:ACCOUNT'),
          grant(tenantId, `reel.logs.export:CLIENT:${clientId}`),
        ],
      });
      const hold = (found: Fields[]) => {
        expect(found.map(({ id }) => id).sort()).toEqual([...wanted.keys()].sort());
        for (const entry of found) expect(same(entry)).toBe(same(wanted.get(String(entry.id))!));
      };
      const graphql = await reel.graphql(reader, `{ logs(first: 100) { nodes { ${FIELDS.join(' ')} } } }`);
      hold(graphql.body.data.logs.nodes);
      const list = await reel.rest(reader, 'GET', '/logs?page_size=100');
      hold(list.body.items.map(byCamel));
      const lines = (await exportAs(reader, clientId, 'ndjson')).trimEnd().split('\n');
      const exported = lines.map((line) => JSON.parse(line) as Fields);
      hold(exported.map(byCamel));
      const { logs } = JSON.parse(await exportAs(reader, clientId, 'json')) as { logs: Fields[] };
      hold(logs.map(byCamel));
      const [columns, ...rows] = readCsv(await exportAs(reader, clientId, 'csv'));
      expect(columns).toEqual(expect.arrayContaining(FIELDS.map(snake)));
      for (const [index, row] of rows.entries())
        for (const [at, column] of columns!.entries()) {
          const value = exported[index]![column];
          const plain =
            value === null || value === undefined
              ? ''
              : Array.isArray(value)
                ? value.join(' ')
                : typeof value === 'object'
                  ? JSON.stringify(value)
                  : String(value);
          expect([column, row[at]]).toEqual([column, guarded(plain)]);
        }
      expect(rows).toHaveLength(wanted.size);
    }),
    { numRuns: 5 },
  );
}, 120_000);
