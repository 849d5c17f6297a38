import 'reflect-metadata';
import { BigIntType, type FormulaCallback, PrimaryKeyProp } from '@mikro-orm/core';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ObjectType, registerEnumType } from 'type-graphql';
import { AddressType, InstantType, OriginType, SeverityType } from './column-types.js';
import { LogOrigin } from './origin.js';
import { Count, DateTime, JSONObject, UUID } from './scalars.js';
import { LogSeverity } from './severity.js';

registerEnumType(LogSeverity, { name: 'LogSeverity' });
registerEnumType(LogOrigin, {
  name: 'LogOrigin',
  description: "How an entry came in: written by a module, or reported by a signed-in person's browser.",
});

/** MikroORM passes `public` even where the search path names another schema, which is how Reel's SQL finds its tables. */
const sequenceOf: FormulaCallback<LogEntry> = (columns, { schema }) => {
  const table = schema && schema !== 'public' ? `"${schema}".reel_log_sequence` : 'reel_log_sequence';
  return `(select seq from ${table}
    where reel_log_sequence.tenant_id = ${columns.tenantId} and reel_log_sequence.entry_id = ${columns.id})`;
};

/**
 * One row of reel_log_entries and GraphQL's LogEntry. Times are text in the wire's form (`2026-01-05T10:00:00.123456Z`),
 * since a Date would lose the microseconds; severity and origin are stored as smallint and named when read. A host may
 * add it to the entities of its own ORM to read entries (with ReelSchemaGenerator among the extensions); only ReelService
 * writes them, and a flush ignores them.
 */
@Entity({ tableName: 'reel_log_entries', readonly: true })
@ObjectType({ description: 'One entry of the audit trail. Entries never change.', simpleResolvers: true })
export class LogEntry {
  [PrimaryKeyProp]?: ['id', 'tenantId'];

  @PrimaryKey({ type: 'uuid' })
  @Field(() => UUID)
  id!: string;

  @Property({ type: 'text' })
  @Field(() => String)
  module!: string;

  @Property({ type: 'text' })
  @Field(() => String)
  action!: string;

  @Property({ type: SeverityType })
  @Field(() => LogSeverity)
  severity!: LogSeverity;

  @Property({ type: OriginType })
  @Field(() => LogOrigin)
  origin!: LogOrigin;

  @Property({ type: 'uuid', nullable: true })
  @Field(() => UUID, { nullable: true, description: 'Null for actions of the system itself.' })
  actorId!: string | null;

  @Property({ type: 'text', nullable: true })
  @Field(() => String, { nullable: true, description: 'As it was at the time of the action.' })
  actorEmail!: string | null;

  @Property({ type: 'text', nullable: true })
  @Field(() => String, { nullable: true, description: 'As it was at the time of the action.' })
  actorName!: string | null;

  @Property({ type: 'uuid', nullable: true })
  @Field(() => UUID, {
    nullable: true,
    description: 'The person really acting, when the actor is being impersonated.',
  })
  onBehalfOfId!: string | null;

  @PrimaryKey({ type: 'uuid' })
  @Field(() => UUID)
  tenantId!: string;

  @Property({ type: 'uuid', nullable: true })
  @Field(() => UUID, { nullable: true })
  clientId!: string | null;

  @Property({ type: 'text', nullable: true })
  @Field(() => String, { nullable: true })
  resourceType!: string | null;

  @Property({ type: 'text', nullable: true })
  @Field(() => String, { nullable: true })
  resourceId!: string | null;

  @Property({ type: 'jsonb', nullable: true })
  @Field(() => JSONObject, { nullable: true })
  data!: Record<string, unknown> | null;

  @Property({ type: AddressType, nullable: true })
  @Field(() => String, { nullable: true })
  ipAddress!: string | null;

  @Property({ type: 'text', nullable: true })
  @Field(() => String, { nullable: true })
  userAgent!: string | null;

  @Property({ type: 'uuid', nullable: true })
  @Field(() => UUID, { nullable: true })
  requestId!: string | null;

  @Property({ type: InstantType })
  @Field(() => DateTime, {
    description: 'When it happened, as the module says; equals createdAt where the module says nothing.',
  })
  occurredAt!: string;

  @Property({ type: InstantType })
  @Field(() => DateTime, { description: 'When Reel stored it.' })
  createdAt!: string;

  /** Kept in reel_log_sequence, since an entry's row is never written again. */
  @Property({ type: new BigIntType('number'), formula: sequenceOf, nullable: true })
  @Field(() => Count, {
    nullable: true,
    description:
      "Position in the tenant's sealed order, from 1 without gaps; null until sealed (about a second).",
  })
  sequence!: number | null;

  @Property({ type: InstantType, nullable: true })
  @Field(() => DateTime, {
    nullable: true,
    description: "Set when the entry's identity fields and data were erased; every proof still holds.",
  })
  erasedAt!: string | null;

  /**
   * 16 random bytes before the identity fields in their digest; null once erased. Never shown but in a proof. This and
   * the three below are undefined unless populated: `populate: ['identitySalt']`.
   */
  @Property({ type: 'blob', nullable: true, lazy: true, hidden: true })
  identitySalt?: Buffer | null;

  /** 16 random bytes before data in its digest; null where there is no data or once erased. */
  @Property({ type: 'blob', nullable: true, lazy: true, hidden: true })
  dataSalt?: Buffer | null;

  /** SHA-256 of the identity fields as the leaf holds it. */
  @Property({ type: 'blob', lazy: true })
  identityDigest?: Buffer;

  /** SHA-256 of data as the leaf holds it; null where the entry has no data. */
  @Property({ type: 'blob', nullable: true, lazy: true })
  dataDigest?: Buffer | null;
}
