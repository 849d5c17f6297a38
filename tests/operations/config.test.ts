import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { developmentSecrets, withDevelopmentSecrets } from '../../src/auth/secrets.js';
import { type Config, ConfigError, readConfig, readRemote, SETTINGS } from '../../src/config/config.js';

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
      jwtSecrets: [],
      jwksUrl: null,
      jwtIssuer: null,
      jwtAudience: null,
      serviceSecrets: [],
      mentor: 'claims',
      mentorUrl: null,
      playground: true,
      metrics: true,
      metricsPort: null,
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
      logLevel: 'warn',
      streamKeys: [],
      streamAllow: [],
      streamProxy: null,
      streamSecrets: [],
      actionModes: { others: 'warn', modules: new Map() },
      redactionKeys: [],
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

const STREAM_KEY = Buffer.alloc(32, 5).toString('base64');
const ACCEPTED: [keyof Config, string, unknown][] = [
  ['logLevel', 'debug', 'debug'],
  ['host', '::1', '::1'],
  ['host', 'localhost', 'localhost'],
  ['port', '0', 0],
  ['port', '65535', 65535],
  ['databaseUrl', 'postgresql://reel@localhost:5432/reel', 'postgresql://reel@localhost:5432/reel'],
  ['migrateUrl', 'postgres://owner@localhost/reel', 'postgres://owner@localhost/reel'],
  ['dataDir', '/var/lib/reel', '/var/lib/reel'],
  ['jwtSecrets', SECRET, [SECRET]],
  ['jwtSecrets', 'ä'.repeat(16), ['ä'.repeat(16)]],
  ['jwtSecrets', `${SECRET}, ${OTHER}`, [SECRET, OTHER]],
  ['jwtIssuer', 'https://guardian.example/', 'https://guardian.example/'],
  ['jwtAudience', 'reel', 'reel'],
  ['jwksUrl', 'https://guardian.example/jwks', 'https://guardian.example/jwks'],
  ['serviceSecrets', OTHER, [OTHER]],
  ['mentorUrl', 'http://mentor:8080/grants?v=1', 'http://mentor:8080/grants?v=1'],
  ['playground', 'off', false],
  ['metrics', 'off', false],
  ['metricsPort', '9464', 9464],
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
  ['streamKeys', `${STREAM_KEY} , ${STREAM_KEY}`, [STREAM_KEY, STREAM_KEY]],
  ['streamAllow', '10.1.0.0/16', ['10.1.0.0/16']],
  ['streamProxy', 'http://proxy.example:3128', 'http://proxy.example:3128'],
  [
    'streamSecrets',
    `${'AB'.repeat(4)}-abab-4bab-abab-${'ab'.repeat(6)}=env:HOOK,${'ab'.repeat(4)}-abab-4bab-abab-${'ab'.repeat(6)}=file:/run/hook`,
    [
      `${'ab'.repeat(4)}-abab-4bab-abab-${'ab'.repeat(6)}=env:HOOK`,
      `${'ab'.repeat(4)}-abab-4bab-abab-${'ab'.repeat(6)}=file:/run/hook`,
    ],
  ],
  [
    'actionModes',
    'refuse, billing=warn ,a=b=off',
    {
      others: 'refuse',
      modules: new Map([
        ['billing', 'warn'],
        ['a=b', 'off'],
      ]),
    },
  ],
  ['actionModes', 'billing=refuse', { others: 'warn', modules: new Map([['billing', 'refuse']]) }],
  ['redactionKeys', `${SECRET} , ${OTHER}`, [SECRET, OTHER]],
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
  ['logLevel', 'verbose'],
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
  ['jwtSecrets', 'p'.repeat(31)],
  ['jwtIssuer', ' guardian'],
  ['jwtAudience', 'a\nb'],
  ['jwksUrl', 'ftp://guardian.example/jwks'],
  ['jwksUrl', 'https://user:pw@guardian.example/jwks'],
  ['serviceSecrets', 'short'],
  ['mentor', 'ldap'],
  ['mentorUrl', 'mentor'],
  ['playground', 'true'],
  ['metrics', '1'],
  ['metricsPort', '0'],
  ['metricsPort', 'on'],
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
  ['streamKeys', Buffer.alloc(31).toString('base64')],
  ['streamKeys', 'k'.repeat(44)],
  ['streamAllow', 'internal'],
  ['streamProxy', 'proxy'],
  ['streamSecrets', 'env:HOOK'],
  ['actionModes', 'on'],
  ['actionModes', 'warn,off'],
  ['actionModes', 'billing=on'],
  ['actionModes', '=warn'],
  ['actionModes', 'billing=off,billing=warn'],
  ['actionModes', `${'a'.repeat(101)}=off`],
  ['redactionKeys', 'short'],
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

describe('what Kubernetes sets for a Service named reel', () => {
  const SET = {
    REEL_SERVICE_HOST: '10.96.0.10',
    REEL_SERVICE_PORT: '4000',
    REEL_SERVICE_PORT_HTTP: '4000',
    REEL_PORT: 'tcp://10.96.0.10:4000',
    REEL_PORT_4000_TCP: 'tcp://10.96.0.10:4000',
    REEL_PORT_4000_TCP_PROTO: 'tcp',
    REEL_PORT_4000_TCP_PORT: '4000',
    REEL_PORT_4000_TCP_ADDR: '10.96.0.10',
  };

  test('is passed over', () => {
    expect(readConfig(SET)).toEqual(readConfig({}));
    expect(readConfig({ ...SET, REEL_PORT: '4001' }).port).toBe(4001);
  });

  test('is nothing else', () => {
    for (const name of ['REEL_SERVICE_HOSTS', 'REEL_SERVICE', 'REEL_SERVICE_PORTS', 'REEL_PORTS'])
      expect(refusal({ [name]: 'x' })).toMatch(new RegExp(`^${name}: expected a variable listed`));
    expect(refusal({ REEL_PORT: 'udp://10.96.0.10:4000' })).toMatch(/^REEL_PORT: expected an integer/);
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
      REEL_JWT_ISSUER: 'https://guardian.example',
      REEL_JWT_AUDIENCE: 'reel',
    };
    expect(readConfig(environment).jwtSecrets).toEqual([]);
  });

  test.each(['REEL_JWT_ISSUER', 'REEL_JWT_AUDIENCE'])('a key set in production needs %s', (variable) => {
    const environment = {
      ...PRODUCTION,
      REEL_JWKS_URL: 'https://guardian.example/jwks',
      REEL_JWT_ISSUER: 'https://guardian.example',
      REEL_JWT_AUDIENCE: 'reel',
      [variable]: '',
    };
    expect(refusal(environment)).toMatch(
      new RegExp(`^${variable}: .*required in production with REEL_JWKS_URL, got nothing$`),
    );
    expect(readConfig({ ...environment, REEL_ENV: 'development' }).jwksUrl).not.toBeNull();
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

describe('what stands in a file', () => {
  const fileOf = async (text: string) => {
    const file = join(await mkdtemp(join(folder, 'secret-')), 'text');
    await writeFile(file, text);
    return file;
  };
  const URL_TEXT = 'postgres://reel:hunter2@db/reel';
  const SECRET_SETTINGS = [
    ['REEL_JWT_SECRET', 'jwtSecrets', SECRET, [SECRET]],
    ['REEL_SERVICE_SECRET', 'serviceSecrets', OTHER, [OTHER]],
    ['REEL_STREAM_KEY', 'streamKeys', STREAM_KEY, [STREAM_KEY]],
    ['REEL_REDACTION_KEY', 'redactionKeys', SECRET, [SECRET]],
    ['REEL_SIGNING_KEY', 'signingKey', PEM, PEM.trim()],
    ['REEL_DATABASE_URL', 'databaseUrl', URL_TEXT, URL_TEXT],
    ['REEL_MIGRATE_URL', 'migrateUrl', URL_TEXT, URL_TEXT],
  ] as const;

  test('is every secret, key and database address', () => {
    const secrets = Object.values(SETTINGS).filter((row) => 'secret' in row);
    expect(secrets.map(({ variable }) => variable).sort()).toEqual(
      SECRET_SETTINGS.map(([variable]) => variable).sort(),
    );
  });

  test.each(SECRET_SETTINGS)('may be %s', async (variable, name, text, value) => {
    const file = await fileOf(`${text}\n`);
    for (const given of [
      { [`${variable}_FILE`]: file },
      { [variable]: `file:${file}` },
      { [variable]: `file://${file}` },
    ]) {
      expect(readConfig(given)[name]).toEqual(value);
      expect(readConfig(given, 'command')[name]).toEqual(value);
    }
    expect(refusal({ [variable]: text, [`${variable}_FILE`]: file })).toBe(
      `${variable}_FILE: expected nothing, since ${variable} is given, got the path "${file}"`,
    );
    const others = { ...PRODUCTION, [variable]: '' };
    if (variable !== 'REEL_MIGRATE_URL')
      expect(readConfig({ ...others, [`${variable}_FILE`]: file })[name]).toEqual(value);
  });

  test.each(SECRET_SETTINGS)('is refused in words where it is not %s', async (variable) => {
    const file = await fileOf('hunter2');
    const message = refusal({ [`${variable}_FILE`]: file });
    expect(message).toMatch(new RegExp(`^${variable}_FILE: expected a file with .*, got 7 bytes$`));
    expect(message).not.toContain('hunter2');
    expect(refusal({ [variable]: `file:${file}` })).toMatch(new RegExp(`^${variable}: .*, got 7 bytes$`));
    expect(refusal({ [`${variable}_FILE`]: `${file}.gone` })).toMatch(/ENOENT for ".*gone"$/);
    expect(refusal({ [`${variable}_FILE`]: folder })).toContain('EISDIR');
    expect(refusal({ [`${variable}_FILE`]: '/dev/zero' })).toContain('at most 65536 bytes');
    expect(refusal({ [variable]: 'file://elsewhere/x' })).toContain('a file on this machine');
  });

  test('is read by a command only where it uses it', () => {
    const environment = Object.fromEntries(
      SECRET_SETTINGS.map(([variable]) => [`${variable}_FILE`, join(folder, 'gone')]),
    );
    const config = readConfig({ ...environment, REEL_ENV: 'production' }, 'command');
    expect(() => config.signingKey).toThrow(/^REEL_SIGNING_KEY_FILE: expected a readable file, got ENOENT/);
    expect(config.origin).toBeNull();
  });

  test('is not there for other settings', () => {
    expect(refusal({ REEL_HOST_FILE: '/tmp/host' })).toMatch(/^REEL_HOST_FILE: expected a variable listed/);
  });

  test('the owner’s connection is nothing that a server in production has or reads', async () => {
    const owner = 'postgres://owner:pw@db/reel';
    expect(readConfig({ ...PRODUCTION, REEL_MIGRATE_URL: owner }).migrateUrl).toBeNull();
    expect(readConfig({ ...PRODUCTION, REEL_MIGRATE_URL_FILE: join(folder, 'gone') }).migrateUrl).toBeNull();
    expect(readConfig({ ...PRODUCTION, REEL_MIGRATE_URL: owner }, 'command').migrateUrl).toBe(owner);
  });

  test('may be a token for the commands', async () => {
    expect(readRemote({ REEL_TOKEN_FILE: await fileOf('a.b.c\n') }).token).toBe('a.b.c');
    expect(readConfig({ REEL_TOKEN_FILE: '/nowhere' })).toEqual(readConfig({}));
  });
});

describe('several secrets, while one is being changed', () => {
  const NEXT = 'n'.repeat(40);

  test('stand in a list, in files, or in both', async () => {
    const file = join(folder, 'next');
    await writeFile(file, `${NEXT}\n`);
    const list = join(folder, 'list');
    await writeFile(list, `${NEXT},\n${SECRET}\n`);
    expect(readConfig({ REEL_JWT_SECRET: `${NEXT},${SECRET}` }).jwtSecrets).toEqual([NEXT, SECRET]);
    expect(readConfig({ REEL_JWT_SECRET: `file:${file},${SECRET}` }).jwtSecrets).toEqual([NEXT, SECRET]);
    expect(readConfig({ REEL_JWT_SECRET_FILE: list }).jwtSecrets).toEqual([NEXT, SECRET]);
  });

  test('are each of 32 bytes, and none is of both kinds', () => {
    expect(refusal({ REEL_JWT_SECRET: `${NEXT},short` })).toMatch(/got 40 bytes and 5 bytes$/);
    expect(refusal({ REEL_JWT_SECRET: ',' })).toMatch(/^REEL_JWT_SECRET: expected at least 32 bytes/);
    for (const [jwt, service] of [
      [`${NEXT},${SECRET}`, SECRET],
      [SECRET, `${OTHER},${SECRET}`],
      [`${NEXT},${SECRET}`, `${OTHER},${NEXT}`],
    ] as const)
      expect(refusal({ REEL_JWT_SECRET: jwt, REEL_SERVICE_SECRET: service })).toBe(
        'REEL_SERVICE_SECRET: expected a secret other than those of REEL_JWT_SECRET, got the same one',
      );
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
      jwtSecrets: [SECRET],
      serviceSecrets: [made.serviceSecret],
      signingKey: made.signingKey,
    });
    const byKeySet = await withDevelopmentSecrets(
      readConfig({ REEL_DATA_DIR: dataDir, REEL_JWKS_URL: 'http://guardian/jwks' }),
    );
    expect(byKeySet).toMatchObject({ jwtSecrets: [], serviceSecrets: [made.serviceSecret] });
    const production = readConfig({ ...PRODUCTION, REEL_DATA_DIR: join(folder, 'never') });
    expect(await withDevelopmentSecrets(production)).toBe(production);
    await expect(stat(join(folder, 'never'))).rejects.toThrow('ENOENT');
  });
});
