import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { exportPKCS8, generateKeyPair } from 'jose';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseQueryLine } from '../../src/query-line/parse.js';
import { expectLinear } from '../support/growth.js';
import { longestHold } from '../support/loop-hold.js';
import { RawClient, requestText } from '../support/raw-client.js';
import { person, startReel, type TestReel } from '../support/reel.js';

const root = resolve(import.meta.dirname, '..', '..');

/** Sources of the server; development only builds it. */
const SOURCES = globSync('src/**/*.ts', { cwd: root }).filter((file) => !/^src.development/.test(file));

/** Of every pattern that is written in them, where it stands. */
function patterns(): { place: string; pattern: RegExp }[] {
  return SOURCES.flatMap((file) => {
    const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest);
    const found: { place: string; pattern: RegExp }[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isRegularExpressionLiteral(node)) {
        const [, body = '', flags = ''] = /^\/(.*)\/([a-z]*)$/s.exec(node.text) ?? [];
        const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
        found.push({ place: `${file}:${line + 1} ${node.text}`, pattern: new RegExp(body, flags) });
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return found;
  });
}

/** Texts that are repeated to attack a pattern: what is written in it, and one of each kind of character. */
function pumps({ source }: RegExp): string[] {
  const literal = source
    .replaceAll(/\\[pP]\{[^}]*\}|\(\?<?[:=!]|[\^$()[\]{}*+?|]|\\[a-z]/gi, '\0')
    .replaceAll('\\', '');
  const words = literal.split('\0').filter((word) => word.length > 1);
  const singles = [...new Set([...literal.replaceAll('\0', ''), ...'a0 \n"\\.-_/%]=,é'])];
  return [...singles, ...words, ...words.map((word) => ` ${word}`), ...singles.map((each) => `${each}a`)];
}

/** What may come before and after a run, so that a pattern begins to match, and does not end as it should. */
const AROUND = [
  ['', ''],
  ['', '\n'],
  ['a', '"x'],
] as const;
const PATTERN_SIZE = 6_000;
/** CPU time of one pattern and one text: a linear one takes a hundredth, a quadratic one a hundred times as long. */
const PATTERN_MS = 8;

