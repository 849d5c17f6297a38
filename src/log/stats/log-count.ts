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
});

@ObjectType()
export class LogCount {
  @Field(() => Count)
  value!: number;

  @Field(() => CountPrecision)
  precision!: CountPrecision;
}
