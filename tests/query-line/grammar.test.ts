import { describe, expect, it } from 'vitest';
import { ActorType } from '../../src/log/entry/actor-type.js';
import { LogOrigin } from '../../src/log/entry/origin.js';
import { LogOutcome } from '../../src/log/entry/outcome.js';
import { LogSeverity } from '../../src/log/entry/severity.js';
import { parseQueryLine } from '../../src/query-line/parse.js';
import type { QueryTerm } from '../../src/query-line/terms.js';
import { ACTOR_TYPES, ORIGINS, OUTCOMES, SEVERITIES } from '../../src/query-line/values.js';

const NOW = new Date('2026-01-10T12:00:00.250Z');
const A = '6f2b4c0e-0000-4000-8000-0000000000aa';
const B = '6f2b4c0e-0000-4000-8000-0000000000bb';

type Said = Pick<QueryTerm, 'field' | 'values'> & Partial<QueryTerm>;

const termsOf = (line: string, timeZone = 'UTC') => parseQueryLine(line, { now: NOW, timeZone }).terms;
const field = (name: QueryTerm['field'], ...values: QueryTerm['values']): Said => ({ field: name, values });
const is = (text: string) => ({ is: text });
const text = (value: string): Said => field(null, is(value));
const not = (said: Said): Said => ({ ...said, negated: true });
const data = (path: string, values: QueryTerm['values'], op: QueryTerm['op'] = ':'): Said => ({
  field: 'data',
  op,
  values,
  path: path.split('.').map((key) => (key === '[*]' ? { anyItem: true } : { key })),
});

