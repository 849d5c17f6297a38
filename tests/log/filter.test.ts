import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ACTOR_TYPES } from '../../src/log/entry/actor-type.js';
import type { CreateLogInput } from '../../src/log/entry/create-log-input.js';
import { OUTCOMES } from '../../src/log/entry/outcome.js';
import { SEVERITIES } from '../../src/log/entry/severity.js';
import { type Criteria, type Test, toCriteria } from '../../src/log/filter/criteria.js';
import type { DataCondition } from '../../src/log/filter/data-condition.js';
import { nameTest } from '../../src/log/filter/field-conditions.js';
import type { LogFilter } from '../../src/log/filter/log-filter.js';
import { whereAll } from '../../src/log/filter/where.js';
import { isMatch, type Shown } from '../support/filter-oracle.js';
import { storeFirstVersion } from '../support/first-version.js';
import { openTrail, type Trail } from '../support/trail.js';

const NOW = new Date();
const tenantId = randomUUID();
const SCOPE = { tenantId, clients: null };
const UUIDS = [randomUUID(), randomUUID()] as const;
const IDS = [
  'auth0|5f1',
  'auth0|5f2',
  'auth0',
  'system:serviceaccount:ci:build',
  'a\ud7ffb',
  'a\ue000',
  'a*',
  ...UUIDS,
];
const NAMES = ['Ana Souza', 'ANA SOUZA', 'ﬁona', 'Ünal', 'auth0'];
const EMAILS = ['ana@example.com', 'ANA@example.com', 'Ünal@example.com'];
const ADDRESSES = ['10.0.0.1', '10.200.3.4', '192.168.1.1', '2001:db8::1', '2001:db8::abcd', 'fe80::1'];
const ACTIONS = ['users', 'users.', 'users.create', 'users.create.bulk', 'usersx', 'users/x', '*', 'a.*'];
const AGO = [0, 1, 4, 90].map((days) => new Date(NOW.getTime() - days * 86_400_000).toISOString());

const scalars = fc.constantFrom<unknown>(
  1000,
  999.5,
  1.1,
  -3,
  0,
  1e-7,
  '1000',
  '999',
  '1.10',
  'abc',
  '',
  'true',
  'null',
  'É😀',
  '\uffee',
  true,
  false,
  null,
);
const { value: values } = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, scalars, fc.array(tie('value'), { maxLength: 3 }), tie('object')),
  object: fc.dictionary(fc.constantFrom('a', 'b', '0', 'card.type', 'x y'), tie('value'), { maxKeys: 3 }),
}));
const data = fc.dictionary(fc.constantFrom('a', 'b', '0', 'card.type'), values, { maxKeys: 3 });

const maybe = <T>(...list: readonly T[]) => fc.option(fc.constantFrom(...list), { freq: 2 });
const inputs: fc.Arbitrary<CreateLogInput & { tenantId: string }> = fc.record({
  tenantId: fc.constant(tenantId),
  module: fc.constantFrom('guardian', 'aurora', 'Aurora'),
  action: fc.constantFrom(...ACTIONS),
  severity: fc.constantFrom(...SEVERITIES),
  actorId: maybe(...IDS, UUIDS[0].toUpperCase()),
  actorEmail: maybe(...EMAILS),
  actorName: maybe(...NAMES),
  onBehalfOfId: maybe(...IDS),
  clientId: maybe(...UUIDS),
  resourceType: maybe('user', 'invoice', 'Microsoft.Web/sites'),
  resourceId: maybe('42', 'A/7', ...UUIDS),
  requestId: maybe(...IDS),
  ipAddress: maybe(...ADDRESSES, '::ffff:10.0.0.1', '[2001:db8::abcd]:443'),
  occurredAt: maybe(...AGO.slice(1)),
  data: fc.option(data, { freq: 8 }),
});
const later = fc.record({ actorType: maybe(...ACTOR_TYPES), outcome: maybe(...OUTCOMES) });

let trail: Trail;
let entries: Shown[];
let stored: string[];

