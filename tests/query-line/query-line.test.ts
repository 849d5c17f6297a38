import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogOrigin } from '../../src/log/entry/origin.js';
import { LogSeverity } from '../../src/log/entry/severity.js';
import { type ParsedQuery, parseQueryLine } from '../../src/query-line/parse.js';
import { printQueryLine } from '../../src/query-line/print.js';
import { QueryLineError } from '../../src/query-line/terms.js';
import { ORIGINS, SEVERITIES } from '../../src/query-line/values.js';

const NOW = new Date('2026-01-10T12:00:00.250Z');
const A = '6f2b4c0e-0000-4000-8000-0000000000aa';
const B = '6f2b4c0e-0000-4000-8000-0000000000bb';

const nothing: ParsedQuery = {
  modules: [],
  notModules: [],
  actions: [],
  notActions: [],
  severities: [],
  minSeverity: null,
  origin: null,
  actorIds: [],
  actorEmail: null,
  resourceType: null,
  resourceId: null,
  clientId: null,
  requestId: null,
  ipAddress: null,
  since: null,
  until: null,
  searches: [],
};

const filterOf = (line: string) => parseQueryLine(line, NOW).filter;
const canonical = (line: string) => printQueryLine(parseQueryLine(line, NOW));

function fault(line: string): QueryLineError {
  try {
    parseQueryLine(line, NOW);
  } catch (error) {
    if (error instanceof QueryLineError) return error;
    throw error;
  }
  throw new Error(`no fault in ${line}`);
}

