import 'reflect-metadata';
import { Field, InputType } from 'type-graphql';
import { ActorType } from './actor-type.js';
import { LogOutcome } from './outcome.js';
import { DateTime, JSONObject, UUID } from './scalars.js';
import { LogSeverity } from './severity.js';

@InputType({ description: 'An entry as a module, or the browser of a signed-in person, reports it.' })
export class CreateLogInput {
  @Field(() => String, {
    description:
      "1 to 100 characters, no control, format or bidirectional characters, no white space around; `reel` and what looks like it are Reel's own.",
  })
  module!: string;

  @Field(() => String, { description: '1 to 255 characters, as module.' })
  action!: string;

  @Field(() => LogSeverity, { defaultValue: LogSeverity.INFO, description: 'How grave it is.' })
  severity?: LogSeverity;

  @Field(() => String, {
    nullable: true,
    description:
      "Who acted: modules only; a person's identity is taken from the credential (a sub that is an e-mail address becomes actorEmail, actorId null), and any of them that differs from it is BAD_USER_INPUT. An e-mail address, as a whole text of the form [^\\\\s@]+@[^\\\\s@]+\\\\.[^\\\\s@]+, is refused as actorId and as onBehalfOfId. At most 255, 320 and 255 characters.",
  })
  actorId?: string | null;

  @Field(() => String, { nullable: true, description: 'Who acted, as actorId; at most 320 characters.' })
  actorEmail?: string | null;

  @Field(() => String, { nullable: true, description: 'Who acted, as actorId; at most 255 characters.' })
  actorName?: string | null;

  @Field(() => ActorType, { nullable: true, description: 'Modules only.' })
  actorType?: ActorType | null;

  @Field(() => String, { nullable: true, description: 'Modules only. At most 255 characters each.' })
  onBehalfOfId?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'As onBehalfOfId: what a person calls whom the actor acted for.',
  })
  onBehalfOfName?: string | null;

  @Field(() => UUID, {
    nullable: true,
    description:
      "Modules only, and there required; a person's tenant is taken from the call, and another one is BAD_USER_INPUT. The nil UUID is BAD_USER_INPUT, as it is for clientId.",
  })
  tenantId?: string | null;

  @Field(() => UUID, { nullable: true, description: 'The client of the tenant that it is about.' })
  clientId?: string | null;

  @Field(() => String, { nullable: true, description: 'At most 100 characters.' })
  resourceType?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'At most 1,024 characters and 2,048 bytes in UTF-8; a UUID is kept in lower case.',
  })
  resourceId?: string | null;

  @Field(() => String, { nullable: true, description: 'At most 255 characters.' })
  resourceName?: string | null;

  @Field(() => LogOutcome, { nullable: true, description: 'How it ended.' })
  outcome?: LogOutcome | null;

  @Field(() => JSONObject, {
    nullable: true,
    description:
      'At most 65,536 bytes as compact JSON in UTF-8 and as PostgreSQL prints it, 32 levels deep (the object itself is the first). Each name once an object. A number is taken where its decimal value is that of the shortest text which ECMAScript gives for the double (0.1 and 1.10 are), it is no integer beyond ±(2^53 - 1), and its plain form has at most 300 digits; -0 is 0; send others as text. What is stored already is not measured by this.',
  })
  data?: Record<string, unknown> | null;

  @Field(() => String, {
    nullable: true,
    description:
      "Of a module's entry: what it says, null where it says nothing. Any spelling (a port, brackets or zone are taken off, ::ffff:10.0.0.1 is 10.0.0.1). Of a person's: the connection's.",
  })
  ipAddress?: string | null;

  @Field(() => String, {
    nullable: true,
    description: "The same. At most 1,000 characters; a longer one from a person's request is cut.",
  })
  userAgent?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      "At most 255 characters; a UUID is kept in lower case. A person's, where none is given: the request's own (X-Request-Id or traceparent).",
  })
  requestId?: string | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Not more than a day ahead; digits past microseconds other than zeros are refused.',
  })
  occurredAt?: string | null;

  @Field(() => Boolean, {
    defaultValue: false,
    description:
      'Modules only. Instead of being refused for it, an entry whose descriptive fields are out of bounds is stored with them mended, and `repaired` names them: a text that is too long is cut and ends in …, NUL and lone surrogates become U+FFFD (other control characters are kept as they are, but in module and action, which refuse them), an address that is none becomes null, an e-mail address as actorId moves to actorEmail, data past its bounds becomes {"_truncated": true, "_bytes": n, "_sha256": lower-case hex, both of the compact JSON that came, "_text": as many of its first characters, at most 32,768, as keep the whole within bounds}, a number that no double holds becomes text, digits of occurredAt past microseconds are cut. Ids of actor, request, resource and on-behalf-of are descriptive; where an e-mail address was given as actorId beside an actorEmail, the actorEmail is kept; a name that stands twice is refused all the same. Required fields, ids of tenants and clients, severity and outcome are never guessed at.',
  })
  repair?: boolean;

  @Field(() => String, {
    nullable: true,
    description:
      '1 to 200 characters, unique within tenant and writer (the module or the person). The same key with the same content (as canonical JSON after defaults; fields of the second edition count only where given, so that keys taken before still answer; with repair the mended content counts, and repair itself does not) is stored once and answered with the first entry, as long as that entry is kept; with other content: CONFLICT. Twice in one createLogs is one entry, answered twice.',
  })
  idempotencyKey?: string | null;
}
