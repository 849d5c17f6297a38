import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LogEntry } from '../../src/log/entry/log-entry.entity.js';
import { LogOrigin } from '../../src/log/entry/origin.js';
import { searchNeedle, searchText } from '../../src/log/entry/search-text.js';
import { LogSeverity, SEVERITIES } from '../../src/log/entry/severity.js';
import { type Condition, toCriteria } from '../../src/log/filter/criteria.js';
import type { LogFilter } from '../../src/log/filter/log-filter.js';
import { LogOrder } from '../../src/log/read/page.js';
import { tell } from '../../src/log/read/reader.js';
import { openTrail, type Trail } from '../support/trail.js';

let trail: Trail;
const NOW = new Date();
const tenantId = randomUUID();
const clients = [randomUUID(), randomUUID()];
const actors = [randomUUID(), randomUUID(), randomUUID()];
const requests = [randomUUID(), randomUUID()];
const emails = ['ana@example.com', 'ANA@example.com', 'Ünal@example.com'];
const addresses = ['10.0.0.1', '10.200.3.4', '192.168.1.1', '2001:db8::1', '::ffff:10.0.0.1'];
const modules = ['guardian', 'aurora', 'billing'];
const actions = ['users', 'users.', 'users.create', 'users.create.bulk', 'usersx', 'users/x', '*', 'a.*'];
const payloads = [
  { note: 'Größe STRASSE', n: 1.5 },
  { nested: [{ deep: 'ΟΔΟΣ' }, true, null], '100%': 'a_b' },
  { note: 'line\nbreak "quoted" \\ back' },
  null,
];
let entries: LogEntry[];

beforeAll(async () => {
  trail = await openTrail();
  const pick = <T>(list: readonly T[], index: number): T => list[index % list.length]!;
  entries = [];
  for (let index = 0; index < 240; index += 1) {
    const maybe = <T>(value: T, every: number) => (index % every === 0 ? null : value);
    const person = index % 7 === 3;
    const common = {
      module: pick(modules, index),
      action: pick(actions, index * 5 + Math.floor(index / 8)),
      severity: pick(SEVERITIES, index * 3 + Math.floor(index / 11)),
      clientId: maybe(pick(clients, index >> 1), 3),
      resourceType: maybe(pick(['user', 'invoice'], index), 4),
      resourceId: maybe(pick(['42', 'A/7', '6BA7B810-9DAD-11D1-80B4-00C04FD430C8'], index >> 2), 5),
      data: pick(payloads, index),
      requestId: maybe(pick(requests, index), 6),
    };
    entries.push(
      person
        ? await trail.service.create(
            {
              kind: 'person',
              subject: randomUUID(),
              requestId: null,
              id: actors[0]!,
              email: 'ana@example.com',
              name: null,
              tenantId,
              clients: null,
              ip: '10.9.9.9',
              agent: 'x',
            },
            common,
          )
        : await trail.service.log({
            ...common,
            tenantId,
            actorId: maybe(pick(actors, index), 4),
            actorEmail: maybe(pick(emails, index), 5),
            ipAddress: maybe(pick(addresses, index), 6),
          }),
    );
    if (index === 150) await trail.sequencer.catchUp(tenantId);
  }
  await trail.service.log({
    module: 'guardian',
    action: 'users.create',
    tenantId: randomUUID(),
    data: payloads[0],
  });
});
afterAll(() => trail?.close());

/** What the contract says of each condition, over entries in memory. */
function matches(filter: LogFilter, entry: LogEntry): boolean {
  const any = <T>(list: T[] | null | undefined, test: (item: T) => boolean) =>
    !list?.length || list.some(test);
  const action = (pattern: string) =>
    pattern.endsWith('*') ? entry.action.startsWith(pattern.slice(0, -1)) : entry.action === pattern;
  // A final sigma is a sigma: without that, case would depend on a letter's neighbours.
  const fold = (text: string) => text.toLowerCase().replaceAll('ς', 'σ');
  const inBlock = (block: string) => {
    if (block === '10.0.0.0/8') return entry.ipAddress?.startsWith('10.') ?? false;
    if (block === '::/0') return entry.ipAddress?.includes(':') ?? false;
    return entry.ipAddress === block;
  };
  return (
    (!filter.startDate || entry.createdAt >= filter.startDate) &&
    (!filter.endDate || entry.createdAt <= filter.endDate) &&
    any(filter.modules, (item) => entry.module === item) &&
    !filter.notModules?.includes(entry.module) &&
    any(filter.actions, action) &&
    !filter.notActions?.some(action) &&
    any(filter.severities, (item) => entry.severity === item) &&
    (!filter.minSeverity || SEVERITIES.indexOf(entry.severity) >= SEVERITIES.indexOf(filter.minSeverity)) &&
    (!filter.origin || entry.origin === filter.origin) &&
    any(filter.actorIds, (item) => entry.actorId === item) &&
    (!filter.actorEmail || fold(entry.actorEmail ?? '') === fold(filter.actorEmail)) &&
    (!filter.resourceType || entry.resourceType === filter.resourceType) &&
    (!filter.resourceId || entry.resourceId?.toLowerCase() === filter.resourceId.toLowerCase()) &&
    (!filter.clientId || entry.clientId === filter.clientId) &&
    (!filter.requestId || entry.requestId === filter.requestId) &&
    (!filter.ipAddress || inBlock(filter.ipAddress)) &&
    (!filter.search || searchText(entry).includes(searchNeedle(filter.search)))
  );
}

