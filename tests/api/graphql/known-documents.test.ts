import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { ApolloServer } from '@apollo/server';
import { GraphQLError, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  badInput,
  conflict,
  overloaded,
  ReelError,
  tooManyRequests,
  unavailable,
} from '../../../src/errors.js';
import { Documents } from '../../../src/graphql/documents.js';
import { bootGraphql, entry } from '../../support/graphql-server.js';

const RESPONSE = 'application/graphql-response+json';
const ALLOWANCE = { name: 'entries', limit: 3, windowSeconds: 60, remaining: 0, resetSeconds: 9 };
const FOUND = randomUUID();
/** What reading an entry of this id ends in. */
const FAULTS = new Map<string, () => unknown>(
  [
    () => badInput('id', 'another', 'this'),
    () => conflict('Erased since'),
    () => overloaded('Too many', 7),
    () => unavailable('No database'),
    () => tooManyRequests('At most 3', 9, ALLOWANCE),
    () =>
      new ReelError('BAD_USER_INPUT', 'X-Tenant-Id: expected a tenant, got nothing', {
        faults: [{ type: 'missing', loc: ['header', 'X-Tenant-Id'], msg: 'missing', input: null }],
      }),
    () => new Error('a secret'),
    () => new GraphQLError('a secret, too'),
    () => 'no error at all',
  ].map((fault) => [randomUUID(), fault]),
);

let server: Awaited<ReturnType<typeof bootGraphql>>;
beforeAll(async () => {
  server = await bootGraphql({
    reader: {
      list: async () => ({
        entries: Array.from({ length: 3 }, () => entry({ id: FOUND })),
        hasNextPage: false,
        hasPreviousPage: false,
        stopped: null,
      }),
      count: async () => {
        throw unavailable('Counting takes too long');
      },
      get: async (_scope, id) => {
        const fault = FAULTS.get(id);
        if (fault) throw fault();
        return id === FOUND ? entry({ id, data: { text: 'ü'.repeat(100) } }) : null;
      },
      byRequests: async () => new Map(),
    },
    reel: {
      create: async (_author, input) => {
        if (input.action === 'none') throw badInput('action', 'another', 'none');
        return entry({ id: FOUND, ...(input as object) });
      },
      createMany: async () => [],
      writeEach: async () => [],
    },
  });
});
afterAll(() => server.close());

/** A document, what makes it known, and requests of it. */
const DOCUMENTS: Record<string, { text: string; well: object; others: [string, object][] }> = {
  'one entry': {
    text: 'query ($id: UUID!) { log(id: $id) { id action data } other: log(id: $id) { __typename } }',
    well: { variables: { id: FOUND } },
    others: [
      ['none there', { variables: { id: randomUUID() } }],
      ['a variable that does not fit', { variables: { id: 'x' } }],
      ['a variable that is missing', { variables: {} }],
      ['a variable that is null', { variables: { id: null } }],
      ['no variables', {}],
      ['variables that are null', { variables: null }],
      ['variables that are a list', { variables: [FOUND] }],
      ['variables that are text', { variables: `{"id":"${FOUND}"}` }],
      ['more variables than are declared', { variables: { id: FOUND, more: { deep: [1] } } }],
      ['extensions of a client', { variables: { id: FOUND }, extensions: { clientLibrary: { name: 'x' } } }],
      ['extensions that are text', { variables: { id: FOUND }, extensions: 'x' }],
      ['extensions that are a list', { variables: { id: FOUND }, extensions: [] }],
      [
        'a persisted query',
        { variables: { id: FOUND }, extensions: { persistedQuery: { version: 1, sha256Hash: 'ab' } } },
      ],
      ['a name of no operation', { variables: { id: FOUND }, operationName: 'Other' }],
      ['a name that is empty', { variables: { id: FOUND }, operationName: '' }],
      ['a name that is a number', { variables: { id: FOUND }, operationName: 1 }],
      ...[...FAULTS].map(([id, fault]): [string, object] => [`fault: ${fault()}`, { variables: { id } }]),
    ],
  },
  'a list of a size': {
    text: `query ($n: Int, $skip: Boolean = false) { logs(first: $n) {
      nodes { id related { id related { id related(first: 4) { id } } } } totalCount @skip(if: $skip) { value } } }`,
    well: { variables: { n: 1, skip: true } },
    others: [
      ['one that fails in a part', { variables: { n: 1 } }],
      ['one that costs too much', { variables: { n: 100 } }],
      ['one past its bound', { variables: { n: 0, skip: true } }],
    ],
  },
  'several operations': {
    text: 'query A { __typename } query B { log(id: "x") { id } } mutation C { createLog(input: { module: "m", action: "a", tenantId: "019a21dc-5c05-7c63-95cf-2e87d36b72ca" }) { id } }'.replace(
      '"x"',
      `"${FOUND}"`,
    ),
    well: { operationName: 'A' },
    others: [
      ['another', { operationName: 'B' }],
      ['a mutation', { operationName: 'C' }],
      ['none', {}],
      ['null', { operationName: null }],
    ],
  },
  'a mutation': {
    text: 'mutation ($input: CreateLogInput!) { createLog(input: $input) { id module action } }',
    well: { variables: { input: { module: 'm', action: 'a', tenantId: randomUUID() } } },
    others: [
      [
        'one that is refused',
        { variables: { input: { module: 'm', action: 'none', tenantId: randomUUID() } } },
      ],
      ['an unknown field', { variables: { input: { module: 'm', nothing: { deep: 'x'.repeat(300) } } } }],
    ],
  },
  'many entries': {
    text: 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
    well: { variables: { inputs: [] } },
    others: [
      ['a list that is far too long', { variables: { inputs: Array(2_001).fill({}) } }],
      ['a list that is looked at', { variables: { inputs: Array(2_000).fill(null) } }],
    ],
  },
  'a subscription': {
    text: 'query A { __typename } subscription B { logAdded { id } }',
    well: { operationName: 'A' },
    others: [['over HTTP', { operationName: 'B' }]],
  },
};

