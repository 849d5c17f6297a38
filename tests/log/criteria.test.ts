import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compile } from '../../src/database/execute.js';
import { ACTOR_TYPES } from '../../src/log/entry/actor-type.js';
import { LogOrigin } from '../../src/log/entry/origin.js';
import { OUTCOMES } from '../../src/log/entry/outcome.js';
import { isSearchable, searchNeedle } from '../../src/log/entry/search-text.js';
import { LogSeverity, SEVERITIES } from '../../src/log/entry/severity.js';
import {
  type Criteria,
  isCountable,
  type Test,
  toCriteria,
  withoutConditionsOn,
} from '../../src/log/filter/criteria.js';
import type { DataCondition } from '../../src/log/filter/data-condition.js';
import type { LogFilter } from '../../src/log/filter/log-filter.js';
import { textBeyond, whereAll } from '../../src/log/filter/where.js';

const NOW = new Date('2026-11-24T20:10:00.000Z');
const SCOPE = { tenantId: randomUUID(), clients: null };
const criteriaOf = (filter: LogFilter | null) => toCriteria(SCOPE, filter, NOW);

const texts = fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), { maxLength: 3 });
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
/** Empty, or with something to look for. */
const searched = text.map((each) => (isSearchable(searchNeedle(each)) ? each : ''));
const ids = fc.array(fc.uuid(), { maxLength: 3 });
const instants = fc.date({ min: new Date(0), max: NOW, noInvalidDate: true }).map((at) => at.toISOString());
const filters = fc.record<Required<LogFilter>>({
  startDate: fc.option(instants),
  endDate: fc.option(instants),
  modules: fc.option(texts),
  notModules: fc.option(texts),
  actions: fc.option(fc.array(fc.constantFrom('users', 'users.*', '*', '.*', 'ação.*'), { maxLength: 4 })),
  notActions: fc.option(texts),
  severities: fc.option(fc.subarray([...SEVERITIES])),
  minSeverity: fc.option(fc.constantFrom(...SEVERITIES)),
  origin: fc.option(fc.constantFrom(LogOrigin.MODULE, LogOrigin.BROWSER)),
  occurredFrom: fc.option(instants),
  occurredUntil: fc.option(instants),
  ids: fc.option(ids),
  actorIds: fc.option(fc.oneof(ids, texts)),
  notActorIds: fc.option(texts),
  actorEmail: fc.option(text),
  actorName: fc.option(text),
  actorTypes: fc.option(fc.subarray([...ACTOR_TYPES])),
  onBehalfOfId: fc.option(text),
  outcomes: fc.option(fc.subarray([...OUTCOMES])),
  resourceType: fc.option(text),
  resourceId: fc.option(fc.oneof(text, fc.uuid())),
  clientId: fc.option(fc.uuid()),
  requestId: fc.option(fc.uuid()),
  ipAddress: fc.option(fc.constantFrom('10.0.0.0/8', '::ffff:10.0.0.1', '2001:db8::/32')),
  notIpAddress: fc.option(fc.constantFrom('10.0.0.0/8', '[::1]:443')),
  search: fc.option(searched),
  notSearch: fc.option(
    fc.array(
      searched.filter((each) => each !== ''),
      { maxLength: 3 },
    ),
  ),
  data: fc.option(
    fc.array(
      fc
        .constantFrom<DataCondition>(
          { path: 'a.b' },
          { path: 'items[*]."a key"', op: 'NE', value: '1e3' },
          { path: 'a', op: 'EXISTS' },
        )
        .map((condition) => ({ value: condition.op === 'EXISTS' ? null : 'x', ...condition })),
      { maxLength: 3 },
    ),
  ),
  query: fc.option(
    fc.constantFrom(
      '',
      '-module:a severity>=error since:-24h',
      '"card declined" timeout until:-1h -action:a.*',
    ),
  ),
});
const scopes = fc.record({ tenantId: fc.uuid(), clients: fc.option(ids) });

test('criteria are plain data: kept as JSON they are the same, and ask PostgreSQL the same', () => {
  fc.assert(
    fc.property(scopes, filters, (scope, filter) => {
      const criteria = toCriteria(scope, filter, NOW);
      const kept = JSON.parse(JSON.stringify(criteria)) as Criteria;
      expect(kept).toEqual(criteria);
      const [asked, again] = [criteria, kept].map((each) => compile(whereAll(each)));
      expect([again?.sql, again?.parameters]).toEqual([asked?.sql, asked?.parameters]);
    }),
    { numRuns: 500 },
  );
});

