import 'reflect-metadata';
import { Field, InputType, registerEnumType } from 'type-graphql';
import { LogOrigin } from './origin.js';
import { DateTime, JSONObject, UUID } from './scalars.js';
import { LogSeverity } from './severity.js';

export enum LogOrder {
  NEWEST_FIRST = 'NEWEST_FIRST',
  OLDEST_FIRST = 'OLDEST_FIRST',
}
registerEnumType(LogOrder, {
  name: 'LogOrder',
  description: 'Ties are broken by id, so every order is total.',
});

export enum LogExportFormat {
  CSV = 'CSV',
  JSON = 'JSON',
  NDJSON = 'NDJSON',
}
registerEnumType(LogExportFormat, { name: 'LogExportFormat' });

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

  @Field(() => [UUID], { nullable: true })
  actorIds?: string[] | null;

  @Field(() => String, { nullable: true, description: 'Case does not matter.' })
  actorEmail?: string | null;

  @Field(() => String, { nullable: true })
  resourceType?: string | null;

  @Field(() => String, { nullable: true })
  resourceId?: string | null;

  @Field(() => UUID, { nullable: true })
  clientId?: string | null;

  @Field(() => UUID, { nullable: true })
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

@InputType()
export class CreateLogInput {
  @Field(() => String, { description: "1 to 100 characters, no control characters; `reel` is Reel's own." })
  module!: string;

  @Field(() => String, { description: '1 to 255 characters, no control characters.' })
  action!: string;

  @Field(() => LogSeverity, { defaultValue: LogSeverity.INFO })
  severity?: LogSeverity;

  @Field(() => UUID, {
    nullable: true,
    description:
      "These four, modules only: a person's identity is taken from the credential, and any of them that differs from it is BAD_USER_INPUT. At most 320 and 255 characters.",
  })
  actorId?: string | null;

  @Field(() => String, { nullable: true })
  actorEmail?: string | null;

  @Field(() => String, { nullable: true })
  actorName?: string | null;

  @Field(() => UUID, { nullable: true })
  onBehalfOfId?: string | null;

  @Field(() => UUID, {
    nullable: true,
    description:
      "Modules only, and there required; a person's tenant is taken from the call, and another one is BAD_USER_INPUT.",
  })
  tenantId?: string | null;

  @Field(() => UUID, { nullable: true })
  clientId?: string | null;

  @Field(() => String, { nullable: true, description: 'At most 100 characters.' })
  resourceType?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'At most 255 characters; a UUID is kept in lower case.',
  })
  resourceId?: string | null;

  @Field(() => JSONObject, {
    nullable: true,
    description:
      'At most 65,536 bytes as compact JSON in UTF-8, 32 levels deep (the object itself is the first).',
  })
  data?: Record<string, unknown> | null;

  @Field(() => String, { nullable: true, description: 'Modules only; otherwise taken from the connection.' })
  ipAddress?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'Modules only; otherwise taken from the request. At most 1,000 characters; a longer one from the request is cut.',
  })
  userAgent?: string | null;

  @Field(() => UUID, { nullable: true })
  requestId?: string | null;

  @Field(() => DateTime, { nullable: true })
  occurredAt?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      '1 to 200 characters, unique within tenant and writer (the module or the person). The same key with the same content (as canonical JSON after defaults) is stored once and answered with the first entry, as long as that entry is kept; with other content: CONFLICT. Twice in one createLogs is one entry, answered twice.',
  })
  idempotencyKey?: string | null;
}

@InputType()
export class ExportLogsInput {
  @Field(() => LogFilter, { nullable: true })
  filter?: LogFilter | null;

  @Field(() => LogExportFormat, { defaultValue: LogExportFormat.CSV })
  format?: LogExportFormat;

  @Field(() => Boolean, { defaultValue: false })
  includeData?: boolean;

  @Field(() => Boolean, {
    defaultValue: false,
    description: 'NDJSON only: each line carries what is needed to check it offline.',
  })
  includeProofs?: boolean;
}

/** How a page of the list is asked for: by cursor (first/after, last/before) or by number (first with page). */
export interface PageRequest {
  orderBy?: LogOrder;
  first?: number | null;
  after?: string | null;
  last?: number | null;
  before?: string | null;
  page?: number | null;
}
