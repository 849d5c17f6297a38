import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import type { GraphQLObjectType } from 'graphql';
import { expect, test } from 'vitest';
import { buildReelSchema, printReelSchema } from '../../../src/graphql/schema.js';
import { LogFacet, LogStats } from '../../../src/log/stats/log-stats.js';

// In a process of its own: only of the first schema that is built do calls reach what the next is built from.
test('a schema that is built after calls is the same as before them', async () => {
  const { facet } = (buildReelSchema().getType('LogStats') as GraphQLObjectType).getFields();
  const stats = new LogStats({ facet: async () => [] } as unknown as ConstructorParameters<
    typeof LogStats
  >[0]);
  const nothing = {} as never;
  expect(await facet!.resolve!(stats, { field: LogFacet.MODULE, first: 1 }, nothing, nothing)).toEqual([]);
  expect(printReelSchema()).toBe(readFileSync('schema.graphql', 'utf8'));
});
