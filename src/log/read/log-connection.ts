import 'reflect-metadata';
import { Field, ObjectType } from 'type-graphql';
import { LogEntry } from '../entry/log-entry.entity.js';
import type { Criteria } from '../filter/criteria.js';
import type { LogPage } from './reader.js';

@ObjectType({ simpleResolvers: true })
export class PageInfo {
  @Field(() => Boolean)
  hasNextPage!: boolean;

  @Field(() => Boolean)
  hasPreviousPage!: boolean;

  @Field(() => String, { nullable: true })
  startCursor!: string | null;

  @Field(() => String, { nullable: true })
  endCursor!: string | null;
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
    { entries, hasNextPage, hasPreviousPage }: LogPage,
    readonly criteria: Criteria,
  ) {
    this.nodes = entries;
    this.edges = entries.map((node) => ({ cursor: node.id, node }));
    const [startCursor, endCursor] = [entries.at(0)?.id ?? null, entries.at(-1)?.id ?? null];
    this.pageInfo = { hasNextPage, hasPreviousPage, startCursor, endCursor };
  }
}
