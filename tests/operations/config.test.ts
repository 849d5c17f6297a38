import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { developmentSecrets, withDevelopmentSecrets } from '../../src/auth/secrets.js';
import {
  type Config,
  ConfigError,
  loadSigningKey,
  readConfig,
  readRemote,
  SETTINGS,
} from '../../src/config/config.js';

const pemOf = (kind: 'ed25519' | 'x25519') =>
  generateKeyPairSync(kind as 'ed25519')
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
const PEM = pemOf('ed25519');
const SECRET = 'p'.repeat(32);
const OTHER = 's'.repeat(32);
const PRODUCTION = {
  REEL_ENV: 'production',
  REEL_JWT_SECRET: SECRET,
  REEL_SERVICE_SECRET: OTHER,
  REEL_DATABASE_URL: 'postgres://reel:pw@db/reel',
  REEL_SIGNING_KEY: PEM,
  REEL_ORIGIN: 'audit.example.com',
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reel-config-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function refusal(environment: Record<string, string>, reader?: 'server' | 'command'): string {
  try {
    readConfig(environment, reader);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const { message, variable } = error as ConfigError;
    expect(message).not.toMatch(/[\r\n]/);
    expect(message.startsWith(`${variable}: expected `)).toBe(true);
    return message;
  }
  throw new Error(`accepted ${JSON.stringify(environment)}`);
}

describe('defaults', () => {
  test('development', () => {
    expect(readConfig({})).toEqual({
      env: 'development',
      host: '127.0.0.1',
      port: 4000,
      databaseUrl: null,
      migrateUrl: null,
      dataDir: '.reel',
      jwtSecret: null,
      jwksUrl: null,
      serviceSecret: null,
      mentor: 'claims',
      mentorUrl: null,
      playground: true,
      metrics: true,
      introspection: true,
      retentionDays: 0,
      defaultPageSize: 50,
      maxPageSize: 100,
      searchMs: 2_000,
      statementMs: 15_000,
      exportLinkMinutes: 60,
      maxExportRecords: 0,
      browserLogging: true,
      browserEntriesPerMinute: 600,
      signingKey: null,
      origin: 'reel.local',
      witnessUrl: null,
      auditReads: 'exports',
      trustProxy: [],
      allowedOrigins: [],
    } satisfies Config);
  });

  test('production turns the playground, the metrics and introspection off', () => {
    expect(readConfig(PRODUCTION)).toMatchObject({
      playground: false,
      metrics: false,
      introspection: false,
      signingKey: PEM.trim(),
      origin: 'audit.example.com',
    });
  });

  test('the settings are frozen', () => {
    expect(Object.isFrozen(readConfig({}))).toBe(true);
  });

  test('an empty value is as if not given', () => {
    const empty = Object.fromEntries(Object.values(SETTINGS).map(({ variable }) => [variable, '']));
    expect(readConfig(empty)).toEqual(readConfig({}));
  });

  test('other variables are no concern of ours', () => {
    expect(readConfig({ PATH: '/bin', REELING: '1', HOME: '' })).toEqual(readConfig({}));
  });
});

const ACCEPTED: [keyof Config, string, unknown][] = [
  ['host', '::1', '::1'],
  ['host', 'localhost', 'localhost'],
  ['port', '0', 0],
  ['port', '65535', 65535],
  ['databaseUrl', 'postgresql://reel@localhost:5432/reel', 'postgresql://reel@localhost:5432/reel'],
  ['migrateUrl', 'postgres://owner@localhost/reel', 'postgres://owner@localhost/reel'],
  ['dataDir', '/var/lib/reel', '/var/lib/reel'],
  ['jwtSecret', SECRET, SECRET],
  ['jwtSecret', 'ä'.repeat(16), 'ä'.repeat(16)],
  ['jwksUrl', 'https://guardian.example/jwks', 'https://guardian.example/jwks'],
  ['serviceSecret', OTHER, OTHER],
  ['mentorUrl', 'http://mentor:8080/grants?v=1', 'http://mentor:8080/grants?v=1'],
  ['playground', 'off', false],
  ['metrics', 'off', false],
  ['introspection', 'off', false],
  ['retentionDays', '365', 365],
  ['defaultPageSize', '20', 20],
  ['maxPageSize', '1000', 1000],
  ['searchMs', '50', 50],
  ['statementMs', '100', 100],
  ['exportLinkMinutes', '1', 1],
  ['maxExportRecords', '10000', 10000],
  ['browserLogging', 'off', false],
  ['browserEntriesPerMinute', '1', 1],
  ['signingKey', PEM, PEM.trim()],
  ['signingKey', PEM.replaceAll('\n', '\\n'), PEM.trim()],
  ['origin', 'audit.example.com/log', 'audit.example.com/log'],
  ['witnessUrl', 'https://witness.example/notes', 'https://witness.example/notes'],
  ['auditReads', 'all', 'all'],
  ['trustProxy', '10.0.0.0/8, 192.0.2.1 ,fd00::/8', ['10.0.0.0/8', '192.0.2.1', 'fd00::/8']],
  [
    'allowedOrigins',
    'https://a.example,http://localhost:5173',
    ['https://a.example', 'http://localhost:5173'],
  ],
];

test.each(ACCEPTED)('%s takes %j', (name, text, value) => {
  expect(readConfig({ [SETTINGS[name].variable]: text })[name]).toEqual(value);
});

const REFUSED: [keyof Config, string][] = [
  ['env', 'staging'],
  ['env', 'Production'],
  ['host', 'http://here'],
  ['host', 'a b'],
  ['port', '-1'],
  ['port', '65536'],
  ['port', '4000.5'],
  ['port', '1e3'],
  ['port', ' 80'],
  ['port', 'http'],
  ['databaseUrl', 'mysql://reel:pw@db/reel'],
  ['migrateUrl', 'reel'],
  ['jwtSecret', 'p'.repeat(31)],
  ['jwksUrl', 'ftp://guardian.example/jwks'],
  ['jwksUrl', 'https://user:pw@guardian.example/jwks'],
  ['serviceSecret', 'short'],
  ['mentor', 'ldap'],
  ['mentorUrl', 'mentor'],
  ['playground', 'true'],
  ['metrics', '1'],
  ['introspection', 'yes'],
  ['retentionDays', '-1'],
  ['retentionDays', '36501'],
  ['defaultPageSize', '0'],
  ['maxPageSize', '0'],
  ['maxPageSize', '1001'],
  ['searchMs', '49'],
  ['searchMs', '30001'],
  ['statementMs', '99'],
  ['exportLinkMinutes', '0'],
  ['maxExportRecords', '-1'],
  ['browserLogging', 'yes'],
  ['browserEntriesPerMinute', '0'],
  ['signingKey', 'key'],
  ['signingKey', pemOf('x25519')],
  ['origin', 'two words'],
  ['origin', 'a+b'],
  ['witnessUrl', 'file:///etc/passwd'],
  ['auditReads', 'on'],
  ['trustProxy', '10.0.0.0/33'],
  ['trustProxy', '10.0.0.1,loopback'],
  ['trustProxy', '1'],
  ['allowedOrigins', '*'],
  ['allowedOrigins', 'https://a.example/'],
  ['allowedOrigins', 'null'],
];

test.each(REFUSED)('%s refuses %j', (name, text) => {
  const { variable, kind, secret } = SETTINGS[name];
  const message = refusal({ [variable]: text });
  expect(message.startsWith(`${variable}: expected ${kind.expects}, got `)).toBe(true);
  if (secret) expect(message.endsWith(`got ${Buffer.byteLength(text)} bytes`)).toBe(true);
});

test('every setting has a value it takes here, and those with a range one it refuses', () => {
  const names = Object.keys(SETTINGS);
  const taken = new Set<string>([...ACCEPTED.map(([name]) => name), 'env', 'mentor']);
  expect(names.filter((name) => !taken.has(name))).toEqual([]);
  const refused = new Set<string>(REFUSED.map(([name]) => name));
  expect(names.filter((name) => !refused.has(name))).toEqual(['dataDir']);
});

test('a secret is never shown, whatever it is', () => {
  const secrets = ['REEL_JWT_SECRET', 'REEL_SERVICE_SECRET', 'REEL_SIGNING_KEY', 'REEL_DATABASE_URL'];
  fc.assert(
    fc.property(fc.constantFrom(...secrets), fc.stringMatching(/^[A-Z]{12,31}$/), (variable, secret) => {
      expect(refusal({ [variable]: secret })).not.toContain(secret);
    }),
  );
});

test('passwords in addresses are not shown either', () => {
  expect(refusal({ REEL_WITNESS_URL: 'https://u:hunter2@w/?key=hunter3' })).not.toContain('hunter');
});

describe('unknown variables', () => {
  test('are named, their value not shown', () => {
    expect(refusal({ REEL_JWT_SECRTE: SECRET })).toBe(
      'REEL_JWT_SECRTE: expected a variable listed in docs/settings.md, got an unknown one of 32 bytes',
    );
  });

  test('REEL_URL and REEL_TOKEN pass, and are read by commands', () => {
    const environment = { REEL_URL: 'http://127.0.0.1:4000', REEL_TOKEN: 'a.b.c' };
    expect(readConfig(environment)).toEqual(readConfig({}));
    expect(readRemote(environment)).toEqual({ url: 'http://127.0.0.1:4000', token: 'a.b.c' });
    expect(readRemote({})).toEqual({ url: null, token: null });
  });
});

describe('settings that must fit together', () => {
  test('the two secrets differ', () => {
    const message = refusal({ REEL_JWT_SECRET: SECRET, REEL_SERVICE_SECRET: SECRET });
    expect(message).toContain('REEL_SERVICE_SECRET');
    expect(message).not.toContain(SECRET);
  });

  test('REEL_MENTOR=http needs an address', () => {
    expect(refusal({ REEL_MENTOR: 'http' })).toMatch(/^REEL_MENTOR_URL: .*got nothing$/);
    expect(readConfig({ REEL_MENTOR: 'http', REEL_MENTOR_URL: 'http://mentor/' }).mentor).toBe('http');
  });

  test('a default page is no larger than the largest', () => {
    expect(refusal({ REEL_DEFAULT_PAGE_SIZE: '60', REEL_MAX_PAGE_SIZE: '59' })).toMatch(
      /^REEL_DEFAULT_PAGE_SIZE/,
    );
    expect(readConfig({ REEL_MAX_PAGE_SIZE: '20' }).defaultPageSize).toBe(20);
  });

  test.each([
    'REEL_JWT_SECRET',
    'REEL_SERVICE_SECRET',
    'REEL_DATABASE_URL',
    'REEL_SIGNING_KEY',
    'REEL_ORIGIN',
  ])('production needs %s', (variable) => {
    expect(refusal({ ...PRODUCTION, [variable]: '' })).toMatch(
      new RegExp(`^${variable}: .*required in production, got nothing$`),
    );
    expect(() => readConfig({ ...PRODUCTION, [variable]: '' }, 'command')).not.toThrow();
  });

  test('a key set stands instead of the secret of persons', () => {
    const environment = {
      ...PRODUCTION,
      REEL_JWT_SECRET: '',
      REEL_JWKS_URL: 'https://guardian.example/jwks',
    };
    expect(readConfig(environment).jwtSecret).toBeNull();
  });

  test.each(['0.0.0.0', '::', '192.0.2.7', 'reel.example'])('no secrets are made up on %s', (host) => {
    expect(refusal({ REEL_HOST: host })).toMatch(/^REEL_JWT_SECRET: .*loopback/);
    expect(refusal({ REEL_HOST: host, REEL_JWT_SECRET: SECRET })).toMatch(/^REEL_SERVICE_SECRET: .*loopback/);
    expect(readConfig({ REEL_HOST: host, REEL_JWT_SECRET: SECRET, REEL_SERVICE_SECRET: OTHER }).host).toBe(
      host,
    );
  });

  test.each(['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1', 'LOCALHOST'])('%s is loopback', (host) => {
    expect(readConfig({ REEL_HOST: host }).host).toBe(host);
  });
});

describe('the signing key in a file', () => {
  test('is read, by path or file URL', async () => {
    const file = join(folder, 'key.pem');
    await writeFile(file, PEM);
    expect(readConfig({ ...PRODUCTION, REEL_SIGNING_KEY: `file:${file}` }).signingKey).toBe(PEM.trim());
    expect(readConfig({ ...PRODUCTION, REEL_SIGNING_KEY: `file://${file}` }).signingKey).toBe(PEM.trim());
    expect(readConfig({ REEL_SIGNING_KEY: `file:${file}` }, 'command').signingKey).toBe(`file:${file}`);
    expect(loadSigningKey(`file:${file}`)).toBe(PEM.trim());
  });

  test('is refused where it is none', async () => {
    const file = join(folder, 'none.pem');
    await writeFile(file, 'not a key');
    expect(refusal({ ...PRODUCTION, REEL_SIGNING_KEY: `file:${file}` })).toMatch(/got 9 bytes$/);
    expect(refusal({ ...PRODUCTION, REEL_SIGNING_KEY: `file:${file}.gone` })).toContain('ENOENT');
  });
});

describe('development secrets', () => {
  test('are made once, for the owner alone, and kept', async () => {
    const dataDir = join(folder, 'fresh', 'data');
    const made = await developmentSecrets(dataDir);
    expect(made.jwtSecret).not.toBe(made.serviceSecret);
    expect(await developmentSecrets(dataDir)).toEqual(made);
    expect((await stat(join(dataDir, 'secrets.json'))).mode & 0o777).toBe(0o600);
    await chmod(join(dataDir, 'secrets.json'), 0o644);
    await developmentSecrets(dataDir);
    expect((await stat(join(dataDir, 'secrets.json'))).mode & 0o777).toBe(0o600);
  });

  test('are the same for starts at the same time, and leave nothing else behind', async () => {
    const dataDir = join(folder, 'race');
    const made = await Promise.all(Array.from({ length: 20 }, () => developmentSecrets(dataDir)));
    expect(new Set(made.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(await readdir(dataDir)).toEqual(['secrets.json']);
    expect(JSON.parse(await readFile(join(dataDir, 'secrets.json'), 'utf8'))).toEqual(made[0]);
  });

  test('a spoiled file is not overwritten', async () => {
    const dataDir = await mkdtemp(join(folder, 'spoiled-'));
    await writeFile(join(dataDir, 'secrets.json'), '{"jwtSecret":');
    await expect(developmentSecrets(dataDir)).rejects.toThrow(/secrets\.json: expected/);
    expect(await readFile(join(dataDir, 'secrets.json'), 'utf8')).toBe('{"jwtSecret":');
  });

  test('fill only what is missing, and only in development', async () => {
    const dataDir = join(folder, 'fill');
    const given = await withDevelopmentSecrets(
      readConfig({ REEL_DATA_DIR: dataDir, REEL_JWT_SECRET: SECRET }),
    );
    const made = await developmentSecrets(dataDir);
    expect(given).toMatchObject({
      jwtSecret: SECRET,
      serviceSecret: made.serviceSecret,
      signingKey: made.signingKey,
    });
    const byKeySet = await withDevelopmentSecrets(
      readConfig({ REEL_DATA_DIR: dataDir, REEL_JWKS_URL: 'http://guardian/jwks' }),
    );
    expect(byKeySet).toMatchObject({ jwtSecret: null, serviceSecret: made.serviceSecret });
    const production = readConfig({ ...PRODUCTION, REEL_DATA_DIR: join(folder, 'never') });
    expect(await withDevelopmentSecrets(production)).toBe(production);
    await expect(stat(join(folder, 'never'))).rejects.toThrow('ENOENT');
  });
});