const cases = Object.entries(DOCUMENTS).flatMap(([name, { text, well, others }]) =>
  [['as it should be', well] as [string, object], ...others].map(
    ([what, body]) => [name, what, { text, well, body }] as const,
  ),
);

describe.each(['viewer', 'module', null])('asked as %s', (as) => {
  test.each(cases)(
    '%s, %s: known or not, it is answered the same',
    async (_name, _what, { text, ...sent }) => {
      for (const accept of ['*/*', RESPONSE]) {
        const ask = async (query: string, body: object) => {
          const headers = { 'content-type': 'application/json', accept, ...(as && { authorization: as }) };
          const response = await fetch(server.url, {
            method: 'POST',
            headers,
            body: JSON.stringify({ query, ...body }),
          });
          const answered = Object.fromEntries(response.headers);
          for (const name of ['date', 'x-request-id']) delete answered[name];
          const text = (await response.text()).replace(/"errorId":"[^"]+"/g, '"errorId":""');
          return { status: response.status, headers: answered, text };
        };
        // The comment makes it another document.
        const unknown = await ask(`${text} # ${randomUUID()}`, sent.body);
        await ask(`${text} # known`, sent.well);
        expect(await ask(`${text} # known`, sent.body)).toEqual(unknown);
      }
    },
  );
});

test('a document that is sent again takes the short way', async () => {
  const apollo = vi.spyOn(ApolloServer.prototype, 'executeHTTPGraphQLRequest');
  for (let time = 0; time < 3; time += 1)
    expect((await server.ask('{ __typename again: __typename }')).body.data.again).toBe('Query');
  expect(apollo).toHaveBeenCalledTimes(1);
  apollo.mockRestore();
});

test.each(['[', 'a b', 'a%zz', '1.2.3.999'])(
  'Host: %s is refused for a known document, too',
  async (host) => {
    const query = `{ __typename } # ${host}`;
    await server.ask(query);
    const { status, text } = await new Promise<{ status: number | undefined; text: string }>((done, fail) => {
      const headers = { 'content-type': 'application/json', authorization: 'viewer', host };
      const sent = request(server.url, { method: 'POST', headers }, async (response) => {
        done({ status: response.statusCode, text: Buffer.concat(await response.toArray()).toString() });
      });
      sent.on('error', fail);
      sent.end(JSON.stringify({ query }));
    });
    expect(status).toBe(400);
    expect(JSON.parse(text).errors[0].message).toBe('Expected a well-formed Host header');
  },
);

test('a list that is far too long is refused before its items are looked at', async () => {
  const query = 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }';
  const { body } = await server.ask(query, { as: 'module', variables: { inputs: Array(2_001).fill({}) } });
  expect(body.errors.map(({ message }: { message: string }) => message)).toEqual([
    'Expected lists of at most 1,000 items, got one of 2001',
  ]);
});

test('short documents are not kept by the thousand', () => {
  const documents = new Documents();
  const texts = Array.from({ length: 5_000 }, (_, nr) => `{a${nr}:__typename}`);
  for (const text of texts) documents.keep(text, parse(text));
  expect(documents.get(texts.at(-1)!)).toBeDefined();
  expect(texts.filter((text) => documents.get(text)).length).toBeLessThan(600);
});
