import 'reflect-metadata';
import { Field, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { JSONObject } from '../entry/scalars.js';
import { LogSeverity } from '../entry/severity.js';

export const RedactionHow = { DROP: 'DROP', MASK: 'MASK', HMAC: 'HMAC' } as const;
export type RedactionHow = (typeof RedactionHow)[keyof typeof RedactionHow];

registerEnumType(RedactionHow, {
  name: 'RedactionHow',
  description: 'What becomes of a value that is redacted.',
  valuesConfig: {
    DROP: { description: 'It is left out.' },
    MASK: { description: '**** and its last 4 characters stand for it.' },
    HMAC: {
      description:
        'hmac: and its HMAC-SHA256 under REEL_REDACTION_KEY, in hex, stand for it: whoever has the key can search for it.',
    },
  },
});

@ObjectType('Redaction', { description: 'A value that is never stored as it is.', simpleResolvers: true })
export class Redaction {
  @Field(() => String, {
    description: 'The way into data, such as before.card; it leads through lists, and * is any name.',
  })
  path!: string;

  @Field(() => RedactionHow, { description: 'What becomes of it.' })
  how!: RedactionHow;
}

@ObjectType('RegisteredAction', {
  description: 'A registered action: see client.md.',
  simpleResolvers: true,
})
export class RegisteredAction {
  @Field(() => String, { description: 'The module that registered it.' })
  module!: string;

  @Field(() => String, { description: 'Its name, as entries have it.' })
  action!: string;

  @Field(() => Int, { description: 'Of its schema, from 1.' })
  version!: number;

  @Field(() => String, { nullable: true, description: 'What it is, for people.' })
  description!: string | null;

  @Field(() => LogSeverity, { nullable: true, description: 'Of its entries, where they name none.' })
  severity!: LogSeverity | null;

  @Field(() => String, { nullable: true, description: 'The type of the resource that it acts upon.' })
  resourceType!: string | null;

  @Field(() => JSONObject, {
    nullable: true,
    description: 'JSON Schema, draft 2020-12.',
  })
  schema!: Record<string, unknown> | null;

  @Field(() => [Redaction], { description: 'What of the data is redacted, by its path.' })
  redact!: readonly Redaction[];
}

@InputType('RedactionInput', { description: 'A value that is never stored as it is.' })
export class RedactionInput {
  @Field(() => String, {
    description:
      'Names joined by dots, such as before.card, of at most 255 characters; the way leads through lists, and * is any name.',
  })
  path!: string;

  @Field(() => RedactionHow, { defaultValue: RedactionHow.DROP, description: 'What becomes of it.' })
  how!: RedactionHow;
}

@InputType('RegisterActionInput', { description: 'An action of the calling module.' })
export class RegisterActionInput {
  @Field(() => String, { description: 'Its name: 1 to 255 characters, as in createLog.' })
  action!: string;

  @Field(() => Int, { description: 'Of its schema, from 1; an action has at most 20.' })
  version!: number;

  @Field(() => String, { nullable: true, description: 'What it is, for people: at most 500 characters.' })
  description?: string | null;

  @Field(() => LogSeverity, { nullable: true, description: 'Of its entries, where they name none.' })
  severity?: LogSeverity | null;

  @Field(() => String, {
    nullable: true,
    description: 'The type of the resource that it acts upon: at most 100 characters.',
  })
  resourceType?: string | null;

  @Field(() => JSONObject, {
    nullable: true,
    description:
      'JSON Schema, draft 2020-12, of the data of its entries before it is redacted: at most 32,768 bytes and 32 levels, with no reference to elsewhere.',
  })
  schema?: Record<string, unknown> | null;

  @Field(() => [RedactionInput], {
    nullable: true,
    description: 'What of the data is redacted: at most 100 paths, each once.',
  })
  redact?: RedactionInput[] | null;
}