describe('every pattern of the server', () => {
  test('takes time that is linear in what it is given', () => {
    const slow: string[] = [];
    for (const { place, pattern } of patterns())
      for (const pump of pumps(pattern))
        for (const [before, after] of AROUND) {
          const text = before + pump.repeat(Math.ceil(PATTERN_SIZE / pump.length)) + after;
          const took = () => {
            const begun = process.threadCpuUsage();
            text.replace(pattern, '');
            const { user, system } = process.threadCpuUsage(begun);
            return (user + system) / 1_000;
          };
          if (took() > PATTERN_MS && took() > PATTERN_MS) slow.push(`${place} with ${JSON.stringify(pump)}`);
        }
    expect(slow).toEqual([]);
  });

  test('is written out, or of the query line, whose own test is below', () => {
    const made = SOURCES.filter((file) => /\bRegExp\(/.test(readFileSync(join(root, file), 'utf8')));
    expect(made.filter((file) => !file.startsWith(join('src', 'query-line')))).toEqual([]);
  });

  test.each([
    'a ',
    '"',
    '\\"',
    '"a" ',
    '-',
    'module:',
    'module:a,',
    'module:"a",',
    'data.',
    'data.a',
    'data["a"]',
    'data:',
    '(',
    'or ',
    '2026-01-01..',
    'since:1',
    '/',
    'resource:"',
    ':',
    '*',
  ])('a query line of %j', async (piece) => {
    const now = new Date();
    await expectLinear(4_096, (size) => {
      try {
        parseQueryLine(piece.repeat(size / piece.length), { now });
      } catch {
        // Most are none.
      }
    });
  });
});

let reel: TestReel;
beforeAll(async () => {
  const { privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  reel = await startReel({
    REEL_ENV: 'production',
    REEL_PLAYGROUND: 'on',
    REEL_SIGNING_KEY: await exportPKCS8(privateKey),
    REEL_ORIGIN: 'reel.example.com',
    REEL_TRUST_PROXY: '127.0.0.0/8,10.0.0.0/8',
    REEL_ALLOWED_ORIGINS: 'https://app.example.com',
  });
});
afterAll(() => reel?.close());

/** Sends a request and waits for its answer. */
async function send(text: string | Buffer): Promise<string> {
  const client = await RawClient.open(reel.url);
  void client.write(text);
  const answer = await client.until(/^HTTP\/1\.1 [\s\S]*\r\n\r\n/);
  client.socket.destroy();
  return answer;
}

const fill = (piece: string, size: number, after = '') =>
  piece.repeat(Math.floor(size / piece.length)) + after;

/** Headers of so many bytes, and what they are in. The parser takes 128 KiB of them. */
const HEAD = 28 * 1024;

const targets: Readonly<Record<string, (size: number) => string>> = {
  'slashes under /api/v1/reel': (size) => `/api/v1/reel/logs${fill('/', size)}`,
  'slashes under /api/v1/reel, and no end': (size) => `/api/v1/reel/logs${fill('/', size)}x`,
  'slashes within /api/v1/reel': (size) => `/api/v1/reel/logs${fill('/', size)}x/`,
  slashes: (size) => fill('/', size),
  'an id': (size) => `/api/v1/reel/logs/${fill('a', size)}`,
  steps: (size) => `/api/v1/reel/${fill('a/', size)}x`,
  escapes: (size) => `/api/v1/reel/${fill('%2f', size)}`,
  'bad escapes': (size) => `/${fill('%', size)}`,
  dots: (size) => `/assets/${fill('../', size)}x`,
  'a file': (size) => `/assets/${fill('a.', size)}`,
  'an absolute address': (size) => `http://x${fill('a.', size)}/api/v1/reel/logs/`,
  'a query of names': (size) => `/graphql?${fill('a&', size)}`,
  'a query of question marks': (size) => `/graphql${fill('?', size)}`,
  'a query of values': (size) => `/health/live?${fill('a=b&', size)}`,
  'a document': (size) => `/graphql?query=${fill('{a', size)}`,
  'variables that are deep': (size) => `/graphql?query={__typename}&variables=${fill('{"a":', size)}`,
  'variables of numbers': (size) => `/graphql?query={__typename}&variables={"a":[${fill('1e9999,', size)}0]}`,
  'an export link': (size) => `/api/v1/reel/exports/x.csv?token=${fill('a.', size)}`,
  'an export link of one part': (size) => `/api/v1/reel/exports/x.csv?token=e30.${fill('a', size)}.`,
};

const headers: Readonly<Record<string, (size: number) => Record<string, string>>> = {
  'Accept with a quotation mark': (size) => ({ Accept: `"${fill('a,', size)}` }),
  'Accept with many types': (size) => ({ Accept: fill('*/*,', size) }),
  'Accept with many weights': (size) => ({ Accept: `*/*${fill(';q=0', size)}` }),
  'Accept of spaces': (size) => ({ Accept: `a${fill(' ', size)}b` }),
  'Accept-Encoding': (size) => ({ 'Accept-Encoding': fill('gzip;q=0,', size) }),
  'Accept-Encoding of spaces': (size) => ({ 'Accept-Encoding': `a${fill(' ', size)}b` }),
  Range: (size) => ({ Range: `bytes=${fill('0-0,', size)}0-1` }),
  'If-None-Match': (size) => ({ 'If-None-Match': fill('"a",', size) }),
  'If-Modified-Since': (size) => ({ 'If-Modified-Since': fill('1 ', size) }),
  'Authorization of dots': (size) => ({ Authorization: `Bearer ${fill('.', size)}` }),
  'Authorization of a head': (size) => ({ Authorization: `Bearer ${fill('ey', size)}.e30.e30` }),
  'Authorization of a deep head': (size) => ({
    Authorization: `Bearer ${Buffer.from(fill('[', size)).toString('base64url')}.e30.e30`,
  }),
  'Authorization of a deep body': (size) => ({
    Authorization: `Bearer eyJhbGciOiJIUzI1NiJ9.${Buffer.from(fill('{"a":', size)).toString('base64url')}.e30`,
  }),
  'Authorization of signs': (size) => ({ Authorization: `Bearer ${fill('=', size)}x` }),
  'Authorization of spaces': (size) => ({ Authorization: `Bearer${fill(' ', size)};` }),
  'X-Forwarded-For': (size) => ({ 'X-Forwarded-For': fill('10.0.0.1,', size) }),
  'X-Forwarded-For of colons': (size) => ({ 'X-Forwarded-For': fill(':', size) }),
  'X-Forwarded-For of brackets': (size) => ({ 'X-Forwarded-For': `[${fill(']:1', size)}x` }),
  traceparent: (size) => ({ traceparent: `00-${fill('a', size)}` }),
  'X-Request-Id': (size) => ({ 'X-Request-Id': fill('a', size, '\u00e9') }),
  'X-Tenant-Id': (size) => ({ 'X-Tenant-Id': fill('a-', size) }),
  'User-Agent': (size) => ({ 'User-Agent': fill('a/(', size) }),
  Cookie: (size) => ({ Cookie: fill('a=b;', size) }),
  Origin: (size) => ({ Origin: `https://${fill('a.', size)}` }),
  Host: (size) => ({ Host: fill('a.', size) }),
  'many headers': (size) =>
    Object.fromEntries(Array.from({ length: size / 40 }, (_, at) => [`X-Header-${at}`, 'x'.repeat(20)])),
  'Sec-WebSocket-Protocol': (size) => ({
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol': Array.from({ length: size / 8 }, (_, at) => `p${at}`).join(','),
  }),
  'Access-Control-Request-Headers': (size) => ({
    Origin: 'https://app.example.com',
    'Access-Control-Request-Method': 'POST',
    'Access-Control-Request-Headers': fill('x-a,', size),
  }),
};

const types: Readonly<Record<string, (size: number) => string>> = {
  'of one word': (size) => fill('a', size),
  'of spaces': (size) => `application/json${fill(' ', size)};x`,
  'of parameters': (size) => `application/json${fill(';a=b', size)}`,
  'of semicolons': (size) => `application/json${fill(';', size)}`,
  'of open quotation marks': (size) => `application/json${fill(';a="\\', size)}`,
  'of a parameter without a value': (size) => `application/json;${fill('a', size)}`,
  'of plus signs': (size) => `application/${fill('+', size)}jso`,
};

describe('before the credential', () => {
  test.each(Object.keys(targets))('a path of %s', async (name) => {
    await expectLinear(HEAD, async (size) => {
      for (const method of ['GET', 'POST']) await send(requestText(`${method} ${targets[name]!(size)}`));
    });
  });

  test.each(Object.keys(headers))('headers: %s', async (name) => {
    // Past 16 KiB one is refused at once, but only then.
    const size = name.startsWith('Authorization') || name === 'Cookie' ? HEAD : 4 * 1024 - 32;
    await expectLinear(size, async (bytes) => {
      const given = headers[name]!(bytes);
      for (const path of ['/graphql?query={__typename}', '/api/v1/reel/logs', '/assets/x.js', '/'])
        await send(requestText(`GET ${path}`, given));
      await send(requestText('OPTIONS /graphql', given));
    });
  });

  test.each(Object.keys(types))('a Content-Type %s', async (name) => {
    await expectLinear(4 * 1024 - 32, async (size) => {
      const body = '{"query":"{ __typename }"}';
      const given = { 'Content-Type': types[name]!(size), 'Content-Length': String(body.length) };
      for (const path of ['/graphql', '/api/v1/reel/logs', '/nothing'])
        await send(requestText(`POST ${path}`, given, body));
      await send(requestText('GET /graphql?query={__typename}', given, body));
    });
  });
});

/** A whole body of so many bytes; without a credential 16 KiB are read. */
const bodies: Readonly<Record<string, (size: number) => string>> = {
  backslashes: (size) => `{"query":"${fill('\\\\', size)}`,
  'escaped quotation marks': (size) => `{"query":"${fill('\\"', size)}`,
  'deep lists': (size) => `{"query":${fill('[', size)}`,
  'deep objects': (size) => fill('{"a":', size),
  'deep variables': (size) =>
    `{"query":"{ __typename }","variables":${fill('{"a":', size / 2)}1${fill('}', size / 10)}}`,
  exponents: (size) => `{"query":"{ __typename }","variables":{"a":[${fill('1e400,', size)}1]}}`,
  'a long number': (size) => `{"query":"{ __typename }","variables":{"a":${fill('1', size)}}}`,
  'a long fraction': (size) => `{"query":"{ __typename }","variables":{"a":0.${fill('0', size)}1e5}}`,
  'names twice': (size) => `{${fill('"a":1,', size)}"query":"{ __typename }"}`,
  'many names': (size) =>
    `{"query":"{ __typename }","variables":{${Array.from({ length: size / 10 }, (_, at) => `"v${at}":1`)}}}`,
  spaces: (size) => fill(' ', size),
  'no UTF-8': (size) => `{"query":"${fill('\xff', size)}"}`,
};

const names = (count: number, make: (index: number) => string) =>
  Array.from({ length: Math.max(1, Math.floor(count)) }, (_, index) => make(index)).join(' ');
const CREATE = 'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }';

const documents: Readonly<Record<string, (size: number) => string>> = {
  'fields of one name': (size) => `{ ${fill('__typename ', size)} }`,
  'fields of one name in many sets': (size) => `{ ${fill('... { a a a a } ', size)} }`,
  'fields of one name, each with its own selection': (size) => `{ ${fill('a { a { a } } ', size)} }`,
  'fields with arguments': (size) => `{ ${names(size / 20, (at) => `a(b: ${at}, c: [1])`)} }`,
  'fields that are alike with arguments': (size) => `{ ${fill('log(id: "a") { id } ', size)} }`,
  aliases: (size) => `{ ${names(size / 16, (at) => `a${at}: __typename`)} }`,
  directives: (size) => `{ a ${fill('@skip(if: true) ', size)} }`,
  'unknown directives': (size) => `{ a ${names(size / 8, (at) => `@a${at}`)} }`,
  levels: (size) => `${fill('{ a ', size)}`,
  'whole levels': (size) => `${fill('{ a ', size / 2)}${fill('}', size / 8)}`,
  'lists of lists': (size) => `{ a(b: ${fill('[', size / 2)}${fill(']', size / 2)}) }`,
  'objects in objects': (size) => `{ a(b: ${fill('{ c: ', size / 2)}1${fill('}', size / 10)}) }`,
  'fragments that are spread often': (size) =>
    `{ ${fill('...F ', size)} } fragment F on Query { __typename }`,
  'fragments that spread one another': (size) =>
    `{ ...F0 } ${names(size / 40, (at) => `fragment F${at} on Query { ...F${at + 1} a }`)}`,
  'fragments that spread all others': (size) => {
    const count = Math.sqrt(size / 8);
    const all = names(count, (at) => `...F${at}`);
    return `{ ${all} } ${names(count, (at) => `fragment F${at} on Query { ${all} }`)}`;
  },
  'fragments that double at each level': (size) =>
    `{ ...F0 } ${names(size / 60, (at) => `fragment F${at} on Query { a { ...F${at + 1} } b { ...F${at + 1} } }`)}`,
  'fragments in a circle': (size) => {
    const count = Math.floor(size / 36);
    return `{ ...F0 } ${names(count, (at) => `fragment F${at} on Query { ...F${(at + 1) % count} }`)}`;
  },
  'operations that share fragments': (size) =>
    `${names(size / 40, (at) => `query Q${at} { ...F0 }`)} ${names(size / 40, (at) => `fragment F${at} on Query { ...F${at + 1} }`)}`,
  'variables that nobody uses': (size) =>
    `query (${names(size / 12, (at) => `$v${at}: Int`)}) { __typename }`,
  'variables that nobody declares': (size) => `{ a(b: [${names(size / 6, (at) => `$v${at}`)}]) }`,
  'unknown fields': (size) => `{ ${names(size / 10, (at) => `log${at}`)} }`,
  'unknown fields of long names': (size) => `{ ${fill('l', size)} }`,
  'unknown types': (size) => `query (${names(size / 16, (at) => `$v${at}: LogFilte${at}`)}) { __typename }`,
  'unknown arguments': (size) => `{ logs(${names(size / 12, (at) => `firs${at}: 1`)}) { nodes { id } } }`,
  'unknown values': (size) => `{ logs(orderBy: ${fill('N', size)}) { nodes { id } } }`,
  'a text of suggestions': (size) => `{ logs(first: "${fill('Did you mean ', size)}") { nodes { id } } }`,
  'a text of suggestions that end': (size) =>
    `{ logs(first: "${fill(' Did you mean ?', size)}") { nodes { id } } }`,
  comments: (size) => fill('#a\n', size),
  'a block of text': (size) => `{ a(b: """${fill('\n ', size)}""") }`,
  'a text of escapes': (size) => `{ a(b: "${fill('\\u{41}', size)}") }`,
  braces: (size) => fill('{', size),
  commas: (size) => fill(',', size),
};

/** What stands for the input of createLog. */
const inputs: Readonly<Record<string, (size: number) => string>> = {
  'bad values': (size) => `{"module":"m","action":[${fill('1,', size)}1]}`,
  'unknown fields': (size) => `{${Array.from({ length: size / 14 }, (_, at) => `"modul${at}":1`)}}`,
  'a long unknown field': (size) => `{"${fill('m', size)}":1}`,
  'a text of suggestions': (size) => `"${fill('Did you mean ', size)}"`,
  'deep data': (size) =>
    `{"module":"m","action":"a","data":{"a":${fill('[', size / 2)}${fill(']', size / 2)}}}`,
  'wide data': (size) => `{"module":"m","action":"a","data":{"a":[${fill('{},', size)}1]}}`,
};

/** Without a credential 16 KiB are read. */
const BODY = 4 * 1024 - 80;

async function post(body: string | Buffer, more: Record<string, string> = {}): Promise<string> {
  const head = requestText('POST /graphql', {
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    ...more,
  });
  return send(Buffer.concat([Buffer.from(head), Buffer.from(body)]));
}

describe('a body without a credential', () => {
  test.each(Object.keys(bodies))('of JSON: %s', async (name) => {
    await expectLinear(BODY, (size) => post(Buffer.from(bodies[name]!(size), 'latin1')));
  });

  test.each(Object.keys(documents))('of a document: %s', async (name) => {
    await expectLinear(BODY * 0.8, async (size) => {
      for (const accept of ['application/json', 'text/event-stream'])
        await post(JSON.stringify({ query: documents[name]!(size) }), { Accept: accept });
    });
  });

  test.each(Object.keys(inputs))('of variables: %s', async (name) => {
    await expectLinear(BODY, (size) =>
      post(`{"query":${JSON.stringify(CREATE)},"variables":{"input":${inputs[name]!(size)}}}`),
    );
  });

  test('that is packed a thousandfold', async () => {
    const size = 4_000_000;
    const packed = new Map(
      [1, 2, 4].map((times) => [times * size, gzipSync(Buffer.alloc(times * size, ' '))]),
    );
    await expectLinear(size, (bytes) => post(packed.get(bytes)!, { 'Content-Encoding': 'gzip' }));
  });
});

/** Values that are wrong in as many places as fit, of a mebibyte. */
const MIB = 1024 * 1024 - 200;
test.each([...Object.keys(inputs).filter((name) => name !== 'deep data'), 'a wide text'])(
  'a person whose variables are wrong does not hold the event loop: %s',
  async (name) => {
    const token = await person();
    const input =
      name === 'a wide text'
        ? `{"module":"m","action":{${Array.from({ length: MIB / 60 }, (_, at) => `"k${at}":"${'x'.repeat(44)}"`)}}}`
        : inputs[name]!(MIB * 0.9);
    const body = `{"query":${JSON.stringify(CREATE)},"variables":{"input":${input}}}`;
    const headers = { Authorization: `Bearer ${token}` };
    const ask = async () => expect(await post(body, headers)).toMatch(/^HTTP\/1\.1 (200|4\d\d) /);
    // The least of several, since the first compiles; three times what is promised, for slow machines. Seconds without care.
    expect(Math.min(await longestHold(ask), await longestHold(ask), await longestHold(ask))).toBeLessThan(
      300,
    );
  },
);

test('none of it holds the event loop for 100 ms', async () => {
  const held: Record<string, number> = {};
  const hold = async (name: string, work: () => Promise<unknown>) => {
    const longest = Math.min(await longestHold(work), await longestHold(work));
    if (longest >= 100) held[name] = longest;
  };
  for (const [name, make] of Object.entries(targets))
    await hold(name, () => send(requestText(`GET ${make(4 * HEAD)}`)));
  for (const [name, make] of Object.entries(headers))
    await hold(name, () => send(requestText('GET /graphql?query={__typename}', make(4 * HEAD))));
  for (const [name, make] of Object.entries(documents))
    await hold(name, () => post(JSON.stringify({ query: make(4 * BODY * 0.8) })));
  for (const [name, make] of Object.entries(bodies))
    await hold(name, () => post(Buffer.from(make(4 * BODY), 'latin1')));
  expect(held).toEqual({});
});