test('a filter that says nothing is no condition, however it says so', () => {
  const nothing = { scope: SCOPE, conditions: [], start: null, end: null };
  expect([null, {}, { modules: [], search: '', origin: null, query: '' }].map(criteriaOf)).toEqual(
    Array(3).fill(nothing),
  );
});

test('an empty text is a value like any other, since leaving it out would widen the filter', () => {
  expect(criteriaOf({ resourceType: '', actorEmail: '' }).conditions).toEqual([
    { negated: false, anyOf: [[{ field: 'actorEmail', is: '' }]] },
    { negated: false, anyOf: [[{ field: 'resourceType', is: '' }]] },
  ]);
  expect(() => criteriaOf({ ipAddress: '' })).toThrow('ipAddress: expected an IP address');
});

test("the query line's conditions stand beside the filter's own, each of its texts by itself", () => {
  const line = 'module:b,c severity>=error "card declined" timeout until:-1h since:2026-11-01';
  expect(
    criteriaOf({ modules: ['a'], startDate: '2026-11-20T00:00:00.000000Z', search: 'Größe', query: line }),
  ).toEqual({
    scope: SCOPE,
    conditions: [
      { negated: false, anyOf: [[{ field: 'module', is: 'a' }]] },
      { negated: false, anyOf: [[{ contains: 'grösse' }]] },
      { negated: false, anyOf: [[{ field: 'module', is: 'b' }], [{ field: 'module', is: 'c' }]] },
      { negated: false, anyOf: [[{ field: 'severity', atLeast: 'ERROR' }]] },
      { negated: false, anyOf: [[{ contains: 'card declined' }]] },
      { negated: false, anyOf: [[{ contains: 'timeout' }]] },
    ],
    start: '2026-11-20T00:00:00.000000Z',
    end: '2026-11-24T19:10:00.000000Z',
  });
});

test.each<[LogFilter, string]>([
  [{ modules: Array(21).fill('m') }, 'modules: expected at most 20 items, got "21 items"'],
  [{ actions: ['x'.repeat(321)] }, 'actions: expected at most 320 characters, got "321 characters"'],
  [{ search: 'x'.repeat(256) }, 'search: expected at most 255 characters, got "256 characters"'],
  [{ ipAddress: '10.0.0.0/33' }, 'ipAddress: expected an IP address or a CIDR block'],
  [{ ipAddress: 'fe80::1%eth0/64' }, 'ipAddress: expected an IP address or a CIDR block'],
  [{ notIpAddress: '10.0.0' }, 'notIpAddress: expected an IP address or a CIDR block'],
  [{ ids: Array(21).fill(SCOPE.tenantId) }, 'ids: expected at most 20 items'],
  [{ actorName: 'x'.repeat(321) }, 'actorName: expected at most 320 characters'],
  [{ actorTypes: Array(21).fill('USER') }, 'actorTypes: expected at most 20 items'],
  [{ notActorIds: ['a\0b'] }, 'notActorIds: expected text without NUL'],
  [{ onBehalfOfId: 'x'.repeat(321) }, 'onBehalfOfId: expected at most 320 characters'],
  [{ resourceId: '𝕏'.repeat(1_025) }, 'resourceId: expected at most 1024 characters'],
  [{ notSearch: ['ok', 'x'.repeat(256)] }, 'notSearch: expected at most 255 characters'],
  [{ query: 'x '.repeat(1_001) }, 'query: expected at most 2000 characters'],
  [{ data: Array(21).fill({ path: 'a', value: '1' }) }, 'data: expected at most 20 items'],
  [{ data: [{ path: '', value: '1' }] }, 'data[0].path: expected keys joined by dots'],
  [{ data: [{ path: 'a..b', value: '1' }] }, 'data[0].path: expected keys joined by dots'],
  [{ data: [{ path: 'a b', value: '1' }] }, 'data[0].path: expected keys joined by dots'],
  [{ data: [{ path: 'a.', value: '1' }] }, 'data[0].path: expected keys joined by dots'],
  [{ data: [{ path: '[*].a', value: '1' }] }, 'data[0].path: expected keys joined by dots'],
  [{ data: [{ path: 'a[0]', value: '1' }] }, 'data[0].path: expected keys joined by dots'],
  [{ data: [{ path: '"a', value: '1' }] }, 'data[0].path: expected keys joined by dots'],
  [{ data: [{ path: '"a\0"', value: '1' }] }, 'data[0].path: expected keys joined by dots'],
  [{ data: [{ path: 'x'.repeat(256), value: '1' }] }, 'data[0].path: expected keys joined by dots'],
  [{ data: [{ path: 'a' }] }, 'data[0].value: expected a value to compare with by EQ'],
  [{ data: [{ path: 'a', op: 'GT', value: null }] }, 'data[0].value: expected a value to compare with by GT'],
  [{ data: [{ path: 'a', op: 'EXISTS', value: '1' }] }, 'data[0].value: expected none with EXISTS'],
  [{ data: [{ path: 'a', value: 'x'.repeat(321) }] }, 'data[0].value: expected at most 320 characters'],
  [{ resourceId: 'a\0b' }, 'resourceId: expected text without NUL'],
  [{ notActions: ['\ud800.*'] }, 'notActions: expected text without NUL or lone surrogates'],
  [{ severities: Array(21).fill(LogSeverity.INFO) }, 'severities: expected at most 20 items'],
])('a filter past its bounds is refused: %j', (filter, expected) => {
  expect(() => criteriaOf(filter)).toThrowError(
    expect.objectContaining({ code: 'BAD_USER_INPUT', message: expect.stringContaining(expected) }),
  );
});

