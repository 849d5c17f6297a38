import 'reflect-metadata';
import { Field, ObjectType } from 'type-graphql';
import { ReelError } from '../../errors.js';
import { LogEntry } from '../entry/log-entry.entity.js';
import type { WriteResult } from './writer.js';

@ObjectType({ description: "One input's outcome: the entry, or why it was refused." })
export class LogWriteResult {
  @Field(() => LogEntry, {
    nullable: true,
    description:
      'The stored entry, or the one stored before under the same idempotency key; null where it was refused.',
  })
  entry!: LogEntry | null;

  @Field(() => String, {
    nullable: true,
    description:
      'Why it was refused: BAD_USER_INPUT, FORBIDDEN, CONFLICT, UNAVAILABLE (try this one again under its key) or INTERNAL_SERVER_ERROR; null where it was stored.',
  })
  code!: string | null;

  @Field(() => String, { nullable: true, description: 'What was expected and what came, for a person.' })
  message!: string | null;

  /** `report` logs an error that is no ReelError, and answers the id under which it stands in the log. */
  static of(result: WriteResult, report: (error: unknown) => string): LogWriteResult {
    if (!('error' in result)) return { entry: result.entry, code: null, message: null };
    const { error } = result;
    return error instanceof ReelError
      ? { entry: null, code: error.code, message: error.message }
      : {
          entry: null,
          code: 'INTERNAL_SERVER_ERROR',
          message: `Internal server error (errorId ${report(error)})`,
        };
  }
}
