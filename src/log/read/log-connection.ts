import 'reflect-metadata';
import { Field, ObjectType } from 'type-graphql';
import { LogEntry } from '../entry/log-entry.entity.js';
import { DateTime } from '../entry/scalars.js';
import type { Criteria } from '../filter/criteria.js';
import { timeReached } from '../walk/id-range.js';
import type { LogPage } from './reader.js';

@ObjectType({ simpleResolvers: true })
export class PageInfo {
  @Field(() => Boolean)
  hasNextPage!: boolean;

  @Field(() => Boolean)
  hasPreviousPage!: boolean;

  @Field(() => String, {
    nullable: true,
    description:
      'With last, startCursor, hasPreviousPage and searchedUntil play the part that endCursor and hasNextPage play with first.',
  })
  startCursor!: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'Goes on from the last entry, or, where searchedUntil is set, from the place that was reached.',
  })
  endCursor!: string | null;

  @Field(() => DateTime, {
    nullable: true,
    description:
      'Set where looking stopped at its budget (budgets.md) before the page was full: everything up to this time has been looked at, hasNextPage is true, and the page may be short or empty. Null where the page is all there is to it.',
  })
  searchedUntil!: string | null;
}

@ObjectType({ simpleResolvers: true })
export class LogEdge {
  @Field(() => String)
  cursor!: string;

  @Field(() => LogEntry)
  node!: LogEntry;
}

/** A page of the list, and the criteria that totalCount counts by. An entry's cursor is its id. */
@ObjectType({ simpleResolvers: true })
export class LogConnection {
  @Field(() => [LogEdge])
  readonly edges: LogEdge[];

  @Field(() => [LogEntry])
  readonly nodes: LogEntry[];

  @Field(() => PageInfo)
  readonly pageInfo: PageInfo;

  constructor(
    { entries, hasNextPage, hasPreviousPage, stopped }: LogPage,
    readonly criteria: Criteria,
  ) {
    this.nodes = entries;
    this.edges = entries.map((node) => ({ cursor: node.id, node }));
    this.pageInfo = {
      hasNextPage,
      hasPreviousPage,
      startCursor: (stopped?.backwards ? stopped.id : entries.at(0)?.id) ?? null,
      endCursor: (stopped && !stopped.backwards ? stopped.id : entries.at(-1)?.id) ?? null,
      searchedUntil: stopped && timeReached(stopped.id, stopped.newestFirst),
    };
  }
}
