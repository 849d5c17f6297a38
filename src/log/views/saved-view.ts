import 'reflect-metadata';
import { Field, InputType, ObjectType } from 'type-graphql';
import { DateTime, UUID } from '../entry/scalars.js';
import { LogOrder } from '../read/page.js';

@ObjectType('SavedView', {
  description:
    'A view that somebody saved. Shared ones are seen by all who may view; changed and removed by who saved them, or by a viewer of the whole tenant.',
  simpleResolvers: true,
})
export class SavedView {
  @Field(() => UUID, { description: 'Its id, which a link may name.' })
  id!: string;

  @Field(() => String, { description: 'What people call it.' })
  name!: string;

  @Field(() => Boolean, {
    description: 'Whether all who may view in the tenant see it, and not its owner alone.',
  })
  shared!: boolean;

  @Field(() => String, {
    description:
      'The id of the person who saved it, or their e-mail address where that is their id; empty once they were erased.',
  })
  ownerId!: string;

  @Field(() => String, { description: 'A query line; empty: no condition.' })
  query!: string;

  @Field(() => String, {
    nullable: true,
    description: '15m, 1h, 24h, 7d or 30d; null with from and to, or for all time.',
  })
  range!: string | null;

  @Field(() => DateTime, { nullable: true, description: 'The time it begins with, inclusive; null: none.' })
  from!: string | null;

  @Field(() => DateTime, { nullable: true, description: 'The time it ends with, inclusive; null: none.' })
  to!: string | null;

  @Field(() => [String], {
    description: 'Columns of the list, in their order; empty: those of whoever looks.',
  })
  columns!: string[];

  @Field(() => LogOrder, { description: 'The order of the list.' })
  orderBy!: LogOrder;

  @Field(() => DateTime, { description: 'When it was saved last.' })
  updatedAt!: string;
}

@InputType('SaveViewInput', { description: 'A view as it is to be; what is left out gets its default.' })
export class SaveViewInput {
  @Field(() => UUID, {
    nullable: true,
    description: 'Of the view to change; none: a new one. At most 100 a person and 100 shared a tenant.',
  })
  id?: string | null;

  @Field(() => String, { description: '1 to 100 characters.' })
  name!: string;

  @Field(() => Boolean, {
    defaultValue: false,
    description: 'Whether all who may view in the tenant see it.',
  })
  shared!: boolean;

  @Field(() => String, { defaultValue: '', description: 'A query line of at most 2,000 characters.' })
  query!: string;

  @Field(() => String, { nullable: true, description: '15m, 1h, 24h, 7d or 30d; not with from or to.' })
  range?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'The time it begins with, inclusive.' })
  from?: string | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'The time it ends with, inclusive; not before from.',
  })
  to?: string | null;

  @Field(() => [String], {
    nullable: true,
    description: 'Columns of the list: at most 40, of 1 to 255 characters, none twice.',
  })
  columns?: string[] | null;

  @Field(() => LogOrder, { defaultValue: LogOrder.NEWEST_FIRST, description: 'The order of the list.' })
  orderBy!: LogOrder;
}
