import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tokenVerifier } from '../../src/auth/token.js';
import { runCommand, settingsOf, startCommand } from '../support/cli.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

const TENANT = randomUUID();
const CLIENT = randomUUID();
const SECRETS = { jwtSecret: 'j'.repeat(40), serviceSecret: 's'.repeat(40) };
const verify = tokenVerifier({
  jwtSecrets: [SECRETS.jwtSecret],
  serviceSecrets: [SECRETS.serviceSecret],
  jwksUrl: null,
});

let directory: string;
let signing: Record<string, string>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reel-cli-'));
  await chmod(directory, 0o755);
  signing = {
    REEL_DATA_DIR: join(directory, 'signing'),
    REEL_JWT_SECRET: SECRETS.jwtSecret,
    REEL_SERVICE_SECRET: SECRETS.serviceSecret,
  };
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('bad usage ends with 2 and one word about it', () => {
  test.each<[string, string[], RegExp, Record<string, string>?]>([
    ['an unknown command', ['seeed'], /unknown command 'seeed'\n\(Did you mean seed\?\)/],
    ['an unknown command below another', ['token', 'persom'], /Did you mean person\?/],
    ['an unknown option', ['token', 'person', '--tennant', TENANT], /Did you mean --tenant\?/],
    ['no command', [], /Usage: reel/],
    ['a missing option', ['token', 'person'], /--tenant/],
    ['a missing argument', ['token', 'module'], /name/],
    ['too many arguments', ['migrate', 'now'], /too many arguments/],
    ['no UUID', ['token', 'person', '--tenant', 'acme'], /'acme' is invalid\. Expected a UUID/],
    [
      'a grant without scope',
      ['token', 'person', '--tenant', TENANT, '--grant', 'reel.logs.view'],
      /ACTION:SCOPE/,
    ],
    [
      'a client grant of no client',
      ['token', 'person', '--tenant', TENANT, '--grant', 'reel.logs.view:CLIENT'],
      /--client: expected/,
    ],
    ['a role nobody has', ['db-url', '--role', 'root'], /owner, runtime/],
    ['too many days', ['cleanup', '--days', '0'], /an integer from 1 to 36500/],
    ['no days at all', ['cleanup'], /^reel: --days: expected .* REEL_RETENTION_DAYS is 0/],
    ['fewer entries than tenants', ['seed', '--entries', '1', '--tenants', '2'], /one entry per tenant/],
    ['no server', ['export', '--token', 'x'], /REEL_URL/],
    ['no token', ['export', '--url', 'http://127.0.0.1:1'], /REEL_TOKEN/],
    ['no such severity', ['export', '--min-severity', 'bad'], /DEBUG, INFO/],
    ['no such time', ['export', '--start-date', 'yesterday'], /a date \(2026-01-05\)/],
    [
      'a wrong setting',
      ['token', 'module', 'x'],
      /^reel: REEL_PORT: expected .*, got "x"\n$/,
      { REEL_PORT: 'x' },
    ],
    ['an unknown setting', ['db-url'], /^reel: REEL_PROT: .*\n$/, { REEL_PROT: '1' }],
    [
      'no owner',
      ['migrate'],
      /^reel: REEL_MIGRATE_URL: expected/,
      { REEL_DATABASE_URL: 'postgresql://reel@127.0.0.1:1/reel' },
    ],
    [
      'no database',
      ['cleanup', '--days', '1'],
      /^reel: REEL_MIGRATE_URL: .*ECONNREFUSED/,
      { REEL_MIGRATE_URL: 'postgresql://reel@127.0.0.1:1/reel' },
    ],
    ['no running database', ['db-url'], /^reel: REEL_DATA_DIR: expected/],
    ...(['link --tenant X', 'db-url', 'seed --entries 1'] as const).map(
      (line): [string, string[], RegExp, Record<string, string>] => [
        `${line} in production`,
        line.replace('X', TENANT).split(' '),
        /^reel: REEL_ENV: expected development.*\n$/,
        { REEL_ENV: 'production' },
      ],
    ),
    [
      'a token without secrets in production',
      ['token', 'module', 'x'],
      /^reel: REEL_SERVICE_SECRET: expected a secret, got nothing\n$/,
      { REEL_ENV: 'production' },
    ],
  ])('%s', async (_, args, said, settings = {}) => {
    const ran = await runCommand(args, { REEL_DATA_DIR: join(directory, 'none'), ...settings });
    expect(ran.stderr).toMatch(said);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
  });

  test('help is data', async () => {
    const ran = await runCommand(['--help']);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toContain('cleanup');
  });
});

