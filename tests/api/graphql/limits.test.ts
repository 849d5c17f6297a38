import 'reflect-metadata';
import { type OperationDefinitionNode, parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkCost, MAX_COST } from '../../../src/graphql/cost.js';
import { limitErrors } from '../../../src/graphql/limits.js';
import { buildReelSchema } from '../../../src/graphql/schema.js';
import { bootGraphql } from '../../support/graphql-server.js';

const schema = buildReelSchema();
const pageSizes = { defaultPageSize: 50, maxPageSize: 100 };
const faults = (query: string) => limitErrors(parse(query)).map(({ message }) => message);
const times = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => make(i)).join(' ');

/** What the refusal says it costs; null where it is let through. */
function costOf(query: string, variables: Record<string, unknown> = {}): number | null {
  const document = parse(query);
  expect(validate(schema, document)).toEqual([]);
  try {
    const operation = document.definitions.find(
      (node): node is OperationDefinitionNode => node.kind === 'OperationDefinition',
    )!;
    checkCost({ schema, document, operation, variables, pageSizes });
    return null;
  } catch (error) {
    expect((error as Error).message).toContain(`cost of at most ${MAX_COST}`);
    return Number(/got ([\de+.]+)$/.exec((error as Error).message)?.[1]);
  }
}

describe('levels', () => {
  const deep = (levels: number) => `${'{ a '.repeat(levels)}${'}'.repeat(levels)}`;

  it('are 16 at most', () => {
    expect(faults(deep(16))).toEqual([]);
    expect(faults(deep(17))).toEqual(['Expected a depth of at most 16 levels, got 17 levels']);
  });

  it('count through fragments', () => {
    expect(faults(`{ a { ...F } } fragment F on X ${deep(14)}`)).toEqual([]);
    expect(faults(`{ a { ...F } } fragment F on X ${deep(16)}`)).toHaveLength(1);
    expect(faults(`{ a { ... on X ${deep(16)} } }`)).toHaveLength(1);
  });
});

describe('aliases', () => {
  it('are 30 at most', () => {
    expect(faults(`{ ${times(30, (i) => `a${i}: b`)} }`)).toEqual([]);
    expect(faults(`{ ${times(31, (i) => `a${i}: b`)} }`)).toEqual([
      'Expected at most 30 aliases, got 31 aliases',
    ]);
  });

  it('count as often as they are spread', () => {
    const query = `{ a { ...F } b { ...F } } fragment F on X { ${times(16, (i) => `a${i}: b`)} }`;
    expect(faults(query)).toEqual(['Expected at most 30 aliases, got 32 aliases']);
  });
});

describe('one operation', () => {
  it('is all that a request may have', () => {
    expect(faults('query A { a } query B { a }')).toEqual([
      'Expected one operation in a request, got 2 operations',
    ]);
  });
});

