/** What is sent: for each way in, valid requests and what chance makes of them. */
import { deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { odd, oddText, signed } from '../support/odd-values.js';
import { frameOf, type HttpCase, type SocketCase, toBytes } from './wire.js';

export interface World {
  tenantId: string;
  person: string;
  module: string;
  /** Of a page of the tenant's entries. */
  cursors: string[];
  /** Paths of export links. */
  links: string[];
  jwtSecret: string;
  serviceSecret: string;
}

export const HTTP_TARGETS = [
  'documents',
  'variables',
  'query lines',
  'JSON bodies',
  'tokens',
  'cursors',
  'links',
  'encodings',
  'addresses',
] as const;
export type HttpTarget = (typeof HTTP_TARGETS)[number];

const REST = '/api/v1/reel';
const JSON_TYPE = { 'content-type': 'application/json' };
const escaped = (text: string) =>
  Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
/** The bytes of a text in UTF-8, as a header or a path may have them: without control characters. */
const onWire = (text: string, instead: string) =>
  Array.from(Buffer.from(text), (byte) =>
    byte <= 32 || byte === 127 ? instead : String.fromCharCode(byte),
  ).join('');
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** A text with pieces left out, doubled, moved, or replaced by odd ones. */
const mutated = (texts: readonly string[], pieces: readonly string[] = []): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom(...texts),
      fc.array(fc.tuple(fc.nat(400), fc.nat(30), fc.oneof(oddText, fc.constantFrom('', ...pieces))), {
        minLength: 1,
        maxLength: 3,
      }),
    )
    .map(([text, changes]) =>
      changes.reduce((before, [at, length, piece]) => {
        const start = before.length === 0 ? 0 : at % before.length;
        return before.slice(0, start) + piece + before.slice(start + length);
      }, text),
    );

const DOCUMENTS = [
  'query ($a: Int) { logs(first: $a) { nodes { id data related(first: 3) { id } changes { path before after } } totalCount(exact: true) { value precision } pageInfo { endCursor searchedUntil } } }',
  'query Q($f: LogFilter = {modules: ["a"]}) { logs(filter: $f) { edges { cursor node { ...F } } } } fragment F on LogEntry { id changes { path } proof { leafHash path checkpoint { note } } }',
  'mutation ($input: CreateLogInput!) { createLog(input: $input) { id repaired } }',
  '{ logStats(timeZone: "Europe/Lisbon") { timeline(interval: MONTH) { start bySeverity { key count } } facet(field: ACTOR, first: 5) { key label } } }',
  '{ me { id tenants { id name mayView clients { id } } } checkpoint { note } consistencyProof(first: 1, second: 2) { path } }',
  'mutation { writeLogs(inputs: [{module: "a", action: "b", data: {a: 1e3, b: """block "" text"""}}]) { code message entry { id } } }',
  'query A { __typename } query B { logs { nodes { id } } } subscription C { logAdded { id } }',
];
const WORDS =
  'query mutation subscription fragment on { } ( ) [ ] : ! $ @ ... = | & "" """ # 1 -1 1e999 0x1 1.5.5 true null logs log nodes id first: filter: after: input: __typename __schema __type @skip(if:true) @include @defer @mentor \\u{110000} \\ud800 \u0000 \ufeff'.split(
    ' ',
  );

const OPERATIONS = [
  'query ($filter: LogFilter, $first: Int, $last: Int, $page: Int, $after: String, $before: String, $timeZone: String! = "UTC", $orderBy: LogOrder! = NEWEST_FIRST) { logs(filter: $filter, first: $first, last: $last, page: $page, after: $after, before: $before, timeZone: $timeZone, orderBy: $orderBy) { nodes { id changes { path } } pageInfo { endCursor searchedUntil } totalCount { value } } }',
  'query ($filter: LogFilter, $timeZone: String! = "UTC", $interval: StatsInterval! = DAY, $field: LogFacet! = MODULE, $first: Int! = 3) { logStats(filter: $filter, timeZone: $timeZone) { totalEntries timeline(interval: $interval) { count } facet(field: $field, first: $first) { key } } }',
  'query ($id: UUID!, $first: Int! = 2) { log(id: $id) { id related(first: $first) { id } } }',
  'mutation ($input: ExportLogsInput!) { exportLogs(input: $input) { recordCount } }',
  'query ($first: Count!, $second: Count!) { consistencyProof(first: $first, second: $second) { path } }',
];
const FILTER =
  'startDate endDate modules notModules actions notActions severities minSeverity origin occurredFrom occurredUntil ids actorIds notActorIds actorEmail actorName actorTypes onBehalfOfId outcomes resourceType resourceId clientId requestId ipAddress notIpAddress search notSearch data query'.split(
    ' ',
  );

