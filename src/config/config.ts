import { clip } from '../errors.js';
import { parseActionModes } from './action-modes.js';
import { ConfigError, length } from './config-error.js';
import { fileVariables, givenSecret } from './secret.js';
import {
  actionModes,
  addressBlocks,
  bearerToken,
  claimText,
  type Env,
  host,
  httpUrl,
  integer,
  isLoopback,
  keyName,
  oneOf,
  onOff,
  origins,
  path,
  postgresUrl,
  type Setting,
  secretReferences,
  secretTexts,
  signingKey,
  streamKeys,
} from './setting.js';

export { ConfigError } from './config-error.js';
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
  jwtSecrets: setting({
    variable: 'REEL_JWT_SECRET',
    kind: secretTexts,
    fallback: [],
    fallbackNote: 'generated in development on a loopback address, otherwise none',
    meaning:
      "Secret that people's tokens are signed with (HS256); while it is being changed several, separated by commas. Ignored where REEL_JWKS_URL is given; one of the two is required in production",
    secret: true,
  }),
  jwksUrl: setting({
    variable: 'REEL_JWKS_URL',
    kind: httpUrl,
    fallback: null,
    meaning:
      "Key set (JWKS) that people's tokens are verified with (RS256, ES256 or EdDSA), instead of REEL_JWT_SECRET",
  }),
  jwtIssuer: setting({
    variable: 'REEL_JWT_ISSUER',
    kind: claimText,
    fallback: null,
    meaning:
      "What the claim iss of people's tokens must be. Required with REEL_JWKS_URL in production; checked wherever it is set",
  }),
  jwtAudience: setting({
    variable: 'REEL_JWT_AUDIENCE',
    kind: claimText,
    fallback: null,
    meaning:
      "What the claim aud of people's tokens must be, or hold in its list. Required with REEL_JWKS_URL in production; checked wherever it is set",
  }),
  serviceSecrets: setting({
    variable: 'REEL_SERVICE_SECRET',
    kind: secretTexts,
    fallback: [],
    fallbackNote: 'generated in development on a loopback address, otherwise none',
    meaning:
      "Secret that modules' service credentials and export links are signed with (HS256); while it is being changed several, separated by commas. None may be one of REEL_JWT_SECRET. Required in production",
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
  metricsPort: setting({
    variable: 'REEL_METRICS_PORT',
    kind: integer(1, 65_535),
    fallback: null,
    meaning:
      'TCP port, on REEL_HOST, that serves /metrics and nothing else, whatever REEL_METRICS says; REEL_PORT then does not serve it',
  }),
  logLevel: setting({
    variable: 'REEL_LOG_LEVEL',
    kind: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace'),
    fallback: (env: Env) => (env === 'development' ? ('warn' as const) : ('info' as const)),
    meaning:
      "The least of what is logged. info has a line for each request; none has a token, a query's values or an entry",
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
  streamKeys: setting({
    variable: 'REEL_STREAM_KEY',
    kind: streamKeys,
    fallback: [],
    fallbackNote: 'generated in development on a loopback address, otherwise none',
    meaning:
      "Key that streams' secrets are encrypted under (AES-256-GCM); while it is being changed several, separated by commas: the first encrypts. Required in production for creating a stream",
    secret: true,
  }),
  streamAllow: setting({
    variable: 'REEL_STREAM_ALLOW',
    kind: addressBlocks,
    fallback: [],
    meaning:
      'Private addresses that streams may deliver to; all others that are not public are refused, but for loopback ones in development',
  }),
  streamProxy: setting({
    variable: 'REEL_STREAM_PROXY',
    kind: httpUrl,
    fallback: null,
    meaning:
      'HTTP proxy through which streams deliver. It then resolves names, and must guard what they lead to',
  }),
  streamSecrets: setting({
    variable: 'REEL_STREAM_SECRETS',
    kind: secretReferences,
    fallback: [],
    meaning:
      "Secrets of this server that a tenant's streams may name instead of one of their own, each as TENANT=env:NAME or TENANT=file:PATH",
  }),
  actionModes: setting({
    variable: 'REEL_ACTIONS',
    kind: actionModes,
    fallback: parseActionModes([])!,
    fallbackNote: 'warn',
    meaning:
      'What becomes of entries whose action or data is not as their module registered it: off does not look, warn stores and counts them, refuse answers BAD_USER_INPUT. For example warn,billing=refuse. Modules that registered nothing are not checked',
  }),
  redactionKeys: setting({
    variable: 'REEL_REDACTION_KEY',
    kind: secretTexts,
    fallback: [],
    meaning:
      'Key of the HMAC-SHA256 that stands for values which are redacted so that they can be searched for; while it is being changed several, separated by commas: the first is used. Without it such actions cannot be registered, and what is registered is dropped',
    secret: true,
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

/** Read only by the commands that talk to a server; the server lets them pass. */
const COMMAND_VARIABLES = ['REEL_URL', 'REEL_TOKEN', 'REEL_TOKEN_FILE'] as const;
/** Kubernetes sets these, and REEL_PORT, in every pod beside a Service named `reel` or `reel-service`. */
const KUBERNETES_VARIABLE = /^REEL_(?:SERVICE_HOST|SERVICE_PORT(?:_.+)?|PORT_.+)$/;
const KUBERNETES_PORT = /^tcp:\/\//;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads and checks the settings; an empty value counts as not given. A `command` needs few of the server's secrets, keys or
 * databases, so there they may be missing, and what stands in a file is read only when it is used. A server in production
 * never has the owner's connection. Errors: ConfigError, for the first fault.
 */
export function readConfig(given: Environment, reader: 'server' | 'command' = 'server'): Config {
  const environment = withoutKubernetes(given);
  refuseUnknown(environment);
  const env = readOne(SETTINGS.env, environment, 'development') ?? 'development';
  const isServer = reader === 'server';
  const values: Record<string, unknown> = {};
  const unread = new Set<string>();
  for (const [name, each] of Object.entries(SETTINGS)) {
    const row = each as Setting<unknown, unknown>;
    const secret = row.secret ? givenSecret(row, environment) : null;
    if (secret?.isInFile && row === SETTINGS.migrateUrl && isServer && env === 'production')
      values[name] = null;
    else if (secret?.isInFile && !isServer) {
      unread.add(name);
      readOnUse(values, name, secret.read);
    } else values[name] = secret ? secret.read() : readOne(row, environment, env);
  }
  const config = values as { -readonly [K in keyof Config]: Config[K] };
  if (isServer && env === 'production') config.migrateUrl = null;
  config.defaultPageSize = pageSize(config, environment);
  checkTogether(config, unread);
  if (isServer) checkComplete(config);
  return Object.freeze(config);
}

/** The variables of the commands that talk to a server. Errors: ConfigError. */
export function readRemote(environment: Environment): { url: string | null; token: string | null } {
  const token = givenSecret({ variable: 'REEL_TOKEN', kind: bearerToken }, environment);
  return { url: environment.REEL_URL || null, token: token?.read() ?? null };
}

function withoutKubernetes(environment: Environment): Environment {
  return Object.fromEntries(
    Object.entries(environment).filter(
      ([name, value]) =>
        !KUBERNETES_VARIABLE.test(name) && !(name === 'REEL_PORT' && KUBERNETES_PORT.test(value ?? '')),
    ),
  );
}

function refuseUnknown(environment: Environment): void {
  const settings = Object.values(SETTINGS) as Setting<unknown, unknown>[];
  const known = new Set<string>([
    ...settings.map(({ variable }) => variable),
    ...fileVariables(settings),
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
  if (!read.success) throw new ConfigError(row.variable, row.kind.expects, clip(withoutPassword(text)));
  return read.data;
}

/** A property whose value is read, once, when somebody asks for it. */
function readOnUse(values: object, name: string, read: () => unknown): void {
  let known: { value: unknown } | undefined;
  Object.defineProperty(values, name, {
    enumerable: true,
    configurable: true,
    get: () => {
      known ??= { value: read() };
      return known.value;
    },
  });
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

/** `unread`: names of those that stand in files which are not read yet. */
function checkTogether(config: Config, unread: ReadonlySet<string>): void {
  const areRead = !unread.has('jwtSecrets') && !unread.has('serviceSecrets');
  if (areRead && config.serviceSecrets.some((secret) => config.jwtSecrets.includes(secret)))
    throw new ConfigError(
      SETTINGS.serviceSecrets.variable,
      'a secret other than those of REEL_JWT_SECRET',
      'the same one',
    );
  if (config.metricsPort !== null && config.metricsPort === config.port)
    throw new ConfigError(
      SETTINGS.metricsPort.variable,
      'a port other than REEL_PORT',
      String(config.metricsPort),
    );
  if (config.mentor === 'http' && config.mentorUrl === null)
    throw new ConfigError(
      SETTINGS.mentorUrl.variable,
      `${httpUrl.expects}, since REEL_MENTOR is http`,
      'nothing',
    );
}

function checkComplete(config: Config): void {
  const need = (row: { variable: string; kind: { expects: string } }, isPresent: boolean, why: string) => {
    if (!isPresent) throw new ConfigError(row.variable, `${row.kind.expects}, ${why}`, 'nothing');
  };
  const needSecrets = (why: string) => {
    need(SETTINGS.jwtSecrets, config.jwtSecrets.length > 0 || config.jwksUrl !== null, why);
    need(SETTINGS.serviceSecrets, config.serviceSecrets.length > 0, why);
  };
  if (config.env === 'production') {
    const why = 'required in production';
    needSecrets(why);
    if (config.jwksUrl !== null) {
      const withKeySet = 'required in production with REEL_JWKS_URL';
      need(SETTINGS.jwtIssuer, config.jwtIssuer !== null, withKeySet);
      need(SETTINGS.jwtAudience, config.jwtAudience !== null, withKeySet);
    }
    need(SETTINGS.databaseUrl, config.databaseUrl !== null, why);
    need(SETTINGS.signingKey, config.signingKey !== null, why);
    need(SETTINGS.origin, config.origin !== null, why);
  } else if (!isLoopback(config.host)) {
    needSecrets(
      `since secrets are generated only where REEL_HOST is a loopback address and it is ${clip(config.host)}`,
    );
  }
}

/** A URL without the parts that may contain a password. */
const withoutPassword = (text: string): string => text.replace(/\/\/[^/]*@/, '//…@').replace(/\?.*/s, '?…');