describe('fragments', () => {
  const doubling = (depth: number) =>
    `query { log(id: "6f2b4c0e-0000-4000-8000-000000000001") { ...F0 } } ${times(
      depth,
      (i) =>
        `fragment F${i} on LogEntry { related { ...F${i + 1} } ... on LogEntry { related { ...F${i + 1} } } }`,
    )} fragment F${depth} on LogEntry { x: id }`;

  it('that double at each step are measured at once', () => {
    const before = performance.now();
    expect(faults(doubling(100)).length).toBe(2);
    expect(costOf(doubling(60))).toBeGreaterThan(2 ** 60);
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  it('in a circle do not hang', () => {
    expect(faults('{ ...A } fragment A on X { b { ...B } } fragment B on X { c { ...A } }')).toEqual([]);
  });
});

describe('cost', () => {
  const id = 'id: "6f2b4c0e-0000-4000-8000-000000000001"';

  it('counts a field once for each item of the lists it stands in', () => {
    // logs, nodes, 100 related, 100 x 100 of each field below.
    expect(costOf('{ logs(first: 100) { nodes { related(first: 100) { id } } } }')).toBeNull();
    expect(costOf('{ logs(first: 100) { nodes { related(first: 100) { id module } } } }')).toBe(
      2 + 100 + 20_000,
    );
    expect(costOf('{ logs(first: 100) { edges { node { related(first: 100) { id module } } } } }')).toBe(
      2 + 200 + 20_000,
    );
  });

  it('takes the default page, and an argument by default', () => {
    // 50 entries, 20 related each, 20 again each: 50 + 1,000 + 20,000.
    expect(costOf('{ logs { nodes { related { related { id } } } } }')).toBe(2 + 50 + 1_000 + 20_000);
  });

  it('takes sizes from variables and their defaults', () => {
    const query = (size: string) =>
      `query ($n: Int${size}) { logs(last: $n) { nodes { related(first: 100) { id module } } } }`;
    expect(costOf(query(''), { n: 100 })).toBe(20_102);
    expect(costOf(query(' = 100'))).toBe(20_102);
    expect(costOf(query(' = 100'), { n: 5 })).toBeNull();
    expect(costOf(query(''), { n: null })).toBeNull();
  });

  it('goes no further than the largest page: that is refused by the field itself', () => {
    expect(costOf('{ logs(first: 2000000000) { nodes { id } } }')).toBeNull();
  });

  it('counts what stands beside the items once', () => {
    const beside = times(
      40,
      () => 'pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount { value }',
    );
    expect(costOf(`{ logs(first: 100) { ${beside} } }`)).toBeNull();
  });

  it('finds items within fragments on the connection', () => {
    expect(
      costOf(
        '{ logs(first: 100) { ...Page } } fragment Page on LogConnection { ... { nodes { ...Entry } } } fragment Entry on LogEntry { related(first: 100) { id module } }',
      ),
    ).toBe(20_102);
  });

  it('takes first for a size only where there is a list', () => {
    expect(costOf('{ consistencyProof(first: 1000000, second: 2000000) { path } }')).toBeNull();
    expect(costOf(`{ log(${id}) { ${times(25, () => 'changes { path before after }')} } }`)).toBeNull();
  });

  it('leaves out what @skip and @include leave out', () => {
    const query =
      'query ($no: Boolean! = false) { logs(first: 100) { nodes { related(first: 100) @include(if: $no) { id module } } } }';
    expect(costOf(query)).toBeNull();
    expect(costOf(query, { no: true })).toBe(20_102);
    expect(
      costOf(query.replace('@include(if: $no)', '@skip(if: true)').replace('($no: Boolean! = false)', '')),
    ).toBeNull();
  });
});

describe('over HTTP', () => {
  let server: Awaited<ReturnType<typeof bootGraphql>>;
  beforeAll(async () => {
    server = await bootGraphql();
  });
  afterAll(() => server.close());

  it.each([
    [
      'levels',
      `{ logs { nodes { ${'related(first: 1) { '.repeat(15)} id ${'}'.repeat(15)} } } }`,
      /16 levels, got 18/,
    ],
    ['aliases', `{ ${times(31, (i) => `a${i}: __typename`)} }`, /30 aliases, got 31/],
    ['tokens', `{ ${times(2_999, () => '__typename')} }`, /at most 3000 tokens/],
    [
      'cost',
      '{ logs(first: 100) { nodes { related(first: 100) { id module } } } }',
      /at most 20000 .*got 20102/,
    ],
    ['operations', 'query A { __typename } query B { __typename }', /one operation .*got 2/],
  ])('%s past their bound are refused', async (_, query, message) => {
    for (const [accept, status] of [
      ['application/json', 200],
      ['application/graphql-response+json', 400],
    ] as const) {
      const answer = await server.ask(query, {
        accept,
        operationName: query.startsWith('query A') ? 'A' : undefined,
      });
      expect(answer.status).toBe(status);
      expect(answer.body.data).toBeUndefined();
      expect(answer.body.errors[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT' } });
      expect(answer.body.errors[0].message).toMatch(message);
    }
  });

  it('3,000 tokens are let through', async () => {
    const answer = await server.ask(`{ ${times(2_998, () => '__typename')} }`);
    expect(answer.body).toEqual({ data: { __typename: 'Query' } });
  });

  it('the worst that 3,000 tokens can say is answered soon', async () => {
    const spread = times(60, (i) => `fragment F${i} on LogEntry { ...F${i + 1} ...F${i + 1} }`);
    const before = performance.now();
    await server.ask(`{ logs { nodes { ...F0 } } } ${spread} fragment F60 on LogEntry { id }`);
    await server.ask(`{ logs { nodes { ${times(2_900, () => 'id')} } } }`);
    await server.ask(
      `{ ${times(700, () => '...F')} logs { nodes { id } } } fragment F on Query { ${times(100, () => 'logs { nodes { id } }')} }`,
    );
    expect(performance.now() - before).toBeLessThan(5_000);
  });
});