describe('a query line', () => {
  it.each<[string, Said[]]>([
    ['', []],
    [' \t\n\u00a0 ', []],
    ['module:guardian', [field('module', is('guardian'))]],
    ['MODULE:Guardian,aurora,Guardian', [field('module', is('Guardian'), is('aurora'))]],
    ['-module:guardian,aurora', [not(field('module', is('guardian'), is('aurora')))]],
    [
      '-module:a -module:b module:c',
      [not(field('module', is('a'))), not(field('module', is('b'))), field('module', is('c'))],
    ],
    ['module:"a b","c,d",e', [field('module', is('a b'), is('c,d'), is('e'))]],
    ['module:a:b', [field('module', is('a:b'))]],
    ['module:-a', [field('module', is('-a'))]],
    ['module:=a', [field('module', is('=a'))]],
    ['module:"a*"', [field('module', is('a*'))]],
    ['action:users.*', [field('action', { prefix: 'users.' })]],
    ['action:users*,x', [field('action', { prefix: 'users' }, is('x'))]],
    ['action:*', [field('action', { prefix: '' })]],
    ['action:"users.*"', [field('action', is('users.*'))]],
    ['severity:error,CRITICAL', [field('severity', is('ERROR'), is('CRITICAL'))]],
    ['Severity>=warning', [{ ...field('severity', is('WARNING')), op: '>=' }]],
    ['severity>WARNING', [{ ...field('severity', is('WARNING')), op: '>' }]],
    ['-severity<="error"', [not({ ...field('severity', is('ERROR')), op: '<=' })]],
    ['severity<ERROR', [{ ...field('severity', is('ERROR')), op: '<' }]],
    ['outcome:failure,Denied', [field('outcome', is('FAILURE'), is('DENIED'))]],
    ['-origin:browser', [not(field('origin', is('BROWSER')))]],
    ['type:agent', [field('type', is('AGENT'))]],
    [`actor:${A.toUpperCase()}`, [field('actor', is(A))]],
    ['actor:Ana@Example.com,"Ana Souza"', [field('actor', is('Ana@Example.com'), is('Ana Souza'))]],
    ['actor:auth0|6181,auth0|*', [field('actor', is('auth0|6181'), { prefix: 'auth0|' })]],
    ['actor:none -actor:None', [field('actor', { none: true }), not(field('actor', { none: true }))]],
    ['actor:"none","auth0|*"', [field('actor', is('none'), is('auth0|*'))]],
    [
      'actor:"system:serviceaccount:kube-system:agent"',
      [field('actor', is('system:serviceaccount:kube-system:agent'))],
    ],
    ['actor:system:serviceaccount:ci', [field('actor', is('system:serviceaccount:ci'))]],
    ['behalf:auth0|5f1', [field('behalf', is('auth0|5f1'))]],
    ['resource:invoice', [field('resource', { type: 'invoice' })]],
    ['resource:user/42', [field('resource', { type: 'user', id: is('42') })]],
    ['resource:file/a/b:c', [field('resource', { type: 'file', id: is('a/b:c') })]],
    ['resource:"AWS::Lambda::Function"', [field('resource', { type: 'AWS::Lambda::Function' })]],
    ['resource:"file/a b,c"', [field('resource', { type: 'file/a b,c' })]],
    [
      'resource:"Microsoft.Web/sites"/"web 1"',
      [field('resource', { type: 'Microsoft.Web/sites', id: is('web 1') })],
    ],
    [
      'resource:"coordination.k8s.io/leases"/kube-system/agent',
      [field('resource', { type: 'coordination.k8s.io/leases', id: is('kube-system/agent') })],
    ],
    ['resource:log-stream/lst_*', [field('resource', { type: 'log-stream', id: { prefix: 'lst_' } })]],
    ['resource:log-stream/"lst_*"', [field('resource', { type: 'log-stream', id: is('lst_*') })]],
    [`-resource:user/${A.toUpperCase()}`, [not(field('resource', { type: 'user', id: is(A) }))]],
    [`client:${A.toUpperCase()}`, [field('client', is(A))]],
    ['-client:none', [not(field('client', { none: true }))]],
    [`request:${A.toUpperCase()}`, [field('request', is(A))]],
    ['request:4bf92f3577b34da6a3ce929d0e0e4736', [field('request', is('4bf92f3577b34da6a3ce929d0e0e4736'))]],
    [`id:${A},${B}`, [field('id', is(A), is(B))]],
    ['ip:10.0.0.0/8', [field('ip', is('10.0.0.0/8'))]],
    ['ip:2001:DB8:0:0:0:0:0:7', [field('ip', is('2001:db8::7'))]],
    ['ip:2001:DB8::/32', [field('ip', is('2001:db8::/32'))]],
    ['ip:::ffff:10.11.12.13', [field('ip', is('10.11.12.13'))]],
    ['ip:::ffff:10.0.0.0/104', [field('ip', is('10.0.0.0/8'))]],
    ['ip:10.11.12.13:12345', [field('ip', is('10.11.12.13'))]],
    ['ip:[2001:db8::abcd]:443', [field('ip', is('2001:db8::abcd'))]],
    ['-ip:fe80::1%eth0', [not(field('ip', is('fe80::1')))]],
    ['since:2026-01-05T10:00:00Z', [field('since', is('2026-01-05T10:00:00.000000Z'))]],
    ['until:2026-01-05T10:00:00.123456+05:30', [field('until', is('2026-01-05T04:30:00.123456Z'))]],
    ['since:2026-01-05', [field('since', { is: '2026-01-05T00:00:00.000000Z', written: '2026-01-05' })]],
    ['until:2026-01-05', [field('until', { is: '2026-01-05T23:59:59.999999Z', written: '2026-01-05' })]],
    [
      'occurred-since:-024h',
      [field('occurred-since', { is: '2026-01-09T12:00:00.250000Z', written: '-24h' })],
    ],
    ['Occurred-Until:-7d', [field('occurred-until', { is: '2026-01-03T12:00:00.250000Z', written: '-7d' })]],
    [
      'since:-2w until:-90m',
      [
        field('since', { is: '2025-12-27T12:00:00.250000Z', written: '-2w' }),
        field('until', { is: '2026-01-10T10:30:00.250000Z', written: '-90m' }),
      ],
    ],
    ['data.invoice.amount>1000', [data('invoice.amount', [is('1000')], '>')]],
    ['DATA.Amount<=5', [data('Amount', [is('5')], '<=')]],
    ['data.after.currency:USD,BRL', [data('after.currency', [is('USD'), is('BRL')])]],
    ['data.items[*].sku:A1', [data('items.[*].sku', [is('A1')])]],
    [
      'data.responseStatus.code:200 data.responseStatus.code<300',
      [data('responseStatus.code', [is('200')]), data('responseStatus.code', [is('300')], '<')],
    ],
    [
      'data.after."card.type":visa',
      [{ ...data('after', [is('visa')]), path: [{ key: 'after' }, { key: 'card.type' }] }],
    ],
    [
      'data."a b"."c:d"[*]>=x',
      [{ ...data('', [is('x')], '>='), path: [{ key: 'a b' }, { key: 'c:d' }, { anyItem: true }] }],
    ],
    ['-data.error:*', [not(data('error', [{ exists: true }]))]],
    ['data.error:"*"', [data('error', [is('*')])]],
    ['data.x:">5"', [data('x', [is('>5')])]],
    ['data.representation:"{\\"enabled\\":false}"', [data('representation', [is('{"enabled":false}')])]],
    ['"permission denied" -okta', [text('permission denied'), not(text('okta'))]],
    ['-"card declined"', [not(text('card declined'))]],
    ['"-timeout" time-out', [text('-timeout'), text('time-out')]],
    ['"a:b" "module:x" "AND" "!x"', [text('a:b'), text('module:x'), text('AND'), text('!x')]],
    [
      'http://host/x HTTPS://host -http://no',
      [text('http://host/x'), text('HTTPS://host'), not(text('http://no'))],
    ],
    [
      'a,b 10:30 :x users.* and Or 100% a_b',
      [
        text('a,b'),
        text('10:30'),
        text(':x'),
        text('users.*'),
        text('and'),
        text('Or'),
        text('100%'),
        text('a_b'),
      ],
    ],
    ["it's/a:b (x) severity", [text("it's/a:b"), text('(x)'), text('severity')]],
    ['"say \\"hi\\" \\\\ C:\\new"', [text('say "hi" \\ C:\\new')]],
    [
      'module:a free severity>=ERROR',
      [field('module', is('a')), text('free'), { ...field('severity', is('ERROR')), op: '>=' }],
    ],
  ])('%s', (line, said) => {
    const terms = termsOf(line);
    expect(terms.map(({ position: _p, length: _l, ...term }) => term)).toEqual(
      said.map((term) => ({ op: ':', negated: false, ...term })),
    );
    expect(terms.map(({ position, length }) => line.slice(position, position + length)).join('')).toBe(
      splitOutsideQuotes(line).join(''),
    );
  });

  it('may be as long as its bounds', () => {
    const twenty = Array.from({ length: 20 }, (_, index) => `m${index}`);
    expect(termsOf(`module:${twenty.join(',')}`)[0]?.values).toHaveLength(20);
    expect(termsOf(`module:${'😀'.repeat(320)}`)).toHaveLength(1);
    expect(termsOf(`resource:x/${'😀'.repeat(988)}`)).toHaveLength(1);
    expect(termsOf(`resource:x/${'a'.repeat(1024)}`)).toHaveLength(1);
    expect(termsOf('t'.repeat(255))).toHaveLength(1);
    expect(termsOf('a '.repeat(50))).toHaveLength(50);
    expect(termsOf(`a${' '.repeat(1999)}`)).toHaveLength(1);
  });
});

