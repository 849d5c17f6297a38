import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { type Ended, makeDataDir, ReelProcess } from '../support/process.js';

const SECRETS = { REEL_JWT_SECRET: 'j'.repeat(32), REEL_SERVICE_SECRET: 's'.repeat(32) };
const KEY = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

let dataDir: string;
let own: TestDatabase;
let taken: Server;
beforeAll(async () => {
  dataDir = await makeDataDir();
  own = await createDatabase();
  taken = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => taken.once('listening', done));
});
afterAll(async () => {
  taken.close();
  await own.drop();
  await rm(dirname(dataDir), { recursive: true, force: true });
});

/** Starts with these settings and expects one line on stderr and an exit code that is not 0. */
async function refusal(settings: Record<string, string>): Promise<string> {
  const reel = new ReelProcess(dataDir, settings);
  const ended: Ended = await reel.ended;
  expect(ended).toMatchObject({ code: 1, signal: null, stdout: '' });
  if (settings.REEL_ENV === 'production') {
    const { level, msg } = JSON.parse(ended.stderr) as { level: number; msg: string };
    expect([level, msg.includes('\n')]).toEqual([60, false]);
    return `reel: ${msg}`;
  }
  expect(ended.stderr).toMatch(/^reel: [^\n]+\n$/);
  return ended.stderr.trimEnd();
}

const withDatabase = (more: Record<string, string> = {}) => ({
  REEL_DATABASE_URL: own.runtimeUrl,
  ...SECRETS,
  ...more,
});

describe('settings', () => {
  test.each([
    [
      'a port that is none',
      { REEL_PORT: '70000' },
      /REEL_PORT: expected an integer from 0 to 65535, got "70000"/,
    ],
    [
      'a word that is none of those',
      { REEL_ENV: 'staging' },
      /REEL_ENV: expected development or production, got "staging"/,
    ],
    [
      'an unknown variable',
      { REEL_PROT: '4000' },
      /REEL_PROT: expected a variable listed in docs\/settings\.md/,
    ],
    [
      'a short secret, of which only the length is told',
      { REEL_JWT_SECRET: 'hush' },
      /REEL_JWT_SECRET: expected at least 32 bytes, got 4 bytes$/,
    ],
    [
      'one secret for both',
      { ...SECRETS, REEL_SERVICE_SECRET: 'j'.repeat(32) },
      /REEL_SERVICE_SECRET: expected a secret other than/,
    ],
    ['all addresses without secrets', { REEL_HOST: '0.0.0.0' }, /REEL_JWT_SECRET: .*loopback/],
    [
      'an address of another machine',
      { ...SECRETS, REEL_HOST: '192.0.2.1' },
      /REEL_HOST: expected an address of this machine/,
      true,
    ],
  ])('%s', async (_title, settings, line, withOwnDatabase = false) => {
    expect(await refusal(withOwnDatabase ? withDatabase(settings) : settings)).toMatch(line);
  });

  test('production takes nothing for granted', async () => {
    const given: Record<string, string> = { REEL_ENV: 'production' };
    const needed = {
      ...SECRETS,
      REEL_DATABASE_URL: own.runtimeUrl,
      REEL_SIGNING_KEY: KEY,
      REEL_ORIGIN: 'reel.example.com',
    };
    for (const [name, value] of Object.entries(needed)) {
      expect(await refusal(given)).toMatch(
        new RegExp(`^reel: ${name}: .*required in production, got nothing$`),
      );
      given[name] = value;
    }
    const reel = new ReelProcess(dataDir, given);
    const url = await reel.ready();
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    for (const path of ['/playground', '/metrics']) expect((await fetch(url + path)).status).toBe(404);
    expect((await reel.stop()).code).toBe(0);
    // No token, no link, no playground, no metrics; nothing but JSON, the first line included.
    const lines = reel.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { msg: string });
    expect(lines[0]).toMatchObject({ level: 30, msg: `Reel listens on ${url}` });
    expect(lines.slice(1).map(({ msg }) => msg)).toEqual(['request', 'request']);
  });
});