/** Pieces of query lines, which chance puts together. */
const LINE_PIECES =
  'module action severity origin actor actor.id actor.email actor.name actor.type resource resource.id client request ip since until occurred outcome data. data.a.b data."x y"[*] id : = >= <= > < != - -- " \\" \\\\ , * ( ) [ ] { } OR AND NOT ERROR error INFO -24h 7d today yesterday 2026-01-05 2026-13-45 2026-01-05T10:00:00Z ::/0 10.0.0.0/8 1e400 null true users.* %_ ana@example.com \u0000 \u202e \ud83d'.split(
    ' ',
  );
const LINES = [
  'module:guardian severity>=ERROR -action:users.login actor:ana@example.com "free text"',
  'since:-24h until:2026-01-05 ip:10.0.0.0/8 data.invoice.amount>1000 resource:invoice/42',
];
const queryLine = fc.oneof(
  mutated(LINES, LINE_PIECES),
  fc.array(fc.constantFrom(...LINE_PIECES, ' ', ' ', ''), { maxLength: 30 }).map((pieces) => pieces.join('')),
  fc
    .tuple(fc.constantFrom(...LINE_PIECES, '"a', '\\', '(', '-'), fc.nat(2_500))
    .map(([piece, times]) => piece.repeat(times).slice(0, 2_500)),
);

const BODIES = [
  '{"module":"fuzz","action":"a.b","severity":"INFO","data":{"before":{"a":1.10},"after":{"a":[null,true,"x"]}},"occurred_at":"2026-01-05T10:00:00.123456Z","ip_address":"::ffff:10.0.0.1","repair":true}',
  '{"entries":[{"module":"fuzz","action":"a","idempotency_key":"k"},{"module":"fuzz","action":"b","data":{"n":-0}}]}',
  '{"module":"fuzz","action":"a"}\n{"module":"fuzz","action":"b"}',
  '{"filter":{"query":"module:a","severity":"ERROR","start_date":"2026-01-05"},"format":"ndjson","include_data":true,"include_proofs":true}',
  '{"query":"{ __typename }","variables":{"a":1},"operationName":null,"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}',
];
const JSON_PIECES = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\u0000',
    '\\ud800',
    '\\',
    '1e400',
    '-0',
    '9007199254740993',
    '1e21',
  ],
  ...[
    '0.1000000000000000055',
    '00',
    '+1',
    'NaN',
    '"module":"x",',
    '"__proto__":{},',
    '\u0000',
    '\ufeff',
    '\u2028',
    '['.repeat(400),
  ],
  ...[
    '"tenant_id":null,',
    '"data":{"a":{},"a":{}},',
    '"severity":"error",',
    '"occurred_at":"0000-00-00T00:00:00Z",',
    `"data":${'{"a":'.repeat(40)}1${'}'.repeat(40)},`,
  ],
];
const POST_PATHS = [`${REST}/logs`, `${REST}/logs/batch`, `${REST}/logs/export`, '/graphql'];

const CLAIMS = 'sub email iat exp nbf name grants tenants module iss aud jti'.split(' ');
const HEADS = [
  ...[
    { alg: 'HS256' },
    { alg: 'none' },
    { alg: 'hs256' },
    { alg: ['HS256'] },
    { alg: 'HS256', crit: ['exp'] },
    [],
    'x',
    null,
    {},
  ],
  ...[
    { alg: 'HS256', zip: 'DEF' },
    { alg: 'HS256', b64: false, crit: ['b64'] },
    { alg: 'RS256', jwk: { kty: 'oct', k: 'AAAA' } },
  ],
];

