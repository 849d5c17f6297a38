import 'reflect-metadata';
import { Field, InputType } from 'type-graphql';
import { ActorType } from '../entry/actor-type.js';
import { LogOrigin } from '../entry/origin.js';
import { LogOutcome } from '../entry/outcome.js';
import { DateTime, UUID } from '../entry/scalars.js';
import { LogSeverity } from '../entry/severity.js';
import { DataCondition } from './data-condition.js';

@InputType({
  description:
    'All conditions must hold; a list means any of, an empty list is no condition; a negated one (not…, NE) also matches entries without a value. Text is compared exactly, except where it says otherwise; a UUID is found in any case, an address in any spelling.',
})
export class LogFilter {
  @Field(() => DateTime, { nullable: true, description: 'At or after.' })
  startDate?: string | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'At or before, as the REST filter has always had it.',
  })
  endDate?: string | null;

  @Field(() => [String], { nullable: true, description: 'Written by one of these modules.' })
  modules?: string[] | null;

  @Field(() => [String], { nullable: true, description: 'Written by none of these modules.' })
  notModules?: string[] | null;

  @Field(() => [String], {
    nullable: true,
    description:
      'A trailing .* means everything below: users.* matches users.create; a trailing * every action that begins so.',
  })
  actions?: string[] | null;

  @Field(() => [String], { nullable: true, description: 'None of these, read as in actions.' })
  notActions?: string[] | null;

  @Field(() => [LogSeverity], { nullable: true, description: 'One of these severities.' })
  severities?: LogSeverity[] | null;

  @Field(() => LogSeverity, { nullable: true, description: 'This severity or graver.' })
  minSeverity?: LogSeverity | null;

  @Field(() => LogOrigin, {
    nullable: true,
    description: "Written by a module, or reported by a signed-in person's browser.",
  })
  origin?: LogOrigin | null;

  @Field(() => DateTime, {
    nullable: true,
    description:
      'Happened at or after, at or before (occurredAt); startDate and endDate are about createdAt.',
  })
  occurredFrom?: string | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Happened at or before (occurredAt), as occurredFrom.',
  })
  occurredUntil?: string | null;

  @Field(() => [UUID], { nullable: true, description: 'The entries with these ids.' })
  ids?: string[] | null;

  @Field(() => [String], {
    nullable: true,
    description: 'A trailing * means every value that begins so.',
  })
  actorIds?: string[] | null;

  @Field(() => [String], { nullable: true, description: 'None of these, read as in actorIds.' })
  notActorIds?: string[] | null;

  @Field(() => String, {
    nullable: true,
    description: 'Case does not matter.',
  })
  actorEmail?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The whole name; case does not matter.',
  })
  actorName?: string | null;

  @Field(() => [ActorType], { nullable: true, description: 'One of these kinds of actor acted.' })
  actorTypes?: ActorType[] | null;

  @Field(() => String, { nullable: true, description: 'For whom the actor acted, by id.' })
  onBehalfOfId?: string | null;

  @Field(() => [LogOutcome], { nullable: true, description: 'Ended in one of these ways.' })
  outcomes?: LogOutcome[] | null;

  @Field(() => String, { nullable: true, description: 'About a resource of this type.' })
  resourceType?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'About the resource with this id; at most 1,024 characters.',
  })
  resourceId?: string | null;

  @Field(() => UUID, { nullable: true, description: 'Of this client.' })
  clientId?: string | null;

  @Field(() => String, { nullable: true, description: 'Of this request, trace or correlation.' })
  requestId?: string | null;

  @Field(() => String, { nullable: true, description: 'An address or a CIDR block.' })
  ipAddress?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'Not from this address or CIDR block; entries without an address match, too.',
  })
  notIpAddress?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'At most 255 characters, found anywhere in what an entry shows: id, module, action, resource type, id and name, actor id, name and e-mail address, on-behalf-of id and name, user agent, request id, IP address, and any key or any text, number or boolean of data (each taken as written, no JSON escapes); after removal of invisible format characters, NFKC, full case folding, U+0307 behind i dropped, NFKC, white space of any kind as one space; % and _ mean themselves.',
  })
  search?: string | null;

  @Field(() => [String], {
    nullable: true,
    description: 'Texts that are not found, each looked for as by search.',
  })
  notSearch?: string[] | null;

  @Field(() => [DataCondition], {
    nullable: true,
    description: 'Conditions on values in data; all must hold.',
  })
  data?: DataCondition[] | null;

  @Field(() => String, {
    nullable: true,
    description:
      'The query line, for example: module:guardian severity>=ERROR -action:users.login actor:ana@example.com "free text".',
  })
  query?: string | null;
}

/** A filter as GraphQL and REST take it. */
export interface FilterInput extends LogFilter {
  /** Actions in which `*` is a plain character, as REST has all but a trailing `.*`. */
  exactActions?: string[] | null;
}