beforeAll(async () => {
  trail = await openTrail();
  const drawn = fc.sample(inputs, { numRuns: 300, seed: 7 });
  await storeFirstVersion(trail.database, drawn.slice(0, 60));
  const extras = fc.sample(later, { numRuns: 240, seed: 7 });
  for (const [at, input] of drawn.slice(60).entries()) {
    const { actorType, outcome } = extras[at]!;
    await trail.service.log({ ...input, outcome, ...(actorType && { actorType }) });
  }
  const found = await trail.reader.list(toCriteria(SCOPE, null, NOW), { first: 1_000 });
  entries = found.entries.map((entry) => JSON.parse(JSON.stringify(entry)) as Shown);
  stored = entries.map(({ id }) => id);
  expect(stored).toHaveLength(300);
});
afterAll(() => trail?.close());

async function idsFor(criteria: Criteria): Promise<string[]> {
  const rows = await trail.database.read(tenantId, (execute) =>
    execute<{ id: string }>(
      sql`select id from reel_log_entries where ${whereAll(criteria)} order by id desc`,
    ),
  );
  return rows.map(({ id }) => id);
}

const some = <T>(...list: readonly T[]) => fc.uniqueArray(fc.constantFrom(...list), { maxLength: 2 });
const paths = fc
  .array(
    fc.tuple(
      fc.constantFrom('a', 'b', '0', '"card.type"', '"x y"', '"a"'),
      fc.constantFrom('', '', '[*]', '[*][*]'),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((steps) => steps.map((step) => step.join('')).join('.'));
const wanted = fc.constantFrom(
  ...[
    '1000',
    '1e3',
    '1000.0',
    '999.50',
    '1.1',
    '1.10',
    '-3',
    '0',
    '-0',
    '0e5',
    '1e-7',
    '1e400',
    '-1e400',
    '1e-400',
  ],
  ...[
    '9e999999999',
    '1e-999999999',
    '01',
    '+1',
    '1e',
    'NaN',
    'Infinity',
    'abc',
    'ab',
    '',
    'true',
    'false',
    'null',
  ],
  ...['TRUE', 'É😀', '\uffee', '😀', '[]', '{}', '"abc"'],
);
const dataConditions: fc.Arbitrary<DataCondition> = fc.oneof(
  fc.record({ path: paths, op: fc.constantFrom('EQ', 'NE', 'GT', 'GE', 'LT', 'LE'), value: wanted }),
  fc.record({ path: paths, op: fc.constant('EXISTS') }),
);
const blocks = fc.constantFrom(
  ...['10.0.0.1', '10.0.0.1:8080', '::ffff:10.0.0.1', '[::ffff:a00:1]:443', '10.0.0.0/8', '10.9.9.9/8'],
  ...['0.0.0.0/0', '::/0', '2001:DB8:0:0:0:0:0:1', '[2001:db8::abcd]', '2001:db8::/32', 'fe80::1%eth0'],
);

/** One condition or a few, or nothing would match. */
const filters = (): fc.Arbitrary<LogFilter> => {
  const conditions: { [Name in keyof LogFilter]-?: fc.Arbitrary<LogFilter[Name]> } = {
    startDate: fc.constantFrom(...entries.map(({ createdAt }) => createdAt)),
    endDate: fc.constantFrom(...entries.map(({ createdAt }) => createdAt)),
    modules: some('guardian', 'aurora', 'nobody'),
    notModules: some('guardian', 'aurora', 'nobody'),
    actions: some(...ACTIONS, 'users.*', 'users*', 'us*', 'a.*'),
    notActions: some(...ACTIONS, 'users.*', 'user*'),
    severities: some(...SEVERITIES),
    minSeverity: fc.constantFrom(...SEVERITIES),
    origin: fc.constantFrom('MODULE', 'BROWSER'),
    occurredFrom: fc.constantFrom(...entries.map(({ occurredAt }) => occurredAt)),
    occurredUntil: fc.constantFrom(...entries.map(({ occurredAt }) => occurredAt)),
    ids: some(...stored),
    actorIds: some(...IDS, 'auth0|*', 'auth0*', 'a\ud7ff*', 'a*', '*', 'none', UUIDS[1].toUpperCase()),
    notActorIds: some(...IDS, 'auth0|*', 'system:*', UUIDS[1].toUpperCase()),
    actorEmail: fc.constantFrom(...EMAILS, 'ÜNAL@EXAMPLE.COM', 'ana@example'),
    actorName: fc.constantFrom(...NAMES, 'aNa sOuZa', 'FIONA', 'ünal', 'Ana'),
    actorTypes: some(...ACTOR_TYPES),
    onBehalfOfId: fc.constantFrom(...IDS, UUIDS[1].toUpperCase(), 'auth0|*'),
    outcomes: some(...OUTCOMES),
    resourceType: fc.constantFrom('user', 'User', 'Microsoft.Web/sites'),
    resourceId: fc.constantFrom('42', 'A/7', 'a/7', '4*', UUIDS[1].toUpperCase()),
    clientId: fc.constantFrom(...UUIDS),
    requestId: fc.constantFrom(...IDS, UUIDS[0].toUpperCase()),
    ipAddress: blocks,
    notIpAddress: blocks,
    data: fc.array(dataConditions, { minLength: 1, maxLength: 2 }),
    // tests/log/reading.test.ts and tests/query-line have these.
    search: fc.constant(null),
    notSearch: fc.constant([]),
    query: fc.constant(''),
  };
  const names = Object.keys(conditions) as (keyof LogFilter)[];
  return fc
    .subarray([...names, ...names.slice(-4, -3)] as (keyof LogFilter)[], { minLength: 1, maxLength: 3 })
    .chain((chosen) => fc.record(Object.fromEntries(chosen.map((name) => [name, conditions[name]]))))
    .map((filter): LogFilter => filter as LogFilter);
};

describe('a filter finds what the contract says', () => {
  test('of entries of both leaf versions, by each of its conditions and several together', async () => {
    const found = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(filters(), async (filter) => {
        const expected = entries.filter((entry) => isMatch(filter, entry)).map(({ id }) => id);
        if (expected.length > 0 && expected.length < stored.length)
          for (const name of Object.keys(filter)) found.set(name, (found.get(name) ?? 0) + 1);
        expect(await idsFor(toCriteria(SCOPE, filter, NOW))).toEqual(expected);
      }),
      { numRuns: 600 },
    );
    expect([...found.keys()].sort()).toEqual(
      expect.arrayContaining(['actorName', 'data', 'ids', 'notIpAddress']),
    );
  }, 120_000);

  test('of values in data, however they are written', async () => {
    await fc.assert(
      fc.asyncProperty(dataConditions, async (condition) => {
        const expected = entries.filter((entry) => isMatch({ data: [condition] }, entry)).map(({ id }) => id);
        expect(await idsFor(toCriteria(SCOPE, { data: [condition] }, NOW))).toEqual(expected);
      }),
      { numRuns: 600 },
    );
  }, 120_000);
});

test.each<[string, Test[][], (entry: Shown) => boolean]>([
  [
    'no actor',
    [[{ field: 'actor', absent: true }]],
    ({ actorId, actorEmail, actorName }) => !actorId && !actorEmail && !actorName,
  ],
  ['no client', [[{ field: 'clientId', absent: true }]], ({ clientId }) => clientId === null],
  [
    'an actor by id, e-mail address or name',
    [[{ field: 'actorId', is: 'auth0' }], [{ field: 'actorEmail', is: 'auth0' }], [nameTest('auth0')]],
    ({ actorId, actorName }) => actorId === 'auth0' || actorName === 'auth0',
  ],
  [
    'a resource by type and beginning of its id',
    [
      [
        { field: 'resourceType', is: 'user' },
        { field: 'resourceId', prefix: 'A' },
      ],
    ],
    ({ resourceType, resourceId }) => resourceType === 'user' && (resourceId?.startsWith('A') ?? false),
  ],
  [
    'severities below',
    [[{ field: 'severity', atMost: 'INFO' }]],
    ({ severity }) => ['DEBUG', 'INFO'].includes(severity),
  ],
])('a condition on %s, and its negation', async (_name, anyOf, holds) => {
  for (const negated of [false, true]) {
    const criteria: Criteria = { scope: SCOPE, conditions: [{ negated, anyOf }], start: null, end: null };
    const expected = entries.filter((entry) => holds(entry) !== negated).map(({ id }) => id);
    expect(expected.length).toBeGreaterThan(0);
    expect(await idsFor(criteria)).toEqual(expected);
  }
});
