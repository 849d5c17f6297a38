import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { clip } from '../errors.js';
import {
  addressBlocks,
  type Env,
  host,
  httpUrl,
  integer,
  isLoopback,
  isSigningKey,
  keyName,
  oneOf,
  onOff,
  origins,
  path,
  postgresUrl,
  type Setting,
  secretText,
  signingKey,
  unfoldPem,
} from './setting.js';

export type { Env, Setting } from './setting.js';
export { isLoopback } from './setting.js';

/** Checks a literal row against Setting while keeping its own type. */
const setting = <T, F>(row: Setting<T, F>): Setting<T, F> => row;

const inDevelopment = (env: Env) => env === 'development';

/** Every setting; the reader below, the messages and docs/settings.md derive from this table. */
export const SETTINGS = {
  env: setting({
    variable: 'REEL_ENV',
    kind: oneOf('development', 'production'),
    fallback: 'development' as Env,
    meaning: 'Mode. Production generates nothing: secrets, signing key, origin and database must be given',
  }),
  host: setting({
    variable: 'REEL_HOST',
    kind: host,
    fallback: '127.0.0.1',
    meaning:
      'Address to listen on. Development generates missing secrets only where this is a loopback address',
  }),
  port: setting({
    variable: 'REEL_PORT',
    kind: integer(0, 65_535),
    fallback: 4000,
    meaning: 'TCP port to listen on; 0 picks a free one and prints it',
  }),
  databaseUrl: setting({
    variable: 'REEL_DATABASE_URL',
    kind: postgresUrl,
    fallback: null,
    fallbackNote: 'the embedded PostgreSQL in development, otherwise none',
    meaning: 'Connection to PostgreSQL 15 or newer as the runtime role. Required in production',
    secret: true,
  }),
  migrateUrl: setting({
    variable: 'REEL_MIGRATE_URL',
    kind: postgresUrl,
    fallback: null,
    meaning:
      "Connection as the database's owner, used by the commands that need it (migrate, cleanup, hold, erase) and never by the server in production",
    secret: true,
  }),
  dataDir: setting({
    variable: 'REEL_DATA_DIR',
    kind: path,
    fallback: '.reel',
    meaning: 'Directory of the embedded database and of the development secrets',
  }),
  jwtSecret: setting({
    variable: 'REEL_JWT_SECRET',
    kind: secretText,
    fallback: null,
    fallbackNote: 'generated in development on a loopback address, otherwise none',
    meaning:
      "Secret that people's tokens are signed with (HS256). Ignored where REEL_JWKS_URL is given; one of the two is required in production",
    secret: true,
  }),
  jwksUrl: setting({
    variable: 'REEL_JWKS_URL',
    kind: httpUrl,
    fallback: null,
    meaning:
      "Key set (JWKS) that people's tokens are verified with (RS256, ES256 or EdDSA), instead of REEL_JWT_SECRET",
  }),
  serviceSecret: setting({
    variable: 'REEL_SERVICE_SECRET',
    kind: secretText,
    fallback: null,
    fallbackNote: 'generated in development on a loopback address, otherwise none',
    meaning:
      "Secret that modules' service credentials are signed with (HS256); must differ from REEL_JWT_SECRET. Required in production",
    secret: true,
  }),
  mentor: setting({
    variable: 'REEL_MENTOR',
    kind: oneOf('claims', 'http'),
    fallback: 'claims' as const,
    meaning: "Where grants come from: claims of the person's token, or Mentor over HTTP",
  }),
  mentorUrl: setting({
    variable: 'REEL_MENTOR_URL',
    kind: httpUrl,
    fallback: null,
    meaning: 'Where to ask Mentor for grants. Required with REEL_MENTOR=http, ignored without it',
  }),
  playground: setting({
    variable: 'REEL_PLAYGROUND',
    kind: onOff,
    fallback: inDevelopment,
    meaning: 'Whether /playground is served',
  }),
  metrics: setting({
    variable: 'REEL_METRICS',
    kind: onOff,
    fallback: inDevelopment,
    meaning: 'Whether /metrics is served',
  }),
  introspection: setting({
    variable: 'REEL_INTROSPECTION',
    kind: onOff,
    fallback: inDevelopment,
    meaning: 'Whether GraphQL answers introspection, and suggests names of the schema in its errors',
  }),
  retentionDays: setting({
    variable: 'REEL_RETENTION_DAYS',
    kind: integer(0, 36_500),
    fallback: 0,
    meaning:
      'Age in days beyond which `reel cleanup` removes entries where no --days is given; 0 keeps them forever. The server itself never removes any',
  }),
  defaultPageSize: setting({
    variable: 'REEL_DEFAULT_PAGE_SIZE',
    kind: integer(1, 1000),
    fallback: 50,
    meaning: 'Number of entries on a page where the request names none; at most REEL_MAX_PAGE_SIZE',
  }),
  maxPageSize: setting({
    variable: 'REEL_MAX_PAGE_SIZE',
    kind: integer(1, 1000),
    fallback: 100,
    meaning: 'Largest number of entries on a page',
  }),
  searchMs: setting({
    variable: 'REEL_SEARCH_MS',
    kind: integer(50, 30_000),
    fallback: 2_000,
    meaning:
      'Milliseconds that a list, a count or a statistic may look for matches; then it says how far it got',
  }),
  statementMs: setting({
    variable: 'REEL_STATEMENT_MS',
    kind: integer(100, 600_000),
    fallback: 15_000,
    meaning:
      "Milliseconds that one statement may run (PostgreSQL's statement_timeout); then UNAVAILABLE (503, with Retry-After)",
  }),
  exportLinkMinutes: setting({
    variable: 'REEL_EXPORT_LINK_MINUTES',
    kind: integer(1, 10_080),
    fallback: 60,
    meaning: 'Minutes until an export link expires',
  }),
  maxExportRecords: setting({
    variable: 'REEL_MAX_EXPORT_RECORDS',
    kind: integer(0, 1_000_000_000_000),
    fallback: 0,
    meaning: 'Largest number of entries in one export; 0 means no limit',
  }),
  browserLogging: setting({
    variable: 'REEL_BROWSER_LOGGING',
    kind: onOff,
    fallback: true,
    meaning: 'Whether people may report their own actions',
  }),
  browserEntriesPerMinute: setting({
    variable: 'REEL_BROWSER_ENTRIES_PER_MINUTE',
    kind: integer(1, 1_000_000),
    fallback: 600,
    meaning:
      'Number of entries that one person may report per minute; more are refused with TOO_MANY_REQUESTS (429, with Retry-After)',
  }),
  signingKey: setting({
    variable: 'REEL_SIGNING_KEY',
    kind: signingKey,
    fallback: null,
    fallbackNote: 'generated in development, otherwise none',
    meaning: 'Private key that signs checkpoints. Required in production',
    secret: true,
  }),
  origin: setting({
    variable: 'REEL_ORIGIN',
    kind: keyName,
    fallback: (env: Env) => (env === 'development' ? 'reel.local' : null),
    meaning: 'Name under which checkpoints are signed. Required in production',
  }),
  witnessUrl: setting({
    variable: 'REEL_WITNESS_URL',
    kind: httpUrl,
    fallback: null,
    meaning: "URL that each tenant's newest signed checkpoint is posted to, at most once a minute",
  }),
  auditReads: setting({
    variable: 'REEL_AUDIT_READS',
    kind: oneOf('off', 'exports', 'all'),
    fallback: 'exports' as const,
    meaning:
      'Which reads Reel records as entries of its own: none, exports, or also every time a person views entries',
  }),
  trustProxy: setting({
    variable: 'REEL_TRUST_PROXY',
    kind: addressBlocks,
    fallback: [],
    meaning: 'Proxies whose X-Forwarded-For header is trusted; from anyone else it is ignored',
  }),
  allowedOrigins: setting({
    variable: 'REEL_ALLOWED_ORIGINS',
    kind: origins,
    fallback: [],
    meaning: 'Origins whose pages may call Reel from a browser (CORS)',
  }),
};

