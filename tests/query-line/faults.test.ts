import { describe, expect, it } from 'vitest';
import { FAULTS, type FaultCode, QueryLineError } from '../../src/query-line/fault.js';
import { parseQueryLine } from '../../src/query-line/parse.js';

const OPTIONS = { now: new Date('2026-01-10T12:00:00.250Z'), timeZone: 'UTC' };
const A = '6f2b4c0e-0000-4000-8000-0000000000aa';

function faultOf(line: string, timeZone = 'UTC'): QueryLineError {
  try {
    parseQueryLine(line, { ...OPTIONS, timeZone });
  } catch (error) {
    if (error instanceof QueryLineError) return error;
    throw error;
  }
  throw new Error(`no fault in ${line}`);
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index).join(',');

/** The faulty term stands between « and »; then what the message has to say, and the line mended, null where there is no one right spelling. */
const CASES: readonly [string, FaultCode, RegExp, string | null][] = [
  ['«modul:x»', 'UNKNOWN_FIELD', /did you mean `module:`/, 'module:x'],
  ['😀 «-acction:a» b', 'UNKNOWN_FIELD', /did you mean `-action:`/, '😀 -action:a b'],
  ['«acton:a»', 'UNKNOWN_FIELD', /one of module, action/, null],
  ['«resource_type:invoice»', 'UNKNOWN_FIELD', /did you mean `resource:`/, 'resource:invoice'],
  ['«resourceType!=invoice»', 'UNKNOWN_FIELD', /did you mean `resource:`/, '-resource:invoice'],
  ['«resource_id:42»', 'UNKNOWN_FIELD', /one of module, action/, null],
  ['«actor.email:x@y.example»', 'UNKNOWN_FIELD', /did you mean `actor:`/, 'actor:x@y.example'],
  ['«user:"Ana Souza"»', 'UNKNOWN_FIELD', /did you mean `actor:`/, 'actor:"Ana Souza"'],
  ['«not_modules:a»', 'UNKNOWN_FIELD', /did you mean `-module:`/, '-module:a'],
  ['«min_severity:ERROR»', 'UNKNOWN_FIELD', /did you mean `severity>=`/, 'severity>=ERROR'],
  ['«createdAt>=2026-01-05»', 'UNKNOWN_FIELD', /did you mean `since:`/, 'since:2026-01-05'],
  [
    '«occurred_at<2026-01-05»',
    'UNKNOWN_FIELD',
    /did you mean `occurred-until:`/,
    'occurred-until:2026-01-05',
  ],
  ['«occurred_since:-1h»', 'UNKNOWN_FIELD', /did you mean `occurred-since:`/, 'occurred-since:-1h'],
  ['«search:timeout»', 'UNKNOWN_FIELD', /did you mean `"timeout"`/, 'timeout'],
  ['«foo:bar»', 'UNKNOWN_FIELD', /one of module, action.*in quotes, `"foo:bar"`/, '"foo:bar"'],
  ['«-x>=3»', 'UNKNOWN_FIELD', /in quotes/, '-"x>=3"'],
  ['«a1:b»', 'UNKNOWN_FIELD', /in quotes/, '"a1:b"'],
  ['«ação:x»', 'UNKNOWN_FIELD', /unknown field `ação:`/, '"ação:x"'],
  ['«ftp://x»', 'UNKNOWN_FIELD', /unknown field `ftp:`/, '"ftp://x"'],
  ['«constructor:x»', 'UNKNOWN_FIELD', /unknown field/, '"constructor:x"'],
  ['«module=billing»', 'BAD_OPERATOR', /`module:`/, 'module:billing'],
  ['«module==billing»', 'BAD_OPERATOR', /`module:`/, 'module:billing'],
  ['«severity!=DEBUG»', 'BAD_OPERATOR', /`-severity:`/, '-severity:DEBUG'],
  ['«-severity<>DEBUG»', 'BAD_OPERATOR', /`-severity:`/, 'severity:DEBUG'],
  ['«severity=>error»', 'BAD_OPERATOR', />=/, 'severity>=error'],
  ['«since>=2026-01-05»', 'BAD_OPERATOR', /`since:`/, 'since:2026-01-05'],
  ['«module>a»', 'BAD_OPERATOR', /only severity and data/, null],
  ['«data.amount!=1»', 'BAD_OPERATOR', /one of : >= > <= </, '-data.amount:1'],
  ['«data.amount:>1000»', 'BAD_OPERATOR', /behind|after the operator/, 'data.amount>1000'],
  ['«data.amount:=1»', 'BAD_OPERATOR', /after the operator/, 'data.amount:1'],
  ['«module=a» severity!=DEBUG', 'BAD_OPERATOR', /./, 'module:a -severity:DEBUG'],
  ['«severity >=» ERROR', 'SPACED_OPERATOR', /no white space/, 'severity>=ERROR'],
  ['a «module :b» c', 'SPACED_OPERATOR', /no white space/, 'a module:b c'],
  ['«data.amount >1000»', 'SPACED_OPERATOR', /no white space/, 'data.amount>1000'],
  ['«severity >=»', 'SPACED_OPERATOR', /no white space/, null],
  ['«module:»', 'EMPTY_VALUE', /a value after `module:`/, null],
  ['a «-module:» b', 'EMPTY_VALUE', /a value after/, 'a -module:b'],
  ['«severity:» error module:a', 'EMPTY_VALUE', /a value after/, 'severity:error module:a'],
  ['«severity>=»', 'EMPTY_VALUE', /a value after/, null],
  ['«module:""»', 'EMPTY_VALUE', /between the quotes/, null],
  ['«module:» severity:ERROR', 'EMPTY_VALUE', /a value after/, null],
  ['«module:a,,b»', 'EMPTY_ITEM', /no empty value/, 'module:a,b'],
  ['«module:,a»', 'EMPTY_ITEM', /no empty value/, 'module:a'],
  ['«module:a,» b', 'EMPTY_ITEM', /no empty value/, 'module:a,b'],
  ['«module:,»', 'EMPTY_ITEM', /no empty value/, null],
  ['«module:a,""»', 'EMPTY_ITEM', /no empty value/, 'module:a'],
  ['«""»', 'EMPTY_TEXT', /between the quotes/, null],
  ['«-""»', 'EMPTY_TEXT', /between the quotes/, null],
  ['«" "»', 'EMPTY_TEXT', /text that can be seen/, null],
  ['«"\u200b\u00a0"»', 'EMPTY_TEXT', /between the quotes/, null],
  ['x «"abc def»', 'UNCLOSED_QUOTE', /closing " .* position 2/, 'x "abc def"'],
  ['«module:"a\\"»', 'UNCLOSED_QUOTE', /position 7/, 'module:"a\\""'],
  ['«"a\\»', 'UNCLOSED_QUOTE', /position 0/, '"a\\\\"'],
  ['«module:"a severity:ERROR»', 'UNCLOSED_QUOTE', /closing/, null],
  ['«it"s, not»', 'UNCLOSED_QUOTE', /position 2/, null],
  ['«"a"b»', 'TOUCHING_QUOTE', /white space/, null],
  ['«b"a"»', 'TOUCHING_QUOTE', /white space/, null],
  ['«"a""b"»', 'TOUCHING_QUOTE', /white space/, null],
  ['«module:"a"b»', 'TOUCHING_QUOTE', /white space/, null],
  ['«module:"a","b"c»', 'TOUCHING_QUOTE', /white space/, null],
  ['«resource:"a"b/c»', 'TOUCHING_QUOTE', /white space/, null],
  ['«resource:a/"b"c»', 'TOUCHING_QUOTE', /white space/, null],
  ['«data.a."b c"»', 'TOUCHING_QUOTE', /white space/, null],
  [
    'module:billing «AND» action:invoices.pay',
    'BOOLEAN_WORD',
    /all of them must hold/,
    'module:billing action:invoices.pay',
  ],
  ['module:a «AND» module:b', 'BOOLEAN_WORD', /./, null],
  ['module:a «OR» module:b OR module:c x', 'BOOLEAN_WORD', /`module:a,b`/, 'module:a,b,c x'],
  ['module:a «OR» severity:ERROR', 'BOOLEAN_WORD', /./, null],
  ['a «OR» b', 'BOOLEAN_WORD', /./, null],
  ['module:a «OR» module:b AND severity:ERROR', 'BOOLEAN_WORD', /./, null],
  ['«NOT» module:guardian', 'BOOLEAN_WORD', /`-module:a`/, '-module:guardian'],
  ['a «AND» NOT "b c"', 'BOOLEAN_WORD', /./, 'a -"b c"'],
  ['«NOT» -a', 'BOOLEAN_WORD', /./, null],
  ['a «NOT»', 'BOOLEAN_WORD', /in quotes, `"NOT"`/, null],
  ['«AND»', 'BOOLEAN_WORD', /in quotes, `"AND"`/, null],
  ['a «-OR»', 'BOOLEAN_WORD', /in quotes/, null],
  ['«!module:x»', 'EXCLAMATION_MARK', /`-module:a`/, '-module:x'],
  ['«!timeout» b', 'EXCLAMATION_MARK', /in quotes/, '-timeout b'],
  ['«!» timeout', 'EXCLAMATION_MARK', /in quotes/, '-timeout'],
  ['«!!»', 'EXCLAMATION_MARK', /in quotes/, null],
  ['«-!x»', 'EXCLAMATION_MARK', /in quotes/, null],
  ['«(severity:ERROR)» x', 'PARENTHESES', /all terms/, 'severity:ERROR x'],
  ['«(module:a» OR module:b)', 'PARENTHESES', /all terms/, 'module:a,b'],
  ['«(module:a» x) OR module:b', 'PARENTHESES', /all terms/, null],
  ['«-»', 'BAD_NEGATION', /in quotes, `"-"`/, '"-"'],
  ['«--force»', 'BAD_NEGATION', /in quotes, `"--force"`/, '"--force"'],
  ['«-since:-24h»', 'NOT_NEGATABLE', /without -/, null],
  ['«-occurred-until:2026-01-05»', 'NOT_NEGATABLE', /without -/, null],
  ['«severity>=ERROR,CRITICAL»', 'ONE_VALUE', /one value/, null],
  ['«origin:module,browser»', 'ONE_VALUE', /one value/, null],
  ['«resource:user,file»', 'ONE_VALUE', /one value/, null],
  ['«ip:10.0.0.1,10.0.0.2»', 'ONE_VALUE', /one value/, null],
  ['«data.a>1,5»', 'ONE_VALUE', /one value/, null],
  ['module:a x «module:b» y', 'REPEATED_FIELD', /only once.*`module:a,b`/, 'module:a,b x y'],
  ['module:a «MODULE:"a"»', 'REPEATED_FIELD', /only once/, 'module:a'],
  ['severity>=WARNING «severity<CRITICAL»', 'REPEATED_FIELD', /only once/, 'severity:WARNING,ERROR'],
  ['severity>ERROR «severity<ERROR»', 'REPEATED_FIELD', /only once/, null],
  ['origin:module «origin:browser»', 'REPEATED_FIELD', /only once/, null],
  ['since:-1h x «SINCE:-2h»', 'REPEATED_FIELD', /only once/, null],
  ['«users*:x»', 'MISPLACED_WILDCARD', /at the end of a value/, null],
  ['«*:x»', 'MISPLACED_WILDCARD', /at the end of a value/, null],
  ['«module:bill*ing»', 'MISPLACED_WILDCARD', /only at the end.*in quotes it means itself/, null],
  ['«module:bill*»', 'MISPLACED_WILDCARD', /only at the end/, null],
  ['«action:*.create»', 'MISPLACED_WILDCARD', /only at the end/, null],
  ['«action:users.**»', 'MISPLACED_WILDCARD', /only at the end/, null],
  ['«resource:inv*»', 'MISPLACED_WILDCARD', /only at the end/, null],
  ['«behalf:auth0|*»', 'MISPLACED_WILDCARD', /only at the end/, null],
  ['«data.a:b*»', 'MISPLACED_WILDCARD', /only at the end/, null],
  ['«data.a>*»', 'MISPLACED_WILDCARD', /only at the end/, null],
  [
    'since:2026-02-01 a «until:2026-01-01»',
    'REVERSED_RANGE',
    /`since` before `until`/,
    'since:2026-01-01 a until:2026-02-01',
  ],
  [
    'occurred-until:-7d «occurred-since:-24h»',
    'REVERSED_RANGE',
    /before/,
    'occurred-until:-24h occurred-since:-7d',
  ],
  ['«severity:bad»', 'BAD_SEVERITY', /DEBUG, INFO, WARNING, ERROR, CRITICAL, got `bad`/, null],
  ['«severity:ERROR,warn»', 'BAD_SEVERITY', /got `warn`/, 'severity:ERROR,WARNING'],
  ['«severity:>=error»', 'BAD_SEVERITY', /got `>=error`/, 'severity>=ERROR'],
  ['«severity:!debug»', 'BAD_SEVERITY', /./, '-severity:DEBUG'],
  ['«severity>=fatal»', 'BAD_SEVERITY', /./, 'severity>=CRITICAL'],
  ['«severity:*»', 'BAD_SEVERITY', /./, null],
  ['«outcome:failed»', 'BAD_OUTCOME', /SUCCESS, FAILURE, DENIED/, 'outcome:FAILURE'],
  ['«origin:server»', 'BAD_ORIGIN', /MODULE, BROWSER/, null],
  ['«type:robot»', 'BAD_ACTOR_TYPE', /USER, SERVICE, AGENT, SYSTEM, ANONYMOUS/, null],
  ['«resource:/42»', 'BAD_RESOURCE', /type\/id/, null],
  ['«resource:user/»', 'BAD_RESOURCE', /type\/id/, null],
  ['«client:acme»', 'BAD_UUID', /client id \(UUID\) or none, got `acme`/, null],
  ['«client:"none"»', 'BAD_UUID', /UUID/, null],
  [`«id:${A},1»`, 'BAD_UUID', /UUIDs\), got `1`/, null],
  ['«ip:10.0.0.0/33»', 'BAD_ADDRESS', /CIDR/, null],
  ['«ip:10.0.*»', 'BAD_ADDRESS', /CIDR/, 'ip:10.0.0.0/16'],
  ['«ip:10.0.0»', 'BAD_ADDRESS', /CIDR/, null],
  ['«ip:10.0.0.01»', 'BAD_ADDRESS', /CIDR/, null],
  ['«ip:::1/129»', 'BAD_ADDRESS', /CIDR/, null],
  ['«ip:none»', 'BAD_ADDRESS', /CIDR/, null],
  ['«since:yesterday»', 'BAD_TIME', /date.*got `yesterday`/, null],
  ['«since:24h»', 'BAD_TIME', /-24h/, 'since:-24h'],
  ['«since:-24H»', 'BAD_TIME', /-24h/, 'since:-24h'],
  ['«since:-24y»', 'BAD_TIME', /-24h/, null],
  ['«since:2026-1-5»', 'BAD_TIME', /date/, 'since:2026-01-05'],
  ['«since:2026-01-05T10:00»', 'BAD_TIME', /date/, 'since:2026-01-05T10:00:00'],
  ['«since:2026-02-30»', 'BAD_TIME', /date/, null],
  ['«since:-99999999999999999999w»', 'BAD_TIME', /date/, null],
  ['«data:x»', 'BAD_PATH', /`data\.invoice\.amount`/, null],
  ['«data.:x»', 'BAD_PATH', /path in data/, null],
  ['«data.a..b:x»', 'BAD_PATH', /path in data/, null],
  ['«data.items[0].sku:x»', 'BAD_PATH', /\[\*\]/, null],
  ['«data.items.*.sku:x»', 'BAD_PATH', /\[\*\]/, 'data.items[*].sku:x'],
  ['«-data.labels.k8s.io/name:x»', 'BAD_PATH', /path in data/, '-data.labels.k8s."io/name":x'],
  [`«data.${'a.'.repeat(200)}b:x»`, 'BAD_PATH', /path in data/, null],
  ['«module:a\0b»', 'BAD_CHARACTER', /NUL/, null],
  ['«\ud800»', 'BAD_CHARACTER', /lone surrogates/, null],
  [`«${'a '.repeat(1000)}b»`, 'LINE_TOO_LONG', /at most 2000 characters/, null],
  [`«module:${'m'.repeat(321)}»`, 'VALUE_TOO_LONG', /at most 320 characters/, null],
  [`«resource:x/${'m'.repeat(1025)}»`, 'VALUE_TOO_LONG', /at most 1024 characters/, null],
  [`«${'t'.repeat(256)}»`, 'VALUE_TOO_LONG', /at most 255 characters/, null],
  [`${'a '.repeat(50)}«b»`, 'TOO_MANY_TERMS', /at most 50 terms/, null],
  [`«module:${numbers(21)}»`, 'TOO_MANY_VALUES', /at most 20 values, got 21/, null],
  [`-module:${numbers(20)} «-module:x»`, 'TOO_MANY_VALUES', /at most 20 values/, null],
];