describe('a query line', () => {
  it.each<[string, object]>([
    ['', {}],
    [' \t\n\u00a0 ', {}],
    ['module:guardian', { modules: ['guardian'] }],
    ['module:guardian,aurora', { modules: ['guardian', 'aurora'] }],
    ['-module:guardian,aurora', { notModules: ['guardian', 'aurora'] }],
    ['-module:a -module:b module:c', { notModules: ['a', 'b'], modules: ['c'] }],
    ['MODULE:Guardian', { modules: ['Guardian'] }],
    ['module:"a b","c,d",e', { modules: ['a b', 'c,d', 'e'] }],
    ['module:a:b', { modules: ['a:b'] }],
    ['module:-a', { modules: ['-a'] }],
    ['module:a\\b', { modules: ['a\\b'] }],
    ['module:a,a', { modules: ['a'] }],
    ['action:users.*', { actions: ['users.*'] }],
    ['-action:users.login', { notActions: ['users.login'] }],
    ['severity:ERROR,CRITICAL', { severities: ['ERROR', 'CRITICAL'] }],
    ['severity:error', { severities: ['ERROR'] }],
    ['severity>=ERROR', { minSeverity: 'ERROR' }],
    ['Severity>=warning', { minSeverity: 'WARNING' }],
    ['severity>="error"', { minSeverity: 'ERROR' }],
    ['origin:browser', { origin: 'BROWSER' }],
    ['origin:Module', { origin: 'MODULE' }],
    [`actor:${A}`, { actorIds: [A] }],
    [`actor:${A.toUpperCase()},${B}`, { actorIds: [A, B] }],
    ['actor:Ana@Example.com', { actorEmail: 'ana@example.com' }],
    ['resource:user', { resourceType: 'user' }],
    ['resource:user/42', { resourceType: 'user', resourceId: '42' }],
    ['resource:file/a/b:c', { resourceType: 'file', resourceId: 'a/b:c' }],
    ['resource:"file/a b,c"', { resourceType: 'file', resourceId: 'a b,c' }],
    [`resource:user/${A.toUpperCase()}`, { resourceType: 'user', resourceId: A }],
    [`client:${A.toUpperCase()}`, { clientId: A }],
    [`request:${A}`, { requestId: A }],
    ['ip:10.0.0.0/8', { ipAddress: '10.0.0.0/8' }],
    ['ip:10.1.2.3', { ipAddress: '10.1.2.3' }],
    ['ip:2001:DB8::/32', { ipAddress: '2001:db8::/32' }],
    ['ip:::ffff:10.0.0.0/104', { ipAddress: '::ffff:10.0.0.0/104' }],
    ['since:2026-01-05', { since: '2026-01-05T00:00:00.000000Z' }],
    ['until:2026-01-05', { until: '2026-01-05T23:59:59.999999Z' }],
    ['since:2026-01-05T10:00:00Z', { since: '2026-01-05T10:00:00.000000Z' }],
    ['since:2026-01-05T10:00:00', { since: '2026-01-05T10:00:00.000000Z' }],
    ['until:2026-01-05T10:00:00.123456+05:30', { until: '2026-01-05T04:30:00.123456Z' }],
    ['since:-24h', { since: '2026-01-09T12:00:00.250000Z' }],
    ['until:-7d', { until: '2026-01-03T12:00:00.250000Z' }],
    ['since:-2w until:-90m', { since: '2025-12-27T12:00:00.250000Z', until: '2026-01-10T10:30:00.250000Z' }],
    ['timeout', { searches: ['timeout'] }],
    ['"card declined"', { searches: ['card declined'] }],
    ['card "was declined" card', { searches: ['card', 'was declined'] }],
    ['"-timeout"', { searches: ['-timeout'] }],
    ['time-out', { searches: ['time-out'] }],
    ['"a:b"', { searches: ['a:b'] }],
    ['http://host/x https://host', { searches: ['http://host/x', 'https://host'] }],
    ['a,b', { searches: ['a,b'] }],
    ['10:30 a.b:c :x a1:b', { searches: ['10:30', 'a.b:c', ':x', 'a1:b'] }],
    ['x>=3', { searches: ['x>=3'] }],
    ['100% a_b', { searches: ['100%', 'a_b'] }],
    ['"say \\"hi\\" \\\\ C:\\new"', { searches: ['say "hi" \\ C:\\new'] }],
    ['"module:x"', { searches: ['module:x'] }],
    ['module:a free severity>=ERROR', { modules: ['a'], minSeverity: 'ERROR', searches: ['free'] }],
  ])('%j', (line, said) => {
    expect(filterOf(line)).toEqual({ ...nothing, ...said });
  });

  // The faulty term is what stands between « and ».
  it.each<[string, RegExp]>([
    ['«module:»', /expected a value after `module:`/],
    ['a «-module:» b', /expected a value/],
    ['«severity>=»', /expected a value/],
    ['«module:a,,b»', /no empty value/],
    ['«module:,a»', /no empty value/],
    ['«module:a,»', /no empty value/],
    ['«module:""»', /no empty value/],
    ['«"a"b»', /white space/],
    ['«b"a"»', /white space/],
    ['«"a""b"»', /white space/],
    ['«module:"a"b»', /white space/],
    ['«module:a"b c"»', /white space/],
    ['«module:"a","b"c»', /white space/],
    ['«""»', /text between the quotes/],
    ['x «"abc def»', /closing " for the quote opened at position 2/],
    ['«module:"a\\"»', /quote opened at position 7/],
    ['«it"s», not', /./],
    ['😀 «modul:a»', /did you mean `module:`/],
    ['«-acton:a»', /`acton:`, did you mean `-action:`/],
    ['«sevrity:ERROR»', /did you mean `severity:`/],
    ['«foo:bar»', /did you mean `\w+:`/],
    ['«ftp://x»', /unknown field `ftp:`/],
    ['«ação:x»', /did you mean `act/],
    ['«-timeout»', /cannot be negated; in quotes, `"-timeout"`/],
    ['«-"a b"»', /cannot be negated/],
    ['«-»', /cannot be negated/],
    ['«-severity:ERROR»', /only module and action can be negated/],
    ['«-severity>=ERROR»', /only module and action can be negated/],
    ['«-actor:ana@example.com»', /can be negated/],
    ['«-since:-24h»', /can be negated/],
    ['«module>=a»', /only severity takes >=/],
    ['«severity>=ERROR,CRITICAL»', /one value/],
    ['«severity:bad»', /DEBUG, INFO, WARNING, ERROR, CRITICAL, got `bad`/],
    ['«severity:ERROR,bad»', /DEBUG, INFO, WARNING, ERROR, CRITICAL/],
    ['«origin:server»', /MODULE, BROWSER, got `server`/],
    ['«origin:module,browser»', /one value/],
    ['«actor:ana»', /user id \(UUID\) or an e-mail address, got `ana`/],
    [`«actor:${A},ana@example.com»`, /UUIDs.*got `ana@example.com`/],
    ['«resource:/42»', /resource type/],
    ['«resource:user/»', /resource type/],
    ['«resource:user,file»', /one value/],
    ['«client:acme»', /client id \(UUID\), got `acme`/],
    [`«client:${A},${B}»`, /one value/],
    ['«request:1»', /request id \(UUID\)/],
    ['«ip:10.0.0.0/33»', /IP address or a CIDR block/],
    ['«ip:10.0.0»', /CIDR/],
    ['«ip:10.0.0.01»', /CIDR/],
    ['«ip:1.2.3.4.»', /CIDR/],
    ['«ip:fe80::1%eth0»', /CIDR/],
    ['«ip:::1/129»', /CIDR/],
    ['«since:yesterday»', /date.*got `yesterday`/],
    ['«since:2026-02-30»', /date/],
    ['«since:24h»', /date/],
    ['«since:-24y»', /date/],
    ['«since:-99999999999999999999w»', /date/],
    ['«since:2026-01-05T10:00»', /date/],
    ['module:a «module:b»', /`module:` only once/],
    ['severity:ERROR «severity>=ERROR»', /`severity:` only once/],
    ['since:-1h x «SINCE:-2h»', /only once/],
    ['«module:a\0b»', /NUL/],
    ['«\ud800»', /lone surrogates/],
    [`«module:${Array.from({ length: 21 }, (_, index) => index).join(',')}»`, /at most 20 values, got 21/],
    [`-module:${Array.from({ length: 20 }, (_, index) => index).join(',')} «-module:x»`, /at most 20 values/],
    [`«module:${'m'.repeat(321)}»`, /at most 320 characters/],
    [`«${'t'.repeat(256)}»`, /at most 255 characters/],
    [`${'a '.repeat(50)}«b»`, /at most 50 terms/],
    [`«${'a '.repeat(1000)}b»`, /at most 2000 characters/],
  ])('is refused: %j', (marked, message) => {
    const line = marked.replace('«', '').replace('»', '');
    // An unclosed quote takes the rest of the line with it.
    const end = marked === '«it"s», not' ? line.length : marked.indexOf('»') - 1;
    const found = fault(line);
    expect(found.message).toMatch(message);
    expect([found.position, found.length]).toEqual([marked.indexOf('«'), end - marked.indexOf('«')]);
    expect(found.message.length).toBeLessThan(400);
  });

  it('may be as long as its bounds', () => {
    const twenty = Array.from({ length: 20 }, (_, index) => `m${index}`);
    expect(filterOf(`module:${twenty.join(',')}`).modules).toEqual(twenty);
    expect(filterOf(`module:${'😀'.repeat(320)}`).modules[0]).toHaveLength(640);
    expect(filterOf('t'.repeat(255)).searches).toHaveLength(1);
    expect(filterOf('a '.repeat(50)).searches).toEqual(['a']);
    expect(filterOf(`a${' '.repeat(1999)}`).searches).toEqual(['a']);
  });

  it('is read in no time, however its quotes and backslashes lie', () => {
    for (const unit of ['\\', '"', '\\"', '"\\', 'module:"', ',', '",'])
      for (const head of ['', '"', 'module:', 'module:"']) {
        const line = (head + unit.repeat(2000)).slice(0, 2000);
        const start = performance.now();
        expect(() => parseQueryLine(line, NOW)).toThrow(QueryLineError);
        expect(performance.now() - start).toBeLessThan(250);
      }
  });
});

describe('the canonical form', () => {
  it.each([
    ['', ''],
    ['  b   MODULE:x  "a" ', 'module:x b a'],
    [
      `until:-7d since:-024h ip:1.1.1.1 request:${B} client:${A}`,
      `client:${A} request:${B} ip:1.1.1.1 since:-24h until:-7d`,
    ],
    [
      'resource:user/42 actor:Ana@x.org origin:BROWSER severity>=error',
      'severity>=ERROR origin:browser actor:ana@x.org resource:user/42',
    ],
    ['-action:b -module:c -action:"d" action:a.* module:z', 'module:z -module:c action:a.* -action:b,d'],
    ['since:2026-01-05T00:00:00Z until:2026-01-05T23:59:59.999999Z', 'since:2026-01-05 until:2026-01-05'],
    ['since:2026-01-05T10:00:00.120+01:00', 'since:2026-01-05T09:00:00.12Z'],
    ['until:2026-01-05T00:00:00', 'until:2026-01-05T00:00:00Z'],
    ['module:"a b","c"', 'module:"a b",c'],
    ['"-x" "a:b" "http://a" "severity>=x" "x>=y" "a,b"', '"-x" "a:b" http://a "severity>=x" x>=y a,b'],
    ['resource:"user/4,2"', 'resource:"user/4,2"'],
    ['"a \\\\ b" "c \\\\\\" d" "e f\\\\"', '"a \\ b" "c \\\\\\" d" "e f\\\\"'],
  ])('of %j is %j', (line, expected) => {
    expect(canonical(line)).toBe(expected);
    expect(canonical(expected)).toBe(expected);
    expect(filterOf(expected)).toEqual(filterOf(line));
  });

  const raw = fc.string({
    unit: fc.constantFrom(
      'a',
      'b',
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
      'é',
      '😀',
      '\n',
      '\u00a0',
      'http://',
      'module',
      'since:',
    ),
    minLength: 1,
    maxLength: 12,
  });
  const quoted = raw.map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`);
  const list = fc.array(quoted, { minLength: 1, maxLength: 4 }).map((items) => items.join(','));
  const ids = fc.array(fc.uuid(), { minLength: 1, maxLength: 3 }).map((items) => items.join(','));
  const time = fc.oneof(
    fc
      .date({ min: new Date('0001-01-02'), max: new Date('9999-12-30'), noInvalidDate: true })
      .map((at) => at.toISOString()),
    fc
      .date({ min: new Date('0001-01-02'), max: new Date('9999-12-30'), noInvalidDate: true })
      .map((at) => at.toISOString().slice(0, 10)),
    fc.tuple(fc.nat(99_999), fc.constantFrom('m', 'h', 'd')).map(([count, unit]) => `-${count}${unit}`),
  );
  const severity = fc.constantFrom('debug', 'INFO', 'Warning', 'ERROR');
  const fields = fc.record(
    {
      module: list.map((value) => [`module:${value}`]),
      notModule: fc.array(list, { maxLength: 2 }).map((values) => values.map((value) => `-module:${value}`)),
      action: list.map((value) => [`Action:${value}`]),
      notAction: list.map((value) => [`-action:${value}`]),
      severity: fc.oneof(
        severity.map((one) => [`severity>=${one}`]),
        fc.array(severity, { minLength: 1 }).map((some) => [`severity:${some.join(',')}`]),
      ),
      origin: fc.constantFrom(['origin:browser'], ['ORIGIN:module']),
      actor: fc.oneof(
        ids.map((value) => [`actor:${value}`]),
        raw.map((text) => [`actor:"a@${text.replace(/["\\]/g, '\\$&')}"`]),
      ),
      resource: raw.map((text) => [`resource:"user/${text.replace(/["\\]/g, '\\$&')}"`]),
      client: fc.uuid().map((id) => [`client:${id}`]),
      ip: fc.oneof(fc.ipV4(), fc.ipV6()).map((ip) => [`ip:${ip}`]),
      since: time.map((at) => [`since:${at}`]),
      until: time.map((at) => [`until:${at}`]),
      texts: fc.array(quoted, { maxLength: 5 }),
    },
    { requiredKeys: [] },
  );

  it('reads as the same filter, and is its own canonical form', () => {
    fc.assert(
      fc.property(fields, fc.gen(), (terms, gen) => {
        const all = Object.values(terms).flat();
        const shuffled = gen(fc.shuffledSubarray, all, { minLength: all.length });
        const parsed = parseQueryLine(shuffled.join('  '), NOW);
        const printed = printQueryLine(parsed);
        expect(parseQueryLine(printed, NOW)).toEqual(parsed);
        expect(canonical(printed)).toBe(printed);
        expect(printed.length).toBeLessThanOrEqual(shuffled.join(' ').length);
      }),
      { numRuns: 2000 },
    );
  });

  it('exists for any line without fault, and a fault stands within its line', () => {
    const piece = fc.constantFrom(
      'module',
      'severity',
      'actor',
      ':',
      '>=',
      '-',
      '"',
      '\\',
      ' ',
      ',',
      'ERROR',
      'a@b',
      A,
      'http://',
      '/',
      'since:-1h',
      'x',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const line = pieces.join('');
        try {
          const parsed = parseQueryLine(line, NOW);
          expect(parseQueryLine(printQueryLine(parsed), NOW)).toEqual(parsed);
        } catch (error) {
          if (!(error instanceof QueryLineError)) throw error;
          expect(error.position).toBeGreaterThanOrEqual(0);
          expect(error.length).toBeGreaterThan(0);
          expect(error.position + error.length).toBeLessThanOrEqual(line.length);
          expect(line.slice(error.position)).toMatch(/^\S/);
        }
      }),
      { numRuns: 5000 },
    );
  });
});

it('knows every severity and origin that an entry can have', () => {
  expect(SEVERITIES).toEqual(Object.values(LogSeverity));
  expect(ORIGINS).toEqual(Object.values(LogOrigin));
});