test('a taken port', async () => {
  const { port } = taken.address() as { port: number };
  expect(await refusal(withDatabase({ REEL_PORT: String(port) }))).toMatch(
    new RegExp(`REEL_PORT: expected a free port, got ${port}`),
  );
});

describe('the data directory', () => {
  test('a file', async () => {
    const file = join(dirname(dataDir), 'file');
    await writeFile(file, '');
    expect(await refusal({ REEL_DATA_DIR: file })).toMatch(/REEL_DATA_DIR|file/);
  });

  test('one whose database lost its passwords is left as it is', async () => {
    const folder = join(dirname(dataDir), 'lost');
    await mkdir(join(folder, 'postgres', 'data'), { recursive: true });
    await writeFile(join(folder, 'postgres', 'data', 'PG_VERSION'), '18\n');
    await chmod(folder, 0o755);
    expect(await refusal({ REEL_DATA_DIR: folder })).toMatch(
      /REEL_DATA_DIR: expected the database's passwords/,
    );
    expect(await refusal({ REEL_DATA_DIR: folder })).toMatch(
      /REEL_DATA_DIR: expected the database's passwords/,
    );
  });
});

describe('the database', () => {
  const at = (parts: Partial<Pick<URL, 'pathname' | 'username' | 'password'>>) =>
    Object.assign(new URL(own.runtimeUrl), parts).toString();

  test('that nobody answers for', async () => {
    const line = await refusal(
      withDatabase({ REEL_DATABASE_URL: 'postgresql://reel:hush@127.0.0.1:1/reel' }),
    );
    expect(line).toMatch(/REEL_DATABASE_URL: expected a PostgreSQL reachable at 127\.0\.0\.1:1: /);
    expect(line).not.toContain('hush');
  });

  test('whose password is another', async () => {
    const line = await refusal(withDatabase({ REEL_DATABASE_URL: at({ password: 'hush' }) }));
    expect(line).toMatch(/REEL_DATABASE_URL: .*password authentication failed/);
    expect(line).not.toContain('hush');
  });

  test('that does not exist', async () => {
    expect(await refusal(withDatabase({ REEL_DATABASE_URL: at({ pathname: '/none' }) }))).toMatch(
      /REEL_DATABASE_URL: .*"none" does not exist/,
    );
  });

  test('that is not migrated', async () => {
    const empty = at({ pathname: '/postgres' });
    expect(await refusal(withDatabase({ REEL_DATABASE_URL: empty }))).toMatch(
      /REEL_DATABASE_URL: expected a migrated database at .* \(run: reel migrate\)/,
    );
  });

  test('whose role may do too much', async () => {
    const cases = [
      [own.ownerUrl, /got reel_owner, which is the owner of the tables/],
      [own.superuserUrl, /got postgres, which is a superuser/],
    ] as const;
    for (const [url, line] of cases) {
      const said = await refusal(withDatabase({ REEL_DATABASE_URL: url }));
      expect(said).toMatch(/^reel: REEL_DATABASE_URL: expected a role under row-level security/);
      expect(said).toMatch(line);
    }
  });

  test('whose role was given what it must not have', async () => {
    await own.query("create role reel_bold login password 'bold'", [], 'superuser').catch(() => {});
    await own.query(
      'grant usage on schema public to reel_bold; grant select, insert, delete on reel_log_entries to reel_bold; grant select on reel_migrations to reel_bold',
    );
    const url = at({ username: 'reel_bold', password: 'bold' });
    expect(await refusal(withDatabase({ REEL_DATABASE_URL: url }))).toMatch(
      /got reel_bold, which has rights beyond its own: DELETE on reel_log_entries/,
    );
  });
});

test('a template of this run serves as a database of the user’s own', async () => {
  expect(inject('postgres').runtimeUrl).toMatch(/^postgresql:/);
  const reel = new ReelProcess(dataDir, withDatabase());
  const url = await reel.ready();
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  expect((await reel.stop()).code).toBe(0);
  // The user's database goes on.
  expect(await own.query('select 1 as one')).toEqual([{ one: 1 }]);
});
