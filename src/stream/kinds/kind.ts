import 'reflect-metadata';
import { registerEnumType } from 'type-graphql';
import { z } from 'zod';
import { badInput } from '../../errors.js';
import type { LogEntry } from '../../log/entry/log-entry.entity.js';
import type { Egress, TlsOptions } from '../egress/egress.js';
import type { Formatted, StreamFormat } from '../formats/format.js';
import type { Outcome } from './outcome.js';

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

export interface CommonSettings {
  readonly batchEntries?: number | undefined;
  readonly batchBytes?: number | undefined;
  readonly batchSeconds?: number | undefined;
  readonly proofs?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string | null>> | undefined;
  readonly ca?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | null | undefined;
}

/** A check whose message says what is expected. */
const expected = <T>(what: string, fits: (value: unknown) => boolean) => z.custom<T>(fits, { error: what });

export const text = (max: number) =>
  expected<string>(
    `1 to ${max} characters without control characters`,
    (value) => typeof value === 'string' && value !== '' && value.length <= max && !/\p{Cc}/u.test(value),
  );
export const urlText = expected<string>(
  'an https URL of at most 2,000 characters without a user name or password',
  (value) => typeof value === 'string' && value.length <= 2_000 && URL.canParse(value),
);
export const truth = expected<boolean>('true or false', (value) => typeof value === 'boolean');
export const whole = (min: number, max: number) =>
  expected<number>(
    `an integer from ${min} to ${max}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  );
export const choice = <const T extends string>(...words: readonly T[]) =>
  expected<T>(words.join(' or '), (value) => words.includes(value as T));

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/;
const HEADER_VALUE = /^[\x20-\x7e\x80-\xff]{1,4000}$/;
const RESERVED =
  /^(host|content-.*|transfer-encoding|connection|te|upgrade|trailer|expect|keep-alive|proxy-.*|webhook-.*)$/i;
/** By name; null stands for a value that is kept. */
export const headerValues = expected<Record<string, string | null>>(
  'at most 20 names of headers, none of which Reel sets itself, each with a value of 1 to 4,000 characters',
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.keys(value).length <= 20 &&
    Object.entries(value).every(
      ([name, each]) =>
        HEADER_NAME.test(name) &&
        !RESERVED.test(name) &&
        (each === null || (typeof each === 'string' && HEADER_VALUE.test(each))),
    ),
);

const pem = (label: RegExp, what: string) =>
  expected<string>(
    what,
    (value) => typeof value === 'string' && value.length <= 64 * 1024 && label.test(value),
  );

const COMMON = {
  batchEntries: whole(1, 1_000).optional(),
  batchBytes: whole(1_024, 5 * 1_048_576).optional(),
  batchSeconds: whole(0, 3_600).optional(),
  ca: pem(/^-----BEGIN CERTIFICATE-----/, 'certificates as PEM').optional(),
  clientCertificate: pem(/^-----BEGIN CERTIFICATE-----/, 'a certificate as PEM').optional(),
  clientKey: pem(/^-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key as PEM')
    .nullable()
    .optional(),
};

/** A kind's settings, with those that every kind takes. */
export const settingsOf = <S extends z.ZodRawShape>(own: S) => z.strictObject({ ...COMMON, ...own });

/** Settings whose values are never shown. */
export const SECRET_SETTINGS: ReadonlySet<string> = new Set(['headers', 'clientKey']);

/** Errors: BAD_USER_INPUT that names the setting. */
export function readSettings<S>(schema: z.ZodType<S>, given: Readonly<Record<string, unknown>>): S {
  const read = schema.safeParse(given);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const known = schema instanceof z.ZodObject ? Object.keys(schema.shape).join(', ') : '';
    throw badInput('settings', `only ${known}`, issue.keys.join(', '));
  }
  const name = String(issue?.path[0] ?? '');
  const came = given[name];
  const shown = SECRET_SETTINGS.has(name) && came !== undefined ? 'something else' : came;
  throw badInput(`settings.${name}`, issue?.message ?? 'another value', shown);
}

export const isPresent = (secret: string | null): secret is string => secret !== null && secret !== '';

/** For kinds whose secret is a token or a key in one line. */
export function checkToken(secret: string | null, what: string, isRequired = true): void {
  if (secret === null && !isRequired) return;
  if (secret === null || !/^[\x21-\x7e][\x20-\x7e]{0,4095}$/.test(secret))
    throw badInput('secret', what, secret === null ? null : `${secret.length} other characters`);
}