test.each([
  ['Mars/Olympus', 'timeZone: expected an IANA time zone such as America/Sao_Paulo'],
  ['', 'timeZone: expected an IANA time zone'],
  ['x'.repeat(300), `got "${'x'.repeat(198)}…`],
])('a time zone that is none is refused: %s', (zone, expected) => {
  expect(() => toCriteria(SCOPE, null, NOW, zone)).toThrowError(
    expect.objectContaining({ code: 'BAD_USER_INPUT', message: expect.stringContaining(expected) }),
  );
});

test('what a term is about is left out by all that it is about', () => {
  const criteria: Criteria = {
    ...criteriaOf({ modules: ['a'], actorIds: ['x'], notActorIds: ['y'], actorEmail: 'a@b.example' }),
  };
  expect(withoutConditionsOn(criteria, ['actorId', 'actorEmail', 'actorName', 'actor']).conditions).toEqual([
    { negated: false, anyOf: [[{ field: 'module', is: 'a' }]] },
  ]);
  const ofActors = ['actor', 'actorId', 'actorEmail', 'actorName'] as const;
  for (const filter of [{ query: 'actor:x,"Ana Souza" -actor:none' }, { actorName: 'Ana Souza' }])
    expect(withoutConditionsOn(criteriaOf(filter), ofActors).conditions).toEqual([]);
  expect(withoutConditionsOn(criteriaOf({ query: 'resource:t/i' }), ['resourceType']).conditions).toEqual([
    { negated: false, anyOf: [[{ field: 'resourceId', is: 'i' }]] },
  ]);
  const term = (anyOf: Test[][]) => ({ ...criteria, conditions: [{ negated: false, anyOf }] });
  const actor = term([[{ field: 'actorId', is: 'x' }], [{ field: 'actorEmail', is: 'x' }]]);
  expect(withoutConditionsOn(actor, ['actorId']).conditions).toHaveLength(1);
  expect(withoutConditionsOn(actor, ['actorId', 'actorEmail']).conditions).toEqual([]);
  expect(withoutConditionsOn(term([[{ contains: 'x' }]]), ['text']).conditions).toEqual([]);
  const counted = term([[{ field: 'clientId', absent: true }], [{ field: 'module', prefix: 'a' }]]);
  expect([counted, actor].map(isCountable)).toEqual([true, false]);
});

test("a query line's fault says where it is, which, and how it is mended", () => {
  const said = { position: 0, length: 7, fault: 'UNKNOWN_FIELD', suggestion: 'module:x' };
  const faults = [
    expect.objectContaining({ type: 'value_error', loc: ['query'], input: 'modul:x', ctx: said }),
  ];
  expect(() => criteriaOf({ query: 'modul:x' })).toThrowError(
    expect.objectContaining({ code: 'BAD_USER_INPUT', extensions: said, faults }),
  );
});

test('the texts that begin with a prefix are those from it to before textBeyond, in the order of COLLATE "C"', () => {
  // UTF-8 has the order of code points.
  const compare = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const unit = fc.constantFrom('a', 'b', '.', '/', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}');
  const words = fc.string({ unit, maxLength: 5 });
  fc.assert(
    fc.property(words, words, (prefix, word) => {
      const beyond = textBeyond(prefix);
      const within = compare(word, prefix) >= 0 && (beyond === null || compare(word, beyond) < 0);
      expect(within).toBe(word.startsWith(prefix));
    }),
    { numRuns: 5_000 },
  );
  expect(textBeyond('users.')).toBe('users/');
});
