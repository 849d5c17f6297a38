import 'reflect-metadata';
import { Field, InputType } from 'type-graphql';
import { LogOrigin } from '../entry/origin.js';
import { DateTime, UUID } from '../entry/scalars.js';
import { LogSeverity } from '../entry/severity.js';

@InputType({
  description:
    'All conditions must hold; a list means any of, an empty list is no condition. Text is compared exactly, except where it says otherwise.',
})
export class LogFilter {
  @Field(() => DateTime, { nullable: true, description: 'At or after.' })
  startDate?: string | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'At or before, as the REST filter has always had it.',
  })
  endDate?: string | null;

  @Field(() => [String], { nullable: true })
  modules?: string[] | null;

  @Field(() => [String], { nullable: true })
  notModules?: string[] | null;

  @Field(() => [String], {
    nullable: true,
    description: 'A trailing .* means everything below: users.* matches users.create.',
  })
  actions?: string[] | null;

  @Field(() => [String], { nullable: true })
  notActions?: string[] | null;

  @Field(() => [LogSeverity], { nullable: true })
  severities?: LogSeverity[] | null;

  @Field(() => LogSeverity, { nullable: true, description: 'This severity or graver.' })
  minSeverity?: LogSeverity | null;

  @Field(() => LogOrigin, { nullable: true })
  origin?: LogOrigin | null;

  @Field(() => [String], { nullable: true })
  actorIds?: string[] | null;

  @Field(() => String, { nullable: true, description: 'Case does not matter.' })
  actorEmail?: string | null;

  @Field(() => String, { nullable: true })
  resourceType?: string | null;

  @Field(() => String, { nullable: true })
  resourceId?: string | null;

  @Field(() => UUID, { nullable: true })
  clientId?: string | null;

  @Field(() => String, { nullable: true })
  requestId?: string | null;

  @Field(() => String, { nullable: true, description: 'An address or a CIDR block.' })
  ipAddress?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      "At most 255 characters, found in any key or any text, number or boolean of the data payload, each taken as written (no JSON escapes), in any case by Unicode's lower case; % and _ mean themselves.",
  })
  search?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'The query line, for example: module:guardian severity>=ERROR -action:users.login actor:ana@example.com "free text".',
  })
  query?: string | null;
}