const some = <T>(values: readonly T[], most = 2) =>
  fc.uniqueArray(fc.constantFrom(...values), { maxLength: most });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 3 });
const instants = fc.integer({ min: 0, max: 239 }).map((index) => entries[index]!.createdAt);
const filters = (): fc.Arbitrary<LogFilter> =>
  fc
    .record(
      {
        startDate: fc.constant(0).chain(() => instants),
        endDate: fc.constant(0).chain(() => instants),
        modules: some(modules),
        notModules: some(modules, 1),
        actions: some([...actions, 'users.*', 'users.create.*', 'users*', 'a.*.*']),
        notActions: some(['users.*', '*', 'users']),
        severities: some(SEVERITIES, 3),
        minSeverity: fc.constantFrom(...SEVERITIES),
        origin: fc.constantFrom(LogOrigin.MODULE, LogOrigin.BROWSER),
        actorIds: some([...actors, randomUUID()]),
        actorEmail: fc.constantFrom('ANA@EXAMPLE.COM', 'ünal@example.com', 'ana@example'),
        resourceType: fc.constantFrom('user', 'User', 'invoice'),
        resourceId: fc.constantFrom(
          '42',
          'A/7',
          '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
          '6BA7B810-9DAD-11D1-80B4-00C04FD430C8',
        ),
        clientId: fc.constantFrom(...clients),
        requestId: fc.constantFrom(...requests),
        ipAddress: fc.constantFrom('10.0.0.0/8', '10.0.0.1', '::/0', '2001:DB8::1'.toLowerCase()),
        search: fc.constantFrom(
          'größe',
          'GRÖSSE',
          'strasse',
          'σ',
          'δοσ',
          'ΔΟ',
          '1.5',
          'tru',
          '100%',
          '%',
          '_',
          'n',
          'line\nbreak',
          '"quoted"',
          '\\',
          'note line',
        ),
      },
      { requiredKeys: [] },
    )
    .map((filter) => {
      // Few conditions at a time, or nothing would match.
      const names = Object.keys(filter) as (keyof LogFilter)[];
      return Object.fromEntries(
        names
          .filter((_, index) => (index * 7 + names.length) % 5 < 2)
          .map((name) => [name, (filter as LogFilter)[name]]),
      );
    });

const scopes = maybe(some(clients, 2)).map((granted) => ({
  tenantId,
  clients: granted && granted.length > 0 ? granted : null,
}));
const visible = (scope: { clients: string[] | null }, filter: LogFilter) =>
  entries.filter(
    (entry) =>
      (scope.clients === null || (entry.clientId !== null && scope.clients.includes(entry.clientId))) &&
      matches(filter, entry),
  );

test('every filter finds what the same conditions find in memory, and counts it', async () => {
  await fc.assert(
    fc.asyncProperty(
      filters(),
      scopes,
      fc.constantFrom(LogOrder.NEWEST_FIRST, LogOrder.OLDEST_FIRST),
      async (filter, scope, orderBy) => {
        const expected = visible(scope, filter).map((entry) => entry.id);
        if (orderBy === LogOrder.NEWEST_FIRST) expected.reverse();
        const page = await trail.reader.list(toCriteria(scope, filter, NOW), { first: 100, orderBy });
        expect(page.entries.map((entry) => entry.id)).toEqual(expected.slice(0, 100));
        expect(page.hasNextPage).toBe(expected.length > 100);
        expect(await trail.reader.count(toCriteria(scope, filter, NOW), 'exact')).toEqual({
          value: expected.length,
          precision: 'EXACT',
        });
      },
    ),
    { numRuns: 100 },
  );
});

