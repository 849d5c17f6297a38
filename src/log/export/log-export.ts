import 'reflect-metadata';
import { Field, ObjectType } from 'type-graphql';
import { Count, DateTime } from '../entry/scalars.js';

/** A prepared export, as GraphQL and REST return it. */
@ObjectType({ description: 'A prepared export: the link to its file.', simpleResolvers: true })
export class LogExport {
  @Field(() => String, {
    description: 'Path on this server that streams the file to whoever holds the link, until expiresAt.',
  })
  downloadUrl!: string;

  @Field(() => String, { description: 'The name that the file is downloaded under.' })
  filename!: string;

  @Field(() => Count, { description: 'How many entries the file has.' })
  recordCount!: number;

  /** `2026-01-05T10:00:00.000000Z`. */
  @Field(() => DateTime, { description: 'Until when the link can be used.' })
  expiresAt!: string;
}
