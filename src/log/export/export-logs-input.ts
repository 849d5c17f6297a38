import 'reflect-metadata';
import { Field, InputType, registerEnumType } from 'type-graphql';
import { LogFilter } from '../filter/log-filter.js';

export enum LogExportFormat {
  CSV = 'CSV',
  JSON = 'JSON',
  NDJSON = 'NDJSON',
}
registerEnumType(LogExportFormat, {
  name: 'LogExportFormat',
  description:
    'CSV: RFC 4180, for spreadsheets. JSON: one object with all entries. NDJSON: one JSON object a line.',
  valuesConfig: {
    CSV: { description: 'A table with a header line (RFC 4180).' },
    JSON: { description: 'One object with all entries.' },
    NDJSON: { description: 'One JSON object a line; the form that can carry proofs.' },
  },
});

@InputType({ description: 'What to export, and in which form.' })
export class ExportLogsInput {
  @Field(() => LogFilter, {
    nullable: true,
    description: 'Which entries; all of the client where none is given.',
  })
  filter?: LogFilter | null;

  @Field(() => LogExportFormat, { defaultValue: LogExportFormat.CSV, description: 'The form of the file.' })
  format?: LogExportFormat;

  @Field(() => Boolean, { defaultValue: false, description: 'Whether data is among the fields.' })
  includeData?: boolean;

  @Field(() => Boolean, {
    defaultValue: false,
    description: 'NDJSON only: each line carries what is needed to check it offline.',
  })
  includeProofs?: boolean;

  @Field(() => Boolean, {
    defaultValue: false,
    description:
      "Every field that the entry has, in the order of rest.md, instead of the first edition's columns.",
  })
  allFields?: boolean;

  @Field(() => Boolean, {
    defaultValue: false,
    description: 'CSV only: a byte order mark and semicolons, as spreadsheets in much of the world expect.',
  })
  spreadsheet?: boolean;

  @Field(() => String, { defaultValue: 'UTC', description: 'Of bare dates in the query line.' })
  timeZone?: string;
}
