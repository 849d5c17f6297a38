import 'reflect-metadata';
import { BigIntType, EntitySchema, type FormulaCallback, PrimaryKeyProp } from '@mikro-orm/core';
import { Field, ObjectType, registerEnumType } from 'type-graphql';
import { ACTOR_TYPES, ActorType } from './actor-type.js';
import {
  ActorTypeType,
  AddressType,
  InstantType,
  ListType,
  OriginType,
  OutcomeType,
  SeverityType,
} from './column-types.js';
import { LogOrigin } from './origin.js';
import { LogOutcome } from './outcome.js';
import { Count, DateTime, JSONObject, UUID } from './scalars.js';
import { LogSeverity } from './severity.js';

registerEnumType(LogSeverity, {
  name: 'LogSeverity',
  description: 'How grave an entry is, from mild to grave.',
  valuesConfig: {
    DEBUG: { description: 'Detail for those who build or operate the module.' },
    INFO: { description: 'What happens in the normal course of things.' },
    WARNING: { description: 'Unusual, or likely to need attention.' },
    ERROR: { description: 'Something failed or was refused.' },
    CRITICAL: { description: 'Needs attention at once.' },
  },
});
registerEnumType(LogOrigin, {
  name: 'LogOrigin',
  description: "How an entry came in: written by a module, or reported by a signed-in person's browser.",
  valuesConfig: {
    MODULE: { description: 'Written by a module; who acted is what the module says.' },
    BROWSER: {
      description: "Reported by a signed-in person's browser; who acted is taken from the credential.",
    },
  },
});

registerEnumType(ActorType, {
  name: 'ActorType',
  description: 'What kind of actor acted. Default: SYSTEM where no actor field is given, else USER.',
  valuesConfig: {
    USER: { description: 'A person.' },
    SERVICE: { description: 'Another program, by an account of its own.' },
    AGENT: { description: 'A program that acts for a person, such as an AI agent.' },
    SYSTEM: { description: 'The module itself, as by a schedule.' },
    ANONYMOUS: { description: 'Somebody who was not signed in.' },
  },
});
registerEnumType(LogOutcome, {
  name: 'LogOutcome',
  description: 'How it ended, where the module says.',
  valuesConfig: {
    SUCCESS: { description: 'It was done.' },
    FAILURE: { description: 'It was tried and did not work.' },
    DENIED: { description: 'It was refused, for want of permission for example.' },
  },
});

/** MikroORM also names the default schema, even if it is not in the search path, by which every other table of Reel is found. */
const sequenceOf: FormulaCallback<LogEntry> = (columns, { schema }) => {
  const table = schema && schema !== 'public' ? `"${schema}".reel_log_sequence` : 'reel_log_sequence';
  return `(select seq from ${table}
    where reel_log_sequence.tenant_id = ${columns.tenantId} and reel_log_sequence.entry_id = ${columns.id})`;
};

/** As guessActorType in fields.ts does, for entries of leaf version 1. */
const actorTypeOf: FormulaCallback<LogEntry> = ({ actorId, actorEmail, actorName, erasedAt }) =>
  `(coalesce(${actorId.replace('actor_id', 'actor_type')}, case when
    coalesce(${actorId}, ${actorEmail}, ${actorName}, ${erasedAt}::text) is null then ${ACTOR_TYPES.indexOf(ActorType.SYSTEM)} else ${ACTOR_TYPES.indexOf(ActorType.USER)} end))`;

/** Null stands for an empty list, which MikroORM does not convert. */
const repairedOf: FormulaCallback<LogEntry> = ({ actorId }) =>
  `(coalesce(${actorId.replace('actor_id', 'repaired')}, '{}'))`;

/**
 * One row of reel_log_entries and GraphQL's LogEntry. Times are text in the wire's form (`2026-01-05T10:00:00.123456Z`),
 * since a Date would lose the microseconds; severity and origin are stored as smallint and named when read. A host may
 * add it to the entities of its own ORM to read entries (with ReelSchemaGenerator among the extensions); only ReelService
 * writes them, and a flush ignores them.
 */
@ObjectType({ description: 'One entry of the audit trail. Entries never change.', simpleResolvers: true })
export class LogEntry {
  [PrimaryKeyProp]?: ['id', 'tenantId'];

  @Field(() => UUID, { description: 'UUIDv7 (RFC 9562) whose time is createdAt.' })
  id!: string;

  @Field(() => String, { description: 'The module that recorded the action, for example guardian.' })
  module!: string;

  @Field(() => String, { description: 'What was done, for example users.create.' })
  action!: string;

  @Field(() => LogSeverity, { description: 'How grave it is, as the module says.' })
  severity!: LogSeverity;

  @Field(() => LogOrigin, { description: 'How the entry came in.' })
  origin!: LogOrigin;

  @Field(() => String, {
    nullable: true,
    description:
      'Who really acted. Any identifier of at most 255 characters (auth0|5f1, system:serviceaccount:ci:build, a UUID, which is kept in lower case); pseudonymous, since it is sealed: an e-mail address is refused here.',
  })
  actorId!: string | null;

