import 'reflect-metadata';
import { Field, ObjectType, registerEnumType } from 'type-graphql';
import { Count } from '../entry/scalars.js';

export enum CountPrecision {
  EXACT = 'EXACT',
  AT_LEAST = 'AT_LEAST',
}
registerEnumType(CountPrecision, {
  name: 'CountPrecision',
  description: 'EXACT: every match counted. AT_LEAST: counting stopped at the cap; at least this many match.',
  valuesConfig: {
    EXACT: { description: 'Every match was counted.' },
    AT_LEAST: { description: 'Counting stopped early: there are at least so many.' },
  },
});

@ObjectType({ description: 'How many entries match, and how exactly that is known.' })
export class LogCount {
  @Field(() => Count, { description: 'The number of entries.' })
  value!: number;

  @Field(() => CountPrecision, { description: 'Whether there may be more.' })
  precision!: CountPrecision;
}
