import 'reflect-metadata';
import { Field, Float, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { Count, DateTime, JSONObject, UUID } from '../log/entry/scalars.js';
import { StreamFormat } from './formats/format.js';
import { StreamKind } from './kinds/kind.js';

export const StreamState = {
  RUNNING: 'RUNNING',
  PAUSED: 'PAUSED',
  FAILING: 'FAILING',
  DISABLED: 'DISABLED',
} as const;
export type StreamState = (typeof StreamState)[keyof typeof StreamState];

registerEnumType(StreamState, {
  name: 'StreamState',
  description: 'Whether a stream delivers.',
  valuesConfig: {
    RUNNING: { description: 'It delivers, or waits for entries.' },
    PAUSED: { description: 'Somebody paused it.' },
    FAILING: {
      description: 'Its receiver has refused, or not answered, for more than five minutes; it is tried on.',
    },
    DISABLED: { description: 'Its receiver said that it is gone (410); it is not tried any more.' },
  },
});

@ObjectType('StreamAttempt', { description: 'A batch that was sent.', simpleResolvers: true })
export class StreamAttempt {
  @Field(() => DateTime, { description: 'When it was answered, or given up.' })
  at!: string;

  @Field(() => Count, { description: 'The first sequence that the batch covers.' })
  first!: number;

  @Field(() => Count, { description: 'The last one.' })
  last!: number;

  @Field(() => Boolean, { description: 'Whether the receiver took it.' })
  delivered!: boolean;

  @Field(() => String, {
    nullable: true,
    description: 'What came back: a status and at most 200 characters, or what went wrong.',
  })
  answer!: string | null;
}

@ObjectType('Stream', {
  description: "Delivery of a tenant's entries to another system: see streams.md.",
  simpleResolvers: true,
})
export class Stream {
  @Field(() => UUID, { description: 'Its id, which every batch names.' })
  id!: string;

  @Field(() => String, { description: 'What people call it.' })
  name!: string;

  @Field(() => StreamKind, { description: 'What it delivers to.' })
  kind!: StreamKind;

  @Field(() => StreamFormat, { description: 'In what shape.' })
  format!: StreamFormat;

  @Field(() => String, { description: 'A query line that entries must match; empty: all are delivered.' })
  query!: string;

  @Field(() => UUID, {
    nullable: true,
    description: 'Only entries of this client; null: of all, and of none.',
  })
  clientId!: string | null;

  @Field(() => JSONObject, { description: "Its kind's settings, without any secret." })
  settings!: Record<string, unknown>;

  @Field(() => Boolean, { description: 'Whether it has a secret, which is never shown.' })
  hasSecret!: boolean;

  @Field(() => StreamState, { description: 'Whether it delivers.' })
  state!: StreamState;

  @Field(() => Count, { description: 'The last sequence that is done with.' })
  position!: number;

  @Field(() => Count, { description: 'Sealed entries after its position, whether they match or not.' })
  lagEntries!: number;

  @Field(() => Float, { description: 'How long ago the first of them was stored.' })
  lagSeconds!: number;

  @Field(() => DateTime, { nullable: true, description: 'When a batch was taken last.' })
  lastDeliveredAt!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'Why the last batch was not taken; null where it was.',
  })
  lastError!: string | null;

  @Field(() => [StreamAttempt], { description: 'The last 20, newest first.' })
  attempts!: readonly StreamAttempt[];

  @Field(() => Count, { description: 'Entries that the receiver refused for good.' })
  parkedCount!: number;

  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: string;
}

@InputType({ description: 'A new stream.' })
export class CreateStreamInput {
  @Field(() => String, { description: '1 to 100 characters.' })
  name!: string;

  @Field(() => StreamKind, { description: 'What it delivers to.' })
  kind!: StreamKind;

  @Field(() => StreamFormat, { defaultValue: StreamFormat.REEL, description: 'In what shape.' })
  format!: StreamFormat;

  @Field(() => String, { defaultValue: '', description: 'A query line that entries must match.' })
  query!: string;

  @Field(() => UUID, { nullable: true, description: 'Only entries of this client.' })
  clientId?: string | null;

  @Field(() => JSONObject, { description: "Its kind's settings: see docs/streams.md." })
  settings!: Record<string, unknown>;

  @Field(() => String, {
    nullable: true,
    description: 'Write only: what signs or opens the receiver, or env:NAME or file:PATH.',
  })
  secret?: string | null;

  @Field(() => Count, {
    nullable: true,
    description: 'Where to begin: after this sequence; none: with what is sealed from now on.',
  })
  after?: number | null;
}

@InputType({ description: 'What is given is changed.' })
export class UpdateStreamInput {
  @Field(() => String, { nullable: true, description: '1 to 100 characters.' })
  name?: string | null;

  @Field(() => StreamFormat, { nullable: true, description: 'In what shape.' })
  format?: StreamFormat | null;

  @Field(() => String, { nullable: true, description: 'A query line that entries must match.' })
  query?: string | null;

  @Field(() => UUID, { nullable: true, description: 'Only entries of this client; null: of all.' })
  clientId?: string | null;

  @Field(() => JSONObject, {
    nullable: true,
    description:
      'Settings that change, by name; null takes one away. A new address needs secret and headers again.',
  })
  settings?: Record<string, unknown> | null;

  @Field(() => String, { nullable: true, description: 'Write only; null takes it away.' })
  secret?: string | null;
}

@ObjectType('StreamTest', { description: 'What became of one marked entry.', simpleResolvers: true })
export class StreamTest {
  @Field(() => Boolean, { description: 'Whether the receiver took it.' })
  delivered!: boolean;

  @Field(() => String, {
    nullable: true,
    description: 'What the receiver answered: a status and at most 200 characters.',
  })
  answer!: string | null;
}

@ObjectType('ParkedEntry', {
  description: 'An entry that a receiver refused for good.',
  simpleResolvers: true,
})
export class ParkedEntry {
  @Field(() => Count, { description: 'Its sequence.' })
  sequence!: number;

  @Field(() => UUID, { description: 'Its id.' })
  entryId!: string;

  @Field(() => String, { description: 'What the receiver said.' })
  reason!: string;

  @Field(() => DateTime, { description: 'When.' })
  parkedAt!: string;
}