const TYPES = [
  ...[
    'application/json',
    'application/json; charset=utf-8',
    'application/json; charset="UTF-8"',
    'application/json;charset=utf-16',
  ],
  ...[
    'application/json; charset=',
    'application/json;;;',
    'application/vnd.api+json',
    'application/x-ndjson',
    'text/plain',
    'text/json',
  ],
  ...[
    'application/graphql',
    'application/graphql-response+json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
  ],
  ...[
    'multipart/form-data',
    'multipart/mixed; boundary="',
    '',
    '*/*',
    'application/json, text/plain',
    'APPLICATION/JSON',
    'application/json; a=b; a=c',
  ],
];
const CODINGS = [
  'gzip',
  'x-gzip',
  'GZIP',
  'identity',
  'deflate',
  'br',
  'gzip, gzip',
  'gzip;q=1',
  '',
  'compress',
  'gzip,identity',
];
const FRAMINGS = ['chunked', 'gzip, chunked', 'identity', 'chunked, chunked', 'Chunked', 'xchunked', ''];
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const multipart = (text: string) =>
  `--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n${text}\r\n--x\r\nContent-Disposition: form-data; name="0"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nabc\r\n--x--\r\n`;
/** One text as bytes in encodings right and wrong. */
const encodings: readonly ((text: string) => Buffer)[] = [
  (text) => Buffer.from(text),
  (text) => Buffer.concat([BOM, Buffer.from(text)]),
  (text) => Buffer.from(`\ufeff${text}`, 'utf16le'),
  (text) => Buffer.from(text, 'utf16le'),
  (text) => Buffer.from(text.replace('fuzz', 'f\u00fczz'), 'latin1'),
  (text) => Buffer.from(text.replace('fuzz', 'f\u00c0\u0080zz'), 'latin1'),
  (text) => Buffer.from(text.replace('fuzz', '\u00ed\u00a0\u0080'), 'latin1'),
  (text) => Buffer.from(text.replace('fuzz', '\u00f4\u0090\u0080\u0080'), 'latin1'),
  (text) => gzipSync(text),
  (text) => gzipSync(gzipSync(text)),
  (text) => gzipSync(text).subarray(0, -6),
  (text) => Buffer.concat([gzipSync(text), gzipSync(text)]),
  (text) => Buffer.concat([gzipSync(text), Buffer.from('rest')]),
  (text) => deflateRawSync(text),
  (text) => Buffer.from(multipart(text)),
  (text) => Buffer.from(`query=${escaped(text)}`),
  () => Buffer.alloc(0),
];