describe('tokens', () => {
  const token = async (line: string, code = 0) => {
    const ran = await runCommand(line.split(' '), signing);
    expect(ran.code).toBe(code);
    expect(ran.stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    return { credential: await verify(ran.stdout.trim()), stderr: ran.stderr };
  };
  const grant = (action: string, scope: string, clientId: string | null) => ({
    action,
    scope,
    tenantId: TENANT,
    clientId,
  });

  test('of a person who views the tenant, where nothing else is said', async () => {
    const { credential, stderr } = await token(`token person --tenant ${TENANT.toUpperCase()}`);
    expect(stderr).toBe('');
    expect(credential).toMatchObject({
      kind: 'person',
      email: 'ana@example.com',
      grants: [grant('reel.logs.view', 'ACCOUNT', null)],
      tenants: [],
    });
  });

  test('of a person who exports the client named', async () => {
    const { credential } = await token(`token person --tenant ${TENANT} --client ${CLIENT}`);
    expect(credential).toMatchObject({
      grants: [
        grant('reel.logs.view', 'ACCOUNT', null),
        grant('reel.logs.view', 'CLIENT', CLIENT),
        grant('reel.logs.export', 'CLIENT', CLIENT),
      ],
    });
  });

  test('of a person with just the grants named, in each client named', async () => {
    const other = randomUUID();
    const { credential } = await token(
      `token person --tenant ${TENANT} --client ${CLIENT} --client ${other} --grant reel.logs.view:CLIENT --grant reel.logs.export:ACCOUNT --email bo@example.com --name Bo --id ${other} --minutes 5`,
    );
    expect(credential).toMatchObject({
      id: other,
      email: 'bo@example.com',
      name: 'Bo',
      grants: [
        grant('reel.logs.view', 'CLIENT', CLIENT),
        grant('reel.logs.view', 'CLIENT', other),
        grant('reel.logs.export', 'ACCOUNT', null),
      ],
    });
    expect(credential.expiresAt - Date.now()).toBeGreaterThan(4 * 60_000);
    expect(credential.expiresAt - Date.now()).toBeLessThanOrEqual(5 * 60_000);
  });

  test('of a mere member; an e-mail address is the same person each time', async () => {
    const line = `token person --tenant ${TENANT} --member --email bo@example.com`;
    const [one, two] = [await token(line), await token(line)];
    expect(one.credential).toMatchObject({ grants: [], tenants: [{ id: TENANT }], name: null });
    expect(one.credential).toMatchObject({ id: (two.credential as { id: string }).id });
  });

  test('an action that Reel does not have is warned of', async () => {
    const { stderr } = await token(`token person --tenant ${TENANT} --grant reel.logs.veiw:ACCOUNT`);
    expect(stderr).toContain('reel.logs.veiw is not an action');
  });

  test('of a module, of a gateway, and as JSON', async () => {
    expect((await token('token module guardian')).credential).toMatchObject({
      kind: 'module',
      module: 'guardian',
    });
    expect((await token('token module *')).credential).toMatchObject({ kind: 'module', module: '*' });
    const { stdout } = await runCommand(['token', 'module', 'x', '--json'], signing);
    expect(await verify(JSON.parse(stdout).token)).toMatchObject({ module: 'x' });
  });

  test('in production by the first of the secrets, which may stand in files', async () => {
    const [file, next] = [join(directory, 'next-secret'), 'n'.repeat(40)];
    await writeFile(file, `${next},${SECRETS.jwtSecret}\n`);
    const settings = {
      REEL_ENV: 'production',
      REEL_JWT_SECRET_FILE: file,
      REEL_JWT_ISSUER: 'https://guardian.example',
      REEL_JWT_AUDIENCE: 'reel',
      REEL_SERVICE_SECRET: `${'t'.repeat(40)},${SECRETS.serviceSecret}`,
      // Of no concern to this command.
      REEL_SIGNING_KEY: `file:${file}.gone`,
    };
    const [ana, guardian] = await Promise.all([
      runCommand(['token', 'person', '--tenant', TENANT], settings),
      runCommand(['token', 'module', 'guardian'], settings),
    ]);
    const verifyNext = tokenVerifier({
      jwtSecrets: [next],
      jwtIssuer: 'https://guardian.example',
      jwtAudience: 'reel',
      serviceSecrets: ['t'.repeat(40)],
      jwksUrl: null,
    });
    expect(await verifyNext(ana.stdout.trim())).toMatchObject({ kind: 'person' });
    expect(await verifyNext(guardian.stdout.trim())).toMatchObject({ kind: 'module', module: 'guardian' });
  });

  test('none where a key set says who signs', async () => {
    const ran = await runCommand(['token', 'person', '--tenant', TENANT], {
      ...signing,
      REEL_JWKS_URL: 'https://keys.example.com',
    });
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toContain('REEL_JWKS_URL');
  });

  test('a link signs in to the viewer', async () => {
    const ran = await runCommand(['link', '--tenant', TENANT, '--client', CLIENT], {
      ...signing,
      REEL_HOST: '::1',
      REEL_PORT: '4123',
    });
    const url = new URL(ran.stdout.trim());
    expect(url.href).toMatch(/^http:\/\/\[::1\]:4123\/#token=/);
    const parts = new URLSearchParams(url.hash.slice(1));
    expect(await verify(parts.get('token')!)).toMatchObject({ kind: 'person' });
    expect([parts.get('tenant'), parts.get('client')]).toEqual([TENANT, CLIENT]);
  });
});

describe('migrate', () => {
  let own: TestDatabase;
  beforeAll(async () => {
    own = await createDatabase();
  });
  afterAll(() => own.drop());

  test('is safe to run twice, and from two places at once', async () => {
    const both = await Promise.all([1, 2].map(() => runCommand(['migrate', '--json'], settingsOf(own))));
    for (const ran of both) expect(ran).toMatchObject({ code: 0, stdout: '{"applied":[]}\n' });
  });

  test('refuses a runtime role that is the owner', async () => {
    const ran = await runCommand(['migrate'], {
      REEL_MIGRATE_URL: own.ownerUrl,
      REEL_DATABASE_URL: own.ownerUrl,
    });
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toMatch(/^reel: REEL_DATABASE_URL: .*\n$/);
  });
});

describe('as a process of its own, a command ends by itself', () => {
  let own: TestDatabase;
  beforeAll(async () => {
    own = await createDatabase();
  });
  afterAll(() => own.drop());
  const none = randomUUID();

  test.each<[string, string[], object]>([
    ['with 0 after its work', ['migrate', '--json'], { code: 0, stdout: '{"applied":[]}\n' }],
    ['with 0 after its help', ['token', '--help'], { code: 0, stderr: '' }],
    [
      'with 1 where it found a problem',
      ['hold', 'release', none],
      { code: 1, stdout: '', stderr: expect.stringMatching(`^reel: .*${none}.*\n$`) },
    ],
    [
      'with 2 where it is used badly',
      ['seeed'],
      { code: 2, stdout: '', stderr: expect.stringMatching(/^error: /) },
    ],
    ['as it does in the process of a test', ['hold', 'list'], { code: 0, stdout: '', stderr: '' }],
  ])('%s', async (_, args, outcome) => {
    const process = await startCommand(args, settingsOf(own)).ended;
    expect(process).toMatchObject(outcome);
    expect(await runCommand(args, settingsOf(own))).toEqual(process);
  });
});

test('without a database named, the embedded one is started for the duration', async () => {
  const settings = { REEL_DATA_DIR: join(directory, 'embedded') };
  const first = await startCommand(['migrate', '--json'], settings).ended;
  expect(first.code).toBe(0);
  expect(JSON.parse(first.stdout).applied).not.toEqual([]);
  expect(await runCommand(['db-url'], settings)).toMatchObject({ code: 2 });
  const cleaned = await startCommand(['cleanup', '--days', '30'], settings).ended;
  expect(cleaned.stdout).toMatch(/^removed 0 entries/);
  expect(await runCommand(['db-url'], settings)).toMatchObject({ code: 2 });
}, 60_000);
