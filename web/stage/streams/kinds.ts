import type { StreamFormat, StreamKind } from '../generated.js';

/** One setting of a kind, as the form asks for it. */
export interface SettingField {
  name: string;
  type: 'text' | 'url' | 'whole' | 'truth' | 'choice' | 'pem' | 'headers';
  isRequired?: true;
  /** What holds where nothing is set; shown in the empty field. */
  standard?: string | boolean;
  /** Of a choice. */
  choices?: readonly string[];
  /** Of a whole number. */
  range?: readonly [number, number];
  /** Says where entries go: a new value needs the secret and the headers again. */
  isDestination?: true;
  /** Never answered back. */
  isSecret?: true;
}

/** What a kind of stream needs: the server's src/stream/kinds, held to it by a test. */
export interface KindFields {
  formats: readonly StreamFormat[];
  secret: 'required' | 'optional' | 'none';
  settings: readonly SettingField[];
  /** Shown closed. */
  further: readonly SettingField[];
}

const URL_FIELD = { name: 'url', type: 'url', isRequired: true, isDestination: true } as const;
const HEADERS = { name: 'headers', type: 'headers', isSecret: true } as const;
const PROOFS = { name: 'proofs', type: 'truth', standard: true } as const;

const further = (entries: number, bytes: string, seconds: number, most = 1_000): SettingField[] => [
  { name: 'batchEntries', type: 'whole', range: [1, most], standard: String(entries) },
  { name: 'batchBytes', type: 'whole', range: [1_024, 5_242_880], standard: bytes },
  { name: 'batchSeconds', type: 'whole', range: [0, 3_600], standard: String(seconds) },
  { name: 'ca', type: 'pem' },
  { name: 'clientCertificate', type: 'pem' },
  { name: 'clientKey', type: 'pem', isSecret: true },
];
const COMMON = further(500, '1048576', 0);
const JSON_FORMATS: readonly StreamFormat[] = ['REEL', 'OCSF', 'ECS'];

export const KINDS: Readonly<Record<StreamKind, KindFields>> = {
  WEBHOOK: {
    formats: JSON_FORMATS,
    secret: 'required',
    settings: [
      URL_FIELD,
      { name: 'signing', type: 'choice', choices: ['v1', 'v1a'], standard: 'v1' },
      PROOFS,
      HEADERS,
    ],
    further: COMMON,
  },
  SPLUNK: {
    formats: JSON_FORMATS,
    secret: 'required',
    settings: [
      URL_FIELD,
      { name: 'index', type: 'text' },
      { name: 'sourcetype', type: 'text', standard: 'reel:audit' },
      { name: 'acknowledge', type: 'truth', standard: false },
    ],
    further: COMMON,
  },
  DATADOG: {
    formats: JSON_FORMATS,
    secret: 'required',
    settings: [
      { name: 'site', type: 'text', isDestination: true },
      { name: 'url', type: 'url', isDestination: true },
      { name: 'service', type: 'text', standard: 'reel' },
      { name: 'tags', type: 'text' },
    ],
    further: COMMON,
  },
  ELASTIC: {
    formats: JSON_FORMATS,
    secret: 'required',
    settings: [URL_FIELD, { name: 'index', type: 'text', isRequired: true }],
    further: COMMON,
  },
  OTLP: {
    formats: ['REEL', 'OCSF'],
    secret: 'optional',
    settings: [
      URL_FIELD,
      { name: 'encoding', type: 'choice', choices: ['protobuf', 'json'], standard: 'protobuf' },
      HEADERS,
    ],
    further: COMMON,
  },
  SYSLOG: {
    formats: ['REEL', 'OCSF', 'ECS', 'CEF'],
    secret: 'none',
    settings: [
      { name: 'host', type: 'text', isRequired: true, isDestination: true },
      { name: 'port', type: 'whole', range: [1, 65_535], standard: '6514', isDestination: true },
      { name: 'tls', type: 'truth', standard: true },
      { name: 'maxBytes', type: 'whole', range: [2_048, 65_536], standard: '8192' },
    ],
    further: COMMON,
  },
  S3: {
    formats: JSON_FORMATS,
    secret: 'required',
    settings: [
      { name: 'region', type: 'text', isRequired: true, isDestination: true },
      { name: 'bucket', type: 'text', isRequired: true, isDestination: true },
      { name: 'prefix', type: 'text' },
      { name: 'accessKeyId', type: 'text', isRequired: true },
      { name: 'endpoint', type: 'url', isDestination: true },
      { name: 'pathStyle', type: 'truth', standard: false },
      { name: 'compression', type: 'choice', choices: ['gzip', 'zstd'], standard: 'gzip' },
      PROOFS,
    ],
    further: further(50_000, '5242880', 60, 50_000),
  },
};

export const KIND_NAMES = Object.keys(KINDS) as StreamKind[];

export const fieldsOf = (kind: StreamKind): readonly SettingField[] => [
  ...KINDS[kind].settings,
  ...KINDS[kind].further,
];