/** What a target sends. */
export function httpCases(target: HttpTarget, world: World): fc.Arbitrary<HttpCase> {
  const { person, module, tenantId } = world;
  const post = (body: unknown, token = person): HttpCase => ({
    method: 'POST',
    path: '/graphql',
    headers: { ...JSON_TYPE, ...bearer(token) },
    body: JSON.stringify(body),
  });
  const get = (path: string, headers: Record<string, string> = bearer(person)): HttpCase => ({
    method: 'GET',
    path,
    headers,
  });
  switch (target) {
    case 'documents': {
      const soup = fc.array(fc.constantFrom(...WORDS), { maxLength: 60 }).map((words) => words.join(' '));
      const nested = fc
        .tuple(
          fc.constantFrom('{a', '[', '(a:{', '"', '"""', '...on Query{', '@a', '#', '$a:', '{a:b '),
          fc.nat(6_000),
        )
        .map(([piece, times]) => `{ logs(filter: ${piece.repeat(times)}`);
      return fc
        .tuple(
          fc.oneof(mutated(DOCUMENTS, WORDS), soup, nested),
          fc.oneof(fc.constant(undefined), oddText),
          fc.boolean(),
        )
        .map(([query, operationName, isGet]) =>
          isGet && query.length < 8_000
            ? get(
                `/graphql?query=${escaped(query)}${operationName === undefined ? '' : `&operationName=${escaped(operationName)}`}`,
                {
                  ...bearer(person),
                  'apollo-require-preflight': '1',
                },
              )
            : post({ query, operationName }),
        );
    }
    case 'variables': {
      const value = fc.oneof(
        odd,
        fc.array(oddText, { maxLength: 25 }),
        fc.constantFrom<unknown>('DAY', 'ERROR', tenantId, 'UTC', 1, 0, 2 ** 31, 1.5),
      );
      const filter = fc.oneof(
        odd,
        fc.dictionary(fc.constantFrom(...FILTER, '__proto__', 'constructor'), value, { maxKeys: 4 }),
      );
      const names =
        'filter first last page after before timeZone orderBy interval field id input second'.split(' ');
      return fc
        .tuple(
          fc.constantFrom(...OPERATIONS),
          fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 4 }),
          fc.option(filter),
        )
        .map(([query, variables, chosen]) =>
          post({
            query,
            variables: {
              id: tenantId,
              input: {},
              ...variables,
              ...(chosen === null ? {} : { filter: chosen, input: { filter: chosen } }),
            },
          }),
        );
    }
    case 'query lines':
      return fc.tuple(queryLine, fc.nat(3), fc.option(oddText)).map(([line, way, zone]) => {
        const timeZone = zone ?? 'UTC';
        if (way === 0) return get(`${REST}/logs?query=${escaped(line)}&time_zone=${escaped(timeZone)}`);
        if (way === 1) return get(`${REST}/logs/stats?query=${escaped(line)}`);
        return post({
          query: OPERATIONS[way === 2 ? 0 : 1],
          variables: { filter: { query: line }, timeZone },
        });
      });
    case 'JSON bodies':
      return fc
        .tuple(
          fc.constantFrom(...POST_PATHS),
          mutated(BODIES, JSON_PIECES),
          fc.boolean(),
          fc.constantFrom('application/json', 'application/x-ndjson'),
          fc.option(oddText),
        )
        .map(([path, body, isModule, type, key]) => ({
          method: 'POST',
          path,
          headers: {
            'content-type': type,
            ...bearer(isModule ? module : person),
            ...(key === null ? {} : { 'idempotency-key': onWire(key, ' ') }),
          },
          body: toBytes(Buffer.from(body)),
        }));
    case 'tokens': {
      const soon = Math.floor(Date.now() / 1000) + 600;
      const claims = fc
        .dictionary(fc.constantFrom(...CLAIMS, '__proto__'), odd, { maxKeys: 5 })
        .map((odds) => ({ sub: tenantId, email: 'a@example.com', module: 'fuzz', exp: soon, ...odds }));
      const issued = fc
        .tuple(
          fc.constantFrom<unknown>(...HEADS),
          fc.oneof(claims, odd),
          fc.constantFrom(world.jwtSecret, world.serviceSecret, 'x'),
        )
        .map(([head, body, secret]) => signed(head, body, secret));
      const spoilt = mutated([person, module, ...world.links], ['.', '=', '..', '%', '\u00ff']);
      return fc
        .tuple(
          fc.oneof(issued, spoilt),
          fc.constantFrom('Bearer ', 'bearer ', 'Basic ', 'Bearer  ', '', 'Bearer, Bearer '),
          fc.constantFrom(`${REST}/logs`, '/graphql?query={__typename}', '/graphql'),
        )
        .map(([token, scheme, path]) => {
          const headers = { authorization: scheme + onWire(token, ' ') };
          return path === '/graphql'
            ? {
                ...post({ query: '{ me { id } logs { nodes { id } } }' }),
                headers: { ...JSON_TYPE, ...headers },
              }
            : get(path, headers);
        });
    }
    case 'cursors': {
      const cursor = fc.oneof(
        mutated(world.cursors, ['=', '-', '_', '%00']),
        fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
        odd.map((value) => Buffer.from(JSON.stringify(value) ?? '').toString('base64url')),
        oddText,
      );
      return fc
        .tuple(cursor, fc.constantFrom('after', 'before'), fc.nat(2), fc.option(fc.integer()))
        .map(([text, name, way, number]) => {
          if (way === 0)
            return get(
              `${REST}/logs?${name}=${escaped(text)}${number === null ? '' : `&page_size=${number}`}`,
            );
          const variables = {
            [name]: text,
            ...(number === null ? {} : { [name === 'after' ? 'first' : 'last']: number }),
          };
          return post({ query: OPERATIONS[0], variables });
        });
    }
    case 'links':
      return fc
        .tuple(
          fc.oneof(
            mutated(world.links, ['.', '..', '/', '%2f', '?', '&token=', '=']),
            fc
              .tuple(fc.constantFrom(...world.links), oddText)
              .map(([link, text]) => link.replace(/token=.*/, `token=${escaped(text)}`)),
            fc
              .tuple(oddText, fc.constantFrom(...world.links))
              .map(([name, link]) => link.replace(/exports\/[^?]*/, `exports/${escaped(name)}`)),
          ),
          fc.constantFrom('GET', 'HEAD', 'POST'),
        )
        .map(([path, method]) => ({
          method,
          path: onWire(`/${path.replace(/^\/+/, '')}`, '+'),
          headers: {},
        }));
    case 'encodings':
      return fc
        .record({
          path: fc.constantFrom(...POST_PATHS),
          text: fc.constantFrom(...BODIES),
          encode: fc.nat(encodings.length - 1),
          type: fc.option(fc.constantFrom(...TYPES)),
          coding: fc.option(fc.constantFrom(...CODINGS)),
          framing: fc.option(fc.constantFrom(...FRAMINGS)),
          chunks: fc.option(fc.integer({ min: 1, max: 9 })),
          accept: fc.option(
            fc.constantFrom(
              'text/event-stream',
              'text/html',
              '*/*;q=0',
              'application/json;q=x',
              '',
              'text/event-stream, multipart/mixed',
            ),
          ),
          token: fc.constantFrom(person, module, 'x'),
          cut: fc.option(fc.integer({ min: 1, max: 1_500 })),
        })
        .map(({ path, text, encode, type, coding, framing, chunks, accept, token, cut }) => ({
          method: 'POST',
          path,
          headers: {
            ...bearer(token),
            ...(type === null ? {} : { 'content-type': type }),
            ...(coding === null ? {} : { 'content-encoding': coding }),
            ...(framing === null ? {} : { 'transfer-encoding': framing }),
            ...(accept === null ? {} : { accept }),
          },
          body: toBytes(encodings[encode]!(text)),
          ...(cut === null ? {} : { cut }),
          ...(chunks === null ? {} : { chunks }),
        }));
    case 'addresses': {
      const names =
        'page page_size module action severity min_severity actor_id client_id start_date end_date search query after before resource_id request_id ip_address outcome time_zone query variables extensions operationName token'.split(
          ' ',
        );
      const paths = [
        `${REST}/logs`,
        `${REST}/logs/stats`,
        `${REST}/logs/${tenantId}`,
        `${REST}/openapi.json`,
        '/graphql',
        '/health/ready',
        '/.well-known/reel-keys',
        '/',
        `${REST}/logs/`,
        '/playground',
      ];
      const pairs = fc.array(fc.tuple(fc.oneof(fc.constantFrom(...names), oddText), oddText), {
        maxLength: 4,
      });
      return fc
        .tuple(
          fc.oneof(
            fc.constantFrom(...paths),
            mutated(paths, ['/', '%2f', '//', '..', '%00', '%', '%ff', ';', '\\']),
          ),
          pairs,
          fc.constantFrom('GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'TRACE'),
          fc.dictionary(
            fc.constantFrom(
              'x-tenant-id',
              'x-client-id',
              'x-request-id',
              'traceparent',
              'origin',
              'x-forwarded-for',
              'accept',
              'range',
              'if-none-match',
              'cookie',
              'expect',
            ),
            oddText,
            { maxKeys: 3 },
          ),
        )
        .map(([path, query, method, headers]) => ({
          method,
          path:
            onWire(`/${path.replace(/^\/+/, '')}`, '+') +
            (query.length === 0
              ? ''
              : `?${query.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join('&')}`),
          headers: {
            ...bearer(person),
            ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, onWire(value, ' ')])),
          },
        }));
    }
  }
}