type Settings = typeof SETTINGS;
type Read<S> = S extends Setting<infer T, infer F> ? (null extends F ? T | null : T) : never;

/** The checked settings, frozen. `null` and empty lists mean not given. */
export type Config = { readonly [K in keyof Settings]: Read<Settings[K]> };

/** An invalid setting, which prevents the start. The message is one line: the variable, what was expected, what was given. */
export class ConfigError extends Error {
  readonly variable: string;

  constructor(variable: string, expected: string, got: string) {
    super(`${variable}: expected ${expected}, got ${got}`);
    this.name = 'ConfigError';
    this.variable = variable;
  }
}

/** Read only by the commands export and tail; the server ignores them. */
const COMMAND_VARIABLES = ['REEL_URL', 'REEL_TOKEN'] as const;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads and checks the settings; an empty value counts as not given. A `command` needs none of the server's secrets, keys or
 * databases, so there they may be missing, and a signing key in a file is not read (see `loadSigningKey`).
 * Errors: ConfigError, for the first fault.
 */
export function readConfig(environment: Environment, reader: 'server' | 'command' = 'server'): Config {
  refuseUnknown(environment);
  const env = readOne(SETTINGS.env, environment, 'development');
  const values = Object.fromEntries(
    Object.entries(SETTINGS).map(([name, each]) => [
      name,
      readOne(each as Setting<unknown, unknown>, environment, env ?? 'development'),
    ]),
  ) as Config;
  const config = { ...values, defaultPageSize: pageSize(values, environment) };
  checkTogether(config);
  if (reader === 'server') {
    checkComplete(config);
    if (config.signingKey !== null) config.signingKey = loadSigningKey(config.signingKey);
  }
  return Object.freeze(config);
}

