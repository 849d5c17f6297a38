import 'reflect-metadata';
import { Field, InputType } from 'type-graphql';
import { DateTime, JSONObject, UUID } from './scalars.js';
import { LogSeverity } from './severity.js';

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