describe('a fault', () => {
  it.each(CASES)('%s is %s', (marked, code, message, suggestion) => {
    const line = marked.replace('«', '').replace('»', '');
    const fault = faultOf(line);
    expect([fault.fault, fault.suggestion]).toEqual([code, suggestion]);
    expect(fault.message).toMatch(message);
    expect(fault.message.length).toBeLessThan(400);
    const [from, end] = [marked.indexOf('«'), marked.indexOf('»') - 1];
    if (end > from) expect([fault.position, fault.length]).toEqual([from, end - from]);
    if (suggestion !== null) parseQueryLine(suggestion, OPTIONS);
  });

  it('has every code there is', () => {
    expect(new Set(CASES.map(([, code]) => code))).toEqual(new Set(FAULTS));
  });

  it('is a date that the time zone skipped', () => {
    expect(faultOf('since:2011-12-30', 'Pacific/Apia')).toMatchObject({
      fault: 'BAD_TIME',
      suggestion: null,
    });
  });

  it('takes linear time, whatever the line holds', () => {
    const units = [
      '\\',
      '"',
      '\\"',
      '"\\',
      'module:"',
      ',',
      '",',
      'a=b ',
      '!a ',
      'NOT ',
      'AND ',
      'a OR ',
      '(',
      '*',
      '-',
      'data.',
      'data."a".',
      '[*]',
      '.',
      ':',
      'é.',
      'module:a ',
      '-id:x,',
      'severity >= ',
      '😀',
    ];
    for (const unit of units)
      for (const head of ['', '"', 'module:', 'module:"', 'data.', 'since:', '-']) {
        const line = (head + unit.repeat(2000)).slice(0, 2000);
        const start = performance.now();
        try {
          parseQueryLine(line, OPTIONS);
        } catch (error) {
          expect(error).toBeInstanceOf(QueryLineError);
        }
        expect(performance.now() - start, line.slice(0, 20)).toBeLessThan(500);
      }
  });
});