/** The variables of the commands export and tail. */
export function readRemote(environment: Environment): { url: string | null; token: string | null } {
  return { url: environment.REEL_URL || null, token: environment.REEL_TOKEN || null };
}

/** The PEM of REEL_SIGNING_KEY, read from a file if it names one. Errors: ConfigError. */
export function loadSigningKey(value: string): string {
  if (!value.startsWith('file:')) return unfoldPem(value);
  const { variable } = SETTINGS.signingKey;
  let pem: string;
  try {
    pem = readFileSync(
      value.startsWith('file://') ? fileURLToPath(value) : value.slice('file:'.length),
      'utf8',
    );
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'no path';
    throw new ConfigError(variable, 'a readable file', `${why} for ${clip(value)}`);
  }
  if (!isSigningKey(pem))
    throw new ConfigError(variable, 'an Ed25519 private key as PKCS 8 PEM in the file', length(pem));
  return unfoldPem(pem);
}

function refuseUnknown(environment: Environment): void {
  const known = new Set<string>([
    ...Object.values(SETTINGS).map((each) => each.variable),
    ...COMMAND_VARIABLES,
  ]);
  for (const [name, value] of Object.entries(environment))
    if (name.startsWith('REEL_') && !known.has(name))
      throw new ConfigError(
        clip(name).slice(1, -1),
        'a variable listed in docs/settings.md',
        `an unknown one of ${length(value ?? '')}`,
      );
}

function readOne<T, F>(row: Setting<T, F>, environment: Environment, env: Env): T | F {
  const text = environment[row.variable] ?? '';
  if (text === '') return row.fallback instanceof Function ? row.fallback(env) : row.fallback;
  const read = row.kind.schema.safeParse(text);
  if (!read.success)
    throw new ConfigError(
      row.variable,
      row.kind.expects,
      row.secret ? length(text) : clip(withoutPassword(text)),
    );
  return read.data;
}

/** The built-in default is limited to the maximum; a given one must not exceed it. */
function pageSize(config: Config, environment: Environment): number {
  const { defaultPageSize, maxPageSize } = config;
  if (environment[SETTINGS.defaultPageSize.variable] && defaultPageSize > maxPageSize)
    throw new ConfigError(
      SETTINGS.defaultPageSize.variable,
      `at most REEL_MAX_PAGE_SIZE, which is ${maxPageSize}`,
      String(defaultPageSize),
    );
  return Math.min(defaultPageSize, maxPageSize);
}

function checkTogether(config: Config): void {
  if (config.jwtSecret !== null && config.jwtSecret === config.serviceSecret)
    throw new ConfigError(
      SETTINGS.serviceSecret.variable,
      'a secret other than REEL_JWT_SECRET',
      'the same one',
    );
  if (config.mentor === 'http' && config.mentorUrl === null)
    throw new ConfigError(
      SETTINGS.mentorUrl.variable,
      `${httpUrl.expects}, since REEL_MENTOR is http`,
      'nothing',
    );
}

function checkComplete(config: Config): void {
  const need = (row: Setting<string, string | null>, present: boolean, why: string) => {
    if (!present) throw new ConfigError(row.variable, `${row.kind.expects}, ${why}`, 'nothing');
  };
  const needSecrets = (why: string) => {
    need(SETTINGS.jwtSecret, config.jwtSecret !== null || config.jwksUrl !== null, why);
    need(SETTINGS.serviceSecret, config.serviceSecret !== null, why);
  };
  if (config.env === 'production') {
    const why = 'required in production';
    needSecrets(why);
    need(SETTINGS.databaseUrl, config.databaseUrl !== null, why);
    need(SETTINGS.signingKey, config.signingKey !== null, why);
    need(SETTINGS.origin, config.origin !== null, why);
  } else if (!isLoopback(config.host)) {
    needSecrets(
      `since secrets are generated only where REEL_HOST is a loopback address and it is ${clip(config.host)}`,
    );
  }
}

const length = (secret: string): string => {
  const bytes = Buffer.byteLength(secret, 'utf8');
  return `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`;
};

/** A URL without the parts that may contain a password. */
const withoutPassword = (text: string): string => text.replace(/\/\/[^/]*@/, '//…@').replace(/\?.*/s, '?…');