/** A line's words, read naively. */
function splitOutsideQuotes(line: string): string[] {
  const words: string[] = [];
  let word = '';
  let quoted = false;
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at]!;
    if (!quoted && character.trim() === '') {
      words.push(word);
      word = '';
      continue;
    }
    if (character === '"') quoted = !quoted;
    word += character;
    if (quoted && character === '\\' && /["\\]/.test(line[at + 1] ?? '')) {
      at += 1;
      word += line[at];
    }
  }
  return [...words, word].filter((each) => each !== '');
}

describe('a time without an offset', () => {
  it.each<[string, string, string, string]>([
    ['America/Sao_Paulo', '2026-01-05', '2026-01-05T03:00:00.000000Z', '2026-01-06T02:59:59.999999Z'],
    ['Asia/Kolkata', '2026-01-05T10:00:00.5', '2026-01-05T04:30:00.500000Z', '2026-01-05T04:30:00.500000Z'],
    // The clock is set forward at midnight: the day begins at 01:00.
    ['America/Sao_Paulo', '2018-11-04', '2018-11-04T03:00:00.000000Z', '2018-11-05T01:59:59.999999Z'],
    // And back at midnight: the last hour of the day comes twice.
    ['America/Sao_Paulo', '2018-02-17', '2018-02-17T02:00:00.000000Z', '2018-02-18T02:59:59.999999Z'],
    // Skipped: what is from then on begins after the gap, and what is up to then ends before it.
    ['Europe/Berlin', '2026-03-29T02:30:00', '2026-03-29T01:00:00.000000Z', '2026-03-29T00:59:59.999999Z'],
    ['Europe/Berlin', '2026-03-29T02:00:00', '2026-03-29T01:00:00.000000Z', '2026-03-29T00:59:59.999999Z'],
    ['Europe/Berlin', '2026-03-29T03:00:00', '2026-03-29T01:00:00.000000Z', '2026-03-29T01:00:00.000000Z'],
    // Shown twice: from the first time, and up to the last.
    ['Europe/Berlin', '2026-10-25T02:30:00', '2026-10-25T00:30:00.000000Z', '2026-10-25T01:30:00.000000Z'],
    [
      'Australia/Lord_Howe',
      '2026-04-05T01:45:00',
      '2026-04-04T14:45:00.000000Z',
      '2026-04-04T15:15:00.000000Z',
    ],
    ['Pacific/Apia', '2011-12-31', '2011-12-30T10:00:00.000000Z', '2011-12-31T09:59:59.999999Z'],
    ['+05:30', '2026-01-05', '2026-01-04T18:30:00.000000Z', '2026-01-05T18:29:59.999999Z'],
    ['Europe/Amsterdam', '0001-06-01', '0001-05-31T23:42:30.000000Z', '0001-06-01T23:42:29.999999Z'],
  ])('is of the time zone: %s %s', (zone, written, since, until) => {
    const value = (name: string) => termsOf(`${name}:${written}`, zone)[0]?.values[0];
    expect(value('since')).toMatchObject({ is: since, written });
    expect(value('occurred-until')).toMatchObject({ is: until, written });
  });

  it('does not depend on it with an offset, or counted back from now', () => {
    for (const written of ['2026-01-05T10:00:00Z', '2026-01-05T10:00:00-03:00', '-24h'])
      expect(termsOf(`since:${written}`, 'Asia/Tokyo')).toEqual(termsOf(`since:${written}`));
  });
});

it('knows every name that an entry can have', () => {
  expect(SEVERITIES).toEqual(Object.values(LogSeverity));
  expect(ORIGINS).toEqual(Object.values(LogOrigin));
  expect(OUTCOMES).toEqual(Object.values(LogOutcome));
  expect(ACTOR_TYPES).toEqual(Object.values(ActorType));
});
