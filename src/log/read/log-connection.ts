import 'reflect-metadata';
import { Field, ObjectType } from 'type-graphql';
import type { LogCount } from '../counts/log-count.js';
import { LogEntry } from '../entry/log-entry.entity.js';
import { DateTime } from '../entry/scalars.js';
import type { Criteria } from '../filter/criteria.js';
import { timeReached } from '../walk/id-range.js';
import type { LogPage, Told } from './reader.js';

@ObjectType({ description: 'Where a page stands in the list.', simpleResolvers: true })
export class PageInfo {
  @Field(() => Boolean, { description: 'Whether there is a page behind endCursor.' })
  hasNextPage!: Told;

  @Field(() => Boolean, { description: 'Whether there is a page in front of startCursor.' })
  hasPreviousPage!: Told;

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

@ObjectType({ description: 'An entry of a page, with its cursor.', simpleResolvers: true })
export class LogEdge {
  @Field(() => String, { description: 'For after or before.' })
  cursor!: string;

  @Field(() => LogEntry, { description: 'The entry.' })
  node!: LogEntry;
}

/** A page of the list, and the criteria that totalCount counts by. An entry's cursor is its id. */
@ObjectType({ description: 'A page of the list.', simpleResolvers: true })
export class LogConnection {
  @Field(() => [LogEdge], { description: "The page's entries, each with its cursor." })
  get edges(): LogEdge[] {
    return this.nodes.map((node) => ({ cursor: node.id, node }));
  }

  @Field(() => [LogEntry], { description: "The page's entries." })
  readonly nodes: LogEntry[];

  @Field(() => PageInfo, { description: 'Where the page stands, and how to go on.' })
  readonly pageInfo: PageInfo;

  /** Where it was counted with the page. */
  readonly total: LogCount | null;

  constructor(
    page: LogPage,
    readonly criteria: Criteria,
  ) {
    this.nodes = page.entries;
    this.pageInfo = pageInfoOf(page);
    this.total = page.total ?? null;
  }
}

/** Where a page stopped takes the place of its last entry in the direction in which it was read. */
export function pageInfoOf({ entries, hasNextPage, hasPreviousPage, stopped }: LogPage): PageInfo {
  return {
    hasNextPage,
    hasPreviousPage,
    startCursor: (stopped?.backwards ? stopped.id : entries.at(0)?.id) ?? null,
    endCursor: (stopped && !stopped.backwards ? stopped.id : entries.at(-1)?.id) ?? null,
    searchedUntil: stopped && timeReached(stopped.id, stopped.newestFirst),
  };
}
