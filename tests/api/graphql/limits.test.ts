import 'reflect-metadata';
import { getOperationAST, type OperationDefinitionNode, parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkCost, MAX_COST } from '../../../src/graphql/cost.js';
import { checkSize, documentError } from '../../../src/graphql/limits.js';
import { buildReelSchema } from '../../../src/graphql/schema.js';
import { documentValidator } from '../../../src/graphql/validation.js';
import { bootGraphql } from '../../support/graphql-server.js';

const schema = buildReelSchema();
const pageSizes = { defaultPageSize: 50, maxPageSize: 100 };

/** What the refusal of an operation's size says; null where it is let through. */
function faultOf(query: string, operationName?: string): string | null {
  const document = parse(query);
  try {
    checkSize(document, getOperationAST(document, operationName)!);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
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
    expect(faultOf(deep(16))).toBeNull();
    expect(faultOf(deep(17))).toBe('Expected a depth of at most 16 levels, got 17 levels');
  });

  it('count through fragments', () => {
    expect(faultOf(`{ a { ...F } } fragment F on X ${deep(14)}`)).toBeNull();
    expect(faultOf(`{ a { ...F } } fragment F on X ${deep(16)}`)).toMatch(/16 levels, got 17/);
    expect(faultOf(`{ a { ... on X ${deep(16)} } }`)).toMatch(/16 levels, got 17/);
  });
});

describe('aliases', () => {
  it('are 30 at most', () => {
    expect(faultOf(`{ ${times(30, (i) => `a${i}: b`)} }`)).toBeNull();
    expect(faultOf(`{ ${times(31, (i) => `a${i}: b`)} }`)).toBe(
      'Expected at most 30 aliases, got 31 aliases',
    );
  });

  it('count as often as they are spread', () => {
    const query = `{ a { ...F } b { ...F } } fragment F on X { ${times(16, (i) => `a${i}: b`)} }`;
    expect(faultOf(query)).toBe('Expected at most 30 aliases, got 32 aliases');
  });
});

/** Sets of the same size in one another's stead: `... { a a a } ... { a a a }`. */
const wide = (sets: number, size: number) => times(sets, () => `... { ${times(size, () => '__typename')} }`);

describe('selections', () => {
  const named = (count: number) => `{ ${times(count, () => 'a')} }`;

  it('are 300 at most in one set, wherever in the document it stands', () => {
    expect(documentError(parse(named(300)))).toBeNull();
    expect(documentError(parse(`{ ${wide(9, 300)} }`))).toBeNull();
    for (const query of [
      named(301),
      `{ b { ... ${named(301)} } }`,
      `query A { a } query B ${named(301)}`,
      `{ a } fragment F on X ${named(301)}`,
    ])
      expect(documentError(parse(query))?.message).toBe(
        'Expected at most 300 selections in one selection set, got 301 selections',
      );
  });

  it('past that are refused before fields are compared', () => {
    const query = parse(`{ ${times(2_000, () => '__typename')} }`);
    const errors = documentValidator(schema, { introspection: false })(query);
    expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining('300 selections')]);
  });
});

describe('operations and fragments', () => {
  it('are 100 at most', () => {
    const named = (count: number) => parse(times(count, (at) => `query Q${at} { __typename }`));
    expect(documentError(named(100))).toBeNull();
    expect(documentError(named(101))?.message).toBe(
      'Expected at most 100 operations and fragments, got 101 of them',
    );
  });
});

describe('of several operations', () => {
  const query = `
    query Small { a { ...Small } }
    query Deep ${'{ a '.repeat(17)}${'}'.repeat(17)}
    query Aliased { ...Aliased }
    fragment Small on X { b }
    fragment Aliased on X { ${times(31, (i) => `a${i}: b`)} }`;

  it('only the chosen one is measured', () => {
    expect(faultOf(query, 'Small')).toBeNull();
    expect(faultOf(query, 'Deep')).toMatch(/16 levels/);
    expect(faultOf(query, 'Aliased')).toMatch(/30 aliases/);
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
    expect(faultOf(doubling(100))).toMatch(/16 levels/);
    expect(costOf(doubling(60))).toBeGreaterThan(2 ** 60);
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  it('in a circle do not hang', () => {
    expect(faultOf('{ ...A } fragment A on X { b { ...B } } fragment B on X { c { ...A } }')).toBeNull();
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
    ['tokens', `{ ${wide(10, 299)} }`, /at most 3000 tokens/],
    ['selections', `{ ${times(301, () => '__typename')} }`, /at most 300 selections .*got 301/],
    [
      'cost',
      '{ logs(first: 100) { nodes { related(first: 100) { id module } } } }',
      /at most 20000 .*got 20102/,
    ],
  ])('%s past their bound are refused', async (_, query, message) => {
    for (const [accept, status] of [
      ['application/json', 200],
      ['application/graphql-response+json', 400],
    ] as const) {
      const answer = await server.ask(query, {
        accept,
      });
      expect(answer.body.errors).toHaveLength(1);
      expect(answer.status).toBe(status);
      expect(answer.body.data).toBeUndefined();
      expect(answer.body.errors[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT' } });
      expect(answer.body.errors[0].message).toMatch(message);
    }
  });

  it('runs, costs and measures only the operation that operationName chooses', async () => {
    const query = `
      query Small { logs { nodes { id } } }
      query Dear { logs(first: 100) { nodes { related(first: 100) { id module } } } }
      query Deep { logs { nodes { ${'related(first: 1) { '.repeat(15)} id ${'}'.repeat(15)} } } }
      mutation Write { createLog(input: { module: "m", action: "a" }) { module } }`;
    const answers = await Promise.all(
      ['Small', 'Dear', 'Deep', 'Write', undefined, 'None'].map((operationName) =>
        server.ask(query, { operationName }),
      ),
    );
    expect(answers.map(({ body }) => body.errors?.[0].message ?? Object.keys(body.data))).toEqual([
      ['logs'],
      expect.stringMatching(/cost of at most 20000/),
      expect.stringMatching(/16 levels/),
      ['createLog'],
      'Must provide operation name if query contains multiple operations.',
      'Unknown operation named "None".',
    ]);
  });

  it('3,000 tokens are let through', async () => {
    const answer = await server.ask(
      `{ ${wide(10, 296)} __typename __typename __typename __typename __typename __typename __typename __typename }`,
    );
    expect(answer.body).toEqual({ data: { __typename: 'Query' } });
  });

  it('the worst that 3,000 tokens can say is answered soon', async () => {
    const spread = times(60, (i) => `fragment F${i} on LogEntry { ...F${i + 1} ...F${i + 1} }`);
    const before = performance.now();
    await server.ask(`{ logs { nodes { ...F0 } } } ${spread} fragment F60 on LogEntry { id }`);
    await server.ask(`{ logs { nodes { ${times(2_900, () => 'id')} } } }`);
    await server.ask(`{ ${times(290, () => 'logs { nodes { id id } }')} }`);
    await server.ask(
      `{ ${times(290, () => '...F')} logs { nodes { id } } } fragment F on Query { ${times(100, () => 'logs { nodes { id } }')} }`,
    );
    expect(performance.now() - before).toBeLessThan(20_000);
  });
});
