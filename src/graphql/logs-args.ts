import { ArgsType, Field, Int } from 'type-graphql';
import { LogFilter } from '../log/filter/log-filter.js';
import { LogOrder, type PageRequest } from '../log/read/page.js';

@ArgsType()
export class LogsArgs implements PageRequest {
  @Field(() => LogFilter, { nullable: true })
  filter?: LogFilter | null;

  @Field(() => LogOrder, { defaultValue: LogOrder.NEWEST_FIRST })
  orderBy!: LogOrder;

  @Field(() => Int, { nullable: true })
  first?: number | null;

  @Field(() => String, { nullable: true })
  after?: string | null;

  @Field(() => Int, { nullable: true })
  last?: number | null;

  @Field(() => String, { nullable: true })
  before?: string | null;

  @Field(() => Int, { nullable: true })
  page?: number | null;
}