  @Field(() => ActorType, { description: 'What kind of actor acted.' })
  actorType!: ActorType;

  @Field(() => String, { nullable: true, description: 'As it was at the time of the action.' })
  actorEmail!: string | null;

  @Field(() => String, { nullable: true, description: 'As it was at the time of the action.' })
  actorName!: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'For whom the actor acted: the customer whom support impersonates, the person for whom an agent works. The actor is always the one who really acted (RFC 8693: the actor is `act`, this is the subject). In entries of leaf version 1 it was the other way round, and they keep what was sealed: there, on-behalf-of is who really acted.',
  })
  onBehalfOfId!: string | null;

  @Field(() => String, { nullable: true, description: 'As it was at the time of the action.' })
  onBehalfOfName!: string | null;

  @Field(() => UUID, { description: 'The tenant whose trail this is.' })
  tenantId!: string;

  @Field(() => UUID, {
    nullable: true,
    description: 'The client of the tenant that it is about; null where it is about the tenant as a whole.',
  })
  clientId!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'What kind of thing was acted on, for example invoice.',
  })
  resourceType!: string | null;

  @Field(() => String, { nullable: true, description: 'Which one.' })
  resourceId!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'What a person calls it, as it was at the time: Invoice 2026-4711 of Padaria Aurora.',
  })
  resourceName!: string | null;

  @Field(() => LogOutcome, { nullable: true, description: 'Null where the module did not say.' })
  outcome!: LogOutcome | null;

  @Field(() => JSONObject, { nullable: true, description: 'What else the module says: any JSON object.' })
  data!: Record<string, unknown> | null;

  @Field(() => String, {
    nullable: true,
    description: 'Where the actor acted from, as the module or the connection says.',
  })
  ipAddress!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The program that the actor used, as the module or the request says.',
  })
  userAgent!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'A request, trace or correlation id, at most 255 characters.',
  })
  requestId!: string | null;

  @Field(() => [String], {
    description:
      'Input fields that were cut or replaced at entry, since the writer asked for repair; in snake_case, sorted. Sealed.',
  })
  repaired!: string[];

  @Field(() => DateTime, {
    description: 'When it happened, as the module says; equals createdAt where the module says nothing.',
  })
  occurredAt!: string;

  @Field(() => DateTime, { description: 'When Reel stored it.' })
  createdAt!: string;

  /** Stored in reel_log_sequence, since an entry's row is never updated. */
  @Field(() => Count, {
    nullable: true,
    description:
      "Position in the tenant's sealed order, from 1 without gaps; null until sealed (about a second).",
  })
  sequence!: number | null;

  @Field(() => DateTime, {
    nullable: true,
    description: "Set when the entry's identity fields and data were erased; every proof still holds.",
  })
  erasedAt!: string | null;

  /**
   * 16 random bytes before the identity fields in their digest; null once erased. Never shown but in a proof. This and
   * the three below are undefined unless populated: `populate: ['identitySalt']`.
   */
  identitySalt?: Buffer | null;

  /** 16 random bytes before data in its digest; null if there is no data, or once erased. */
  dataSalt?: Buffer | null;

  /** SHA-256 of the identity fields as in the leaf. */
  identityDigest?: Buffer;

  /** SHA-256 of data as in the leaf; null if the entry has no data. */
  dataDigest?: Buffer | null;
}

/** How MikroORM reads it. Without decorators, whose package a host would need in the very version of its MikroORM. */
new EntitySchema<LogEntry>({
  class: LogEntry,
  tableName: 'reel_log_entries',
  readonly: true,
  properties: {
    id: { type: 'uuid', primary: true },
    module: { type: 'text' },
    action: { type: 'text' },
    severity: { type: SeverityType },
    origin: { type: OriginType },
    actorId: { type: 'text', nullable: true },
    actorType: { type: ActorTypeType, formula: actorTypeOf },
    actorEmail: { type: 'text', nullable: true },
    actorName: { type: 'text', nullable: true },
    onBehalfOfId: { type: 'text', nullable: true },
    onBehalfOfName: { type: 'text', nullable: true },
    tenantId: { type: 'uuid', primary: true },
    clientId: { type: 'uuid', nullable: true },
    resourceType: { type: 'text', nullable: true },
    resourceId: { type: 'text', nullable: true },
    resourceName: { type: 'text', nullable: true },
    outcome: { type: OutcomeType, nullable: true },
    data: { type: 'jsonb', nullable: true },
    ipAddress: { type: AddressType, nullable: true },
    userAgent: { type: 'text', nullable: true },
    requestId: { type: 'text', nullable: true },
    repaired: { type: ListType, formula: repairedOf },
    occurredAt: { type: InstantType },
    createdAt: { type: InstantType },
    sequence: { type: new BigIntType('number'), formula: sequenceOf, nullable: true },
    erasedAt: { type: InstantType, nullable: true },
    identitySalt: { type: 'blob', nullable: true, lazy: true, hidden: true },
    dataSalt: { type: 'blob', nullable: true, lazy: true, hidden: true },
    identityDigest: { type: 'blob', lazy: true },
    dataDigest: { type: 'blob', nullable: true, lazy: true },
  },
});
