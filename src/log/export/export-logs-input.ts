import 'reflect-metadata';
import { Field, InputType, registerEnumType } from 'type-graphql';
import { LogFilter } from '../filter/log-filter.js';

export enum LogExportFormat {
  CSV = 'CSV',
  JSON = 'JSON',
  NDJSON = 'NDJSON',
}
registerEnumType(LogExportFormat, { name: 'LogExportFormat' });

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