test('pages by cursor, forwards and backwards, and by number show the same list', async () => {
  await fc.assert(
    fc.asyncProperty(
      filters(),
      scopes,
      fc.integer({ min: 1, max: 40 }),
      fc.boolean(),
      async (filter, scope, size, newest) => {
        const orderBy = newest ? LogOrder.NEWEST_FIRST : LogOrder.OLDEST_FIRST;
        const expected = visible(scope, filter).map((entry) => entry.id);
        if (newest) expected.reverse();
        const forwards: string[] = [];
        for (let after: string | null = null; ; ) {
          const page = await trail.reader.list(toCriteria(scope, filter, NOW), {
            first: size,
            after,
            orderBy,
          });
          expect(await tell(page.hasPreviousPage)).toBe(forwards.length > 0);
          forwards.push(...page.entries.map((entry) => entry.id));
          if (!page.hasNextPage) break;
          after = forwards.at(-1)!;
        }
        const backwards: string[] = [];
        for (let before: string | null = null; ; ) {
          const page = await trail.reader.list(toCriteria(scope, filter, NOW), {
            last: size,
            before,
            orderBy,
          });
          expect(await tell(page.hasNextPage)).toBe(backwards.length > 0);
          backwards.unshift(...page.entries.map((entry) => entry.id));
          if (!page.hasPreviousPage) break;
          before = backwards[0]!;
        }
        const numbered: string[] = [];
        for (let page = 1; ; page += 1) {
          const { entries: found, hasNextPage } = await trail.reader.list(toCriteria(scope, filter, NOW), {
            first: size,
            page,
            orderBy,
          });
          numbered.push(...found.map((entry) => entry.id));
          if (!hasNextPage) break;
        }
        expect(forwards).toEqual(expected);
        expect(backwards).toEqual(expected);
        expect(numbered).toEqual(expected);
      },
    ),
    { numRuns: 40 },
  );
});

test('the query line and the fields of a filter must both hold', async () => {
  const scope = { tenantId, clients: null };
  const expected = entries.filter(
    (entry) =>
      entry.module === 'guardian' &&
      entry.severity !== LogSeverity.DEBUG &&
      entry.action.startsWith('users.'),
  );
  const both = { modules: ['guardian', 'aurora'], query: 'module:guardian severity>=info action:users.*' };
  const found = await trail.reader.list(toCriteria(scope, both, NOW), { first: 100 });
  expect(found.entries.map((entry) => entry.id)).toEqual(expected.map((entry) => entry.id).reverse());
});

test.each<[string, Omit<Condition, 'negated'>, (entry: LogEntry) => boolean]>([
  [
    'ids',
    { anyOf: actors.slice(1).map((id) => [{ field: 'actorId', is: id }]) },
    (entry) => actors.slice(1).some((id) => id === entry.actorId),
  ],
  [
    'beginnings and whole values',
    {
      anyOf: [
        [{ field: 'resourceId', is: '42' }],
        [{ field: 'resourceId', prefix: 'A/' }],
        [{ field: 'resourceId', prefix: 'none' }],
      ],
    },
    (entry) => entry.resourceId === '42' || entry.resourceId === 'A/7',
  ],
  [
    'addresses',
    { anyOf: [[{ field: 'ipAddress', between: ['10.0.0.0', '10.255.255.255'] }]] },
    (entry) => entry.ipAddress?.startsWith('10.') ?? false,
  ],
  ['a text', { anyOf: [[{ contains: 'note' }]] }, (entry) => entry.data !== null && 'note' in entry.data],
  [
    'severities',
    { anyOf: [[{ field: 'severity', is: 'DEBUG' }], [{ field: 'severity', atLeast: 'ERROR' }]] },
    (entry) => ['DEBUG', 'ERROR', 'CRITICAL'].includes(entry.severity),
  ],
])(
  'a condition on %s, and its negation, which matches entries without a value',
  async (_name, condition, holds) => {
    for (const negated of [false, true]) {
      const conditions = [{ ...condition, negated }];
      const criteria = { scope: { tenantId, clients: null }, conditions, start: null, end: null };
      const expected = entries.filter((entry) => holds(entry) !== negated);
      expect(expected.length).toBeGreaterThan(0);
      const found = await trail.reader.list(criteria, { first: 1_000, orderBy: LogOrder.OLDEST_FIRST });
      expect(found.entries.map((entry) => entry.id)).toEqual(expected.map((entry) => entry.id));
    }
  },
);

describe('related entries', () => {
  test('are found by request, oldest first, in one statement for several', async () => {
    const found = await trail.reader.byRequests({ tenantId, clients: null }, requests, 6);
    for (const request of requests)
      expect(found.get(request)?.map((entry) => entry.id)).toEqual(
        entries
          .filter((entry) => entry.requestId === request)
          .slice(0, 6)
          .map((entry) => entry.id),
      );
  });
});
