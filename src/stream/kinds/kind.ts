import 'reflect-metadata';
import { registerEnumType } from 'type-graphql';
import type { z } from 'zod';
import type { LogEntry } from '../../log/entry/log-entry.entity.js';
import type { Egress, TlsOptions } from '../egress/egress.js';
import type { Formatted, StreamFormat } from '../formats/format.js';
import type { Outcome } from './outcome.js';
import type { CommonSettings } from './settings.js';

/** What a stream delivers to. */
export const StreamKind = {
  WEBHOOK: 'WEBHOOK',
  SPLUNK: 'SPLUNK',
  DATADOG: 'DATADOG',
  ELASTIC: 'ELASTIC',
  OTLP: 'OTLP',
  SYSLOG: 'SYSLOG',
  S3: 'S3',
} as const;
export type StreamKind = (typeof StreamKind)[keyof typeof StreamKind];

registerEnumType(StreamKind, {
  name: 'StreamKind',
  description: 'What a stream delivers to.',
  valuesConfig: {
    WEBHOOK: { description: 'Any HTTPS endpoint: batches in JSON, signed as Standard Webhooks says.' },
    SPLUNK: { description: "Splunk's HTTP Event Collector." },
    DATADOG: { description: "Datadog's logs intake, v2." },
    ELASTIC: { description: 'Elasticsearch or OpenSearch, by _bulk.' },
    OTLP: { description: 'An OpenTelemetry collector, by OTLP/HTTP logs.' },
    SYSLOG: { description: 'A syslog server: RFC 5424 over TLS, or over TCP.' },
    S3: { description: 'A bucket of any S3-compatible store.' },
  },
});

/** An entry as it is delivered. */
export interface Delivered {
  readonly entry: LogEntry;
  readonly value: Formatted;
  /** The value as JSON, or itself where it is text. */
  readonly text: string;
  /** The text, where it was made as bytes. */
  readonly bytes?: Buffer;
}

/** What is sent at once. The same bounds, under the same id, whenever it is tried again. */
export interface BatchToSend {
  /** `stream_run_first_last`. */
  readonly id: string;
  readonly streamId: string;
  readonly tenantId: string;
  /** Of the batch before: its `last`. */
  readonly previous: number;
  readonly first: number;
  readonly last: number;
  readonly entries: readonly Delivered[];
  /** The signed note of a checkpoint over at least `last`; null of a test. */
  readonly checkpoint: string | null;
  /** What the batch says of itself in format reel beside the entries. */
  readonly about: Readonly<Record<string, unknown>>;
}

export interface Sender {
  /** Errors: those of the connection, which count as refused for now. */
  send(batch: BatchToSend, signal: AbortSignal): Promise<Outcome>;
  close(): void;
  /**
   * For a receiver that acknowledges nothing: a batch is done when so many milliseconds have passed since it was sent and the
   * connection that it was sent over still stands.
   */
  readonly settleMs?: number;
  /** The number of the connection that stands now; null where none does. */
  readonly connection?: number | null;
}

/** What a sender is opened with. */
export interface Target<S> {
  readonly settings: S;
  readonly format: StreamFormat;
  readonly secret: string | null;
  /** The secret before, for as long as receivers may still hold it. */
  readonly previousSecret: string | null;
  /** Values of the settings that are secret. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
  readonly egress: Egress;
}

export interface BatchBounds {
  readonly entries: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** A receiver's protocol. */
export interface Kind<S extends CommonSettings = CommonSettings> {
  readonly name: StreamKind;
  readonly formats: readonly StreamFormat[];
  /** Its own settings, by name; the common ones are added. */
  readonly settings: z.ZodType<S>;
  /** Those that say where it goes: a new value needs secret and headers again. */
  readonly destination: readonly string[];
  readonly batch: BatchBounds;
  /** Whether batches have proofs in format reel where the settings do not say. */
  readonly proofs: boolean;
  /** A secret that Reel makes where none is given; null: none. */
  makeSecret?(settings: S): string | null;
  /** Errors: BAD_USER_INPUT where the secret is not of the kind's form, or misses. */
  checkSecret(secret: string | null, settings: S): void;
  /** Errors: BAD_USER_INPUT for settings that do not go together, or lead where they may not. */
  check(settings: S, egress: Egress): void;
  /** What is shown beside the settings. */
  shown?(secret: string | null, settings: S): Readonly<Record<string, unknown>>;
  open(target: Target<S>): Sender;
}
