import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataStep } from '../../src/query-line/data-path.js';
import { FAULTS, QueryLineError } from '../../src/query-line/fault.js';
import { FIELDS, type FieldName, isNegatable } from '../../src/query-line/fields.js';
import { parseQueryLine } from '../../src/query-line/parse.js';
import { canonicalTerms, printQueryLine } from '../../src/query-line/print.js';
import type { QueryTerm, QueryValue } from '../../src/query-line/terms.js';
import { ACTOR_TYPES, ORIGINS, OUTCOMES, SEVERITIES } from '../../src/query-line/values.js';

const NOW = new Date('2026-01-10T12:00:00.250Z');
const A = '6f2b4c0e-0000-4000-8000-0000000000aa';
const B = '6f2b4c0e-0000-4000-8000-0000000000bb';
const ZONES = ['UTC', 'America/Sao_Paulo', 'Asia/Kolkata', 'Europe/Berlin'];

const parse = (line: string, timeZone = 'UTC') => parseQueryLine(line, { now: NOW, timeZone }).terms;
const canonical = (line: string) => printQueryLine(parse(line));
const withoutPlaces = (terms: readonly QueryTerm[]) =>
  canonicalTerms(terms).map(({ position: _p, length: _l, ...term }) => term);

describe('the canonical form', () => {
  it.each([
    ['', ''],
    ['  b   MODULE:x  "a" b', 'module:x b a'],
    [
      `until:-1h since:-024h ip:1.1.1.1 request:${B} client:${A}`,
      `client:${A} request:${B} ip:1.1.1.1 since:-24h until:-1h`,
    ],
    [
      'data.a:1 occurred-until:-1h resource:user/42 actor:Ana@x.org origin:BROWSER outcome:FAILURE severity>=error',
      'severity>=ERROR outcome:failure origin:browser actor:Ana@x.org resource:user/42 occurred-until:-1h data.a:1',
    ],
    ['-action:b -module:c -action:"d" action:a.* module:z', 'module:z -module:c action:a.* -action:b,d'],
    [
      '-resource:a -resource:b -severity>=ERROR -severity:INFO -severity:DEBUG',
      '-severity>=ERROR -severity:INFO,DEBUG -resource:a -resource:b',
    ],
    ['since:2026-01-05T00:00:00Z until:2026-01-05', 'since:2026-01-05T00:00:00Z until:2026-01-05'],
    ['since:2026-01-05T10:00:00.120+01:00', 'since:2026-01-05T09:00:00.12Z'],
    ['until:"2026-01-05 00:00:00.500"', 'until:2026-01-05T00:00:00.5'],
    ['module:"a b","c","d*"', 'module:"a b",c,"d*"'],
    ['actor:"none",none,"x*",x*', 'actor:"none",none,"x*",x*'],
    [
      '"-x" "a:b" "http://a" "severity>=x" "AND" "and" "!" "a,b" "x*"',
      '"-x" "a:b" http://a "severity>=x" "AND" and "!" a,b x*',
    ],
    ['-"a b" -c "-d" -"AND"', '"-d" -"a b" -c -"AND"'],
    ['resource:"user"/"4,2" -resource:"a/b"/"c*"', 'resource:user/"4,2" -resource:"a/b"/"c*"'],
    ['data."a"."b.c"[*]:"x y",">z" data.q>"=1"', 'data.a."b.c"[*]:"x y",">z" data.q>"=1"'],
    ['"a \\\\ b" "c \\\\\\" d" "e f\\\\"', '"a \\ b" "c \\\\\\" d" "e f\\\\"'],
    // What would be read as an operator of the field before it.
    ['severity ">=x" >=y', 'severity ">=x" >=y'],
    [':x', ':x'],
  ])('of %j is %j', (line, expected) => {
    expect(canonical(line)).toBe(expected);
    expect(canonical(expected)).toBe(expected);
    expect(withoutPlaces(parse(expected))).toEqual(withoutPlaces(parse(line)));
  });

  const raw = fc
    .string({
      unit: fc.constantFrom(
        ...[
          'a',
          'b',
          'A',
          '0',
          '"',
          '\\',
          ' ',
          ',',
          ':',
          '-',
          '/',
          '*',
          '.',
          '>=',
          '<',
          '=',
          '!',
          '(',
          '[*]',
          'é',
          '😀',
        ],
        ...[
          '\n',
          '\u00a0',
          '\u200b',
          'http://',
          'module',
          'since:',
          'none',
          'AND',
          'NOT',
          'data.',
          'severity',
        ],
      ),
      minLength: 1,
      maxLength: 10,
    })
    .filter((text) => !/^[\s\u200b]*$/.test(text));
  const is = raw.map((text): QueryValue => ({ is: text }));
  const prefix = fc.stringMatching(/^[a-z0-9|.:_/-]{0,8}$/).map((text): QueryValue => ({ prefix: text }));
  const uuid = fc.uuid().map((id): QueryValue => ({ is: id }));
  const word = (words: readonly string[]) =>
    fc.constantFrom(...words).map((text): QueryValue => ({ is: text }));
  const list = (value: fc.Arbitrary<QueryValue>) => fc.array(value, { minLength: 1, maxLength: 4 });
  const one = (value: fc.Arbitrary<QueryValue>) => value.map((each) => [each]);
  const instant = (min: string, max: string) =>
    fc
      .date({ min: new Date(min), max: new Date(max), noInvalidDate: true })
      .map((at): QueryValue => ({ is: `${at.toISOString().slice(0, -1)}000Z` }));
  const since = one(instant('0001-01-02', '2020-01-01'));
  const until = one(instant('2020-01-02', '9999-12-30'));
  const resource = fc
    .record(
      {
        type: raw,
        id: fc.oneof(
          is,
          prefix.filter((each) => JSON.stringify(each) !== '{"prefix":"-"}'),
        ),
      },
      { requiredKeys: ['type'] },
    )
    .map((value) => value as QueryValue);
  const step = fc.oneof(
    raw.map((key): DataStep => ({ key })),
    fc.constant<DataStep>({ anyItem: true }),
  );
  const path = fc
    .tuple(raw, fc.array(step, { maxLength: 3 }))
    .map(([key, more]): DataStep[] => [{ key }, ...more]);

  const values: Record<FieldName, fc.Arbitrary<QueryValue[]>> = {
    module: list(is),
    action: list(fc.oneof(is, prefix)),
    severity: list(word(SEVERITIES)),
    outcome: list(word(OUTCOMES)),
    origin: one(word(ORIGINS)),
    actor: list(fc.oneof(is, prefix, uuid, fc.constant<QueryValue>({ none: true }))),
    type: list(word(ACTOR_TYPES)),
    behalf: one(is),
    resource: one(resource),
    client: one(fc.oneof(uuid, fc.constant<QueryValue>({ none: true }))),
    request: one(fc.oneof(is, uuid)),
    id: list(uuid),
    ip: one(
      fc.constantFrom('10.0.0.7', '10.0.0.0/8', '2001:db8::7', '2001:db8::/32').map((text) => ({ is: text })),
    ),
    since,
    until,
    'occurred-since': since,
    'occurred-until': until,
    data: list(fc.oneof(is, fc.constant<QueryValue>({ exists: true }))),
  };
  const place = { position: 0, length: 0 };
  const termOf = (field: FieldName, negated: boolean): fc.Arbitrary<QueryTerm> => {
    const plain = values[field].map(
      (some): QueryTerm => ({ ...place, field, negated, op: ':', values: some }),
    );
    if (field === 'data')
      return fc.oneof(
        fc.tuple(plain, path).map(([term, steps]) => ({ ...term, path: steps })),
        fc.tuple(is, path, fc.constantFrom('>=', '>', '<=', '<')).map(
          ([value, steps, op]): QueryTerm => ({
            ...place,
            field,
            path: steps,
            negated,
            op,
            values: [value],
          }),
        ),
      );
    if (field !== 'severity') return plain;
    const compared = fc
      .tuple(word(SEVERITIES), fc.constantFrom('>=', '>', '<=', '<'))
      .map(([value, op]): QueryTerm => ({ ...place, field, negated, op, values: [value] }));
    return fc.oneof(plain, compared);
  };
  const textTerm = fc
    .tuple(raw, fc.boolean())
    .map(
      ([text, negated]): QueryTerm => ({ ...place, field: null, negated, op: ':', values: [{ is: text }] }),
    );
  const line = fc
    .tuple(
      fc.subarray([...FIELDS]).chain((fields) => fc.tuple(...fields.map((field) => termOf(field, false)))),
      fc
        .array(fc.constantFrom(...FIELDS.filter(isNegatable)), { maxLength: 5 })
        .chain((fields) => fc.tuple(...fields.map((field) => termOf(field, true)))),
      fc.array(fc.oneof(termOf('data', false), textTerm), { maxLength: 5 }),
    )
    .map((terms): QueryTerm[] => terms.flat())
    .chain((terms) => fc.shuffledSubarray(terms, { minLength: terms.length }));

  it('reads as the same filter, and is its own canonical form', () => {
    fc.assert(
      fc.property(line, (terms) => {
        const printed = printQueryLine(terms);
        fc.pre(printed.length <= 2000);
        expect(withoutPlaces(parse(printed))).toEqual(withoutPlaces(terms));
        expect(canonical(printed)).toBe(printed);
      }),
      { numRuns: 400 },
    );
  });

  const piece = fc.constantFrom(
    ...[
      ...FIELDS,
      'data.',
      'data.a',
      'user',
      'resource_type',
      'NOT',
      'AND',
      'OR',
      'none',
      'ERROR',
      'warn',
      'a@b',
      A,
    ],
    ...[
      ':',
      ':',
      '>=',
      '>',
      '<',
      '=',
      '!=',
      '!',
      '-',
      '"',
      '\\',
      ' ',
      ' ',
      ',',
      '.',
      '*',
      '(',
      ')',
      '[*]',
      '/',
      'http://',
    ],
    ...['since:-1h', 'until:2026-01-05', '2026-03-29', '10.0.0.7', 'x', 'é', '😀', '\n'],
  );

  it('exists for any line without a fault; a fault stands within its line, and its suggestion parses', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.constantFrom(...ZONES), (pieces, zone) => {
        const written = pieces.join('');
        try {
          const terms = parse(written, zone);
          const printed = printQueryLine(terms);
          expect(withoutPlaces(parse(printed, zone))).toEqual(withoutPlaces(terms));
          for (const { position, length } of terms)
            expect(written.slice(position, position + length)).toMatch(/^\S(?:.*\S)?$|^.*".*$/s);
        } catch (error) {
          if (!(error instanceof QueryLineError)) throw error;
          const { position, length, fault, message, suggestion } = error;
          expect(FAULTS).toContain(fault);
          expect(position).toBeGreaterThanOrEqual(0);
          expect(length).toBeGreaterThan(0);
          expect(position + length).toBeLessThanOrEqual(written.length);
          expect(written.slice(position)).toMatch(/^\S/);
          expect(message).toMatch(/^(?:expected|unknown field) /);
          if (suggestion !== null) expect(parse(suggestion, zone).length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 4000 },
    );
  });
});

it('docs/query-line.md explains every fault, and no other', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'query-line.md'), 'utf8');
  const explained = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
  expect(explained.toSorted()).toEqual([...FAULTS].sort());
});
