import 'reflect-metadata';
import { registerEnumType } from 'type-graphql';
import type { LogEntry } from '../../log/entry/log-entry.entity.js';

/** In what shape a stream delivers entries. */
export const StreamFormat = { REEL: 'REEL', OCSF: 'OCSF', ECS: 'ECS', CEF: 'CEF' } as const;
export type StreamFormat = (typeof StreamFormat)[keyof typeof StreamFormat];

registerEnumType(StreamFormat, {
  name: 'StreamFormat',
  description: 'In what shape a stream delivers entries.',
  valuesConfig: {
    REEL: { description: "Reel's own: the entry as REST shows it." },
    OCSF: { description: 'Open Cybersecurity Schema Framework; the whole entry under `unmapped`.' },
    ECS: { description: 'Elastic Common Schema; not for OTLP.' },
    CEF: { description: 'Common Event Format; for syslog only.' },
  },
});

/** What a format needs to know beside the entry. */
export interface FormatContext {
  readonly streamId: string;
}

/** An entry in a stream's format: as an object, or as text where the format is no JSON. */
export type Formatted = Readonly<Record<string, unknown>> | string;

export type Format = (entry: LogEntry, context: FormatContext) => Formatted;