const SUBSCRIBE =
  'subscription ($f: LogFilter, $after: Count) { logAdded(filter: $f, after: $after) { id } }';

/** Messages and frames on a websocket. */
export function socketCases({ person }: World): fc.Arbitrary<SocketCase> {
  const init = (payload: unknown) => JSON.stringify({ type: 'connection_init', payload });
  const message = (type: unknown, id: unknown, payload: unknown) => JSON.stringify({ id, type, payload });
  const types = [
    'connection_init',
    'ping',
    'pong',
    'subscribe',
    'complete',
    'next',
    'error',
    'connection_ack',
    '',
  ];
  const anyMessage = fc.oneof(
    fc
      .tuple(
        fc.oneof(fc.constantFrom<unknown>(...types), odd),
        fc.oneof(fc.constantFrom<unknown>('1', '2', ''), odd),
        odd,
      )
      .map(([type, id, payload]) => message(type, id, payload)),
    fc
      .tuple(mutated([SUBSCRIBE, ...DOCUMENTS], WORDS), odd)
      .map(([query, variables]) => message('subscribe', '1', { query, variables })),
    fc
      .tuple(queryLine, fc.oneof(fc.integer(), odd))
      .map(([query, after]) =>
        message('subscribe', '1', { query: SUBSCRIBE, variables: { f: { query }, after } }),
      ),
    mutated([init({}), message('subscribe', '1', { query: SUBSCRIBE })], JSON_PIECES),
    oddText,
  );
  const frame = fc
    .record({
      opcode: fc.nat(15),
      payload: fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom(
          new Uint8Array(130),
          new Uint8Array(70_000),
          Uint8Array.from([0x03]),
          Uint8Array.from([0x03, 0xe7]),
        ),
      ),
      isFinal: fc.boolean(),
      reserved: fc.constantFrom(0, 0, 0, 1, 4, 7),
      unmasked: fc.boolean(),
      claimed: fc.option(fc.constantFrom(0x7f_ff_ff_ff_ff_ff_ff_ffn, 0x80_00_00_00_00_00_00_00n, 300_000n)),
    })
    .map(({ opcode, payload, isFinal, reserved, unmasked, claimed }) => {
      const bytes = frameOf(opcode, Buffer.from(payload), { isFinal, reserved });
      if (unmasked) bytes[1]! &= 0x7f;
      if (claimed === null) return { frame: bytes.toString('base64') };
      const head = Buffer.from([bytes[0]!, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
      head.writeBigUInt64BE(claimed, 2);
      return { frame: head.toString('base64') };
    });
  const beginning = fc.constantFrom(
    init({ authorization: `Bearer ${person}` }),
    init({ authorization: `Bearer ${person}` }),
    init({}),
    '',
  );
  return fc
    .tuple(
      beginning,
      fc.array(fc.oneof({ weight: 3, arbitrary: anyMessage }, { weight: 1, arbitrary: frame }), {
        maxLength: 4,
      }),
      fc.dictionary(
        fc.constantFrom(
          'origin',
          'sec-websocket-protocol',
          'sec-websocket-version',
          'sec-websocket-key',
          'sec-websocket-extensions',
          'authorization',
          'x-tenant-id',
          'upgrade',
        ),
        fc.oneof(
          oddText,
          fc.constantFrom('null', 'graphql-ws', 'permessage-deflate', '12', 'http://evil.example'),
        ),
        { maxKeys: 1 },
      ),
    )
    .map(([first, rest, headers]) => ({
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, onWire(value, ' ')])),
      messages: first === '' ? rest : [first, ...rest],
    }));
}
