import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { makeDataDir, ReelProcess } from '../support/process.js';
import { grant, JWT_SECRET, moduleToken, person, SERVICE_SECRET } from '../support/reel.js';

const root = resolve(import.meta.dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'reel-starts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const KEY = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

interface Said {
  code: number;
  stdout: string;
  stderr: string;
}

function npm(args: string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Said> {
  const { PATH, HOME } = process.env;
  return new Promise((done) => {
    execFile('npm', args, { cwd, env: { PATH, HOME, ...env } }, (error, stdout, stderr) =>
      done({ code: (error?.code as number | undefined) ?? 0, stdout, stderr }),
    );
  });
}

describe('npm', () => {
  test('start, where what builds it is not installed, says so in one line', async () => {
    const clone = join(folder, 'clone');
    for (const file of [
      'package.json',
      '.npmrc',
      'src/development/can-build.mjs',
      'src/development/build.ts',
    ])
      cpSync(join(root, file), join(clone, file));
    const { code, stderr } = await npm(['start'], clone, { NODE_ENV: 'production' });
    expect(code).not.toBe(0);
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(/^reel: .*npm ci --include=dev/)]);
  });

  test('install does not warn of engines, since the right one comes with it', async () => {
    const warnsIn = async (name: string, npmrc: boolean) => {
      const host = join(folder, name);
      mkdirSync(join(host, 'newer'), { recursive: true });
      const newer = { name: 'newer', version: '1.0.0', engines: { node: '>=99' } };
      writeFileSync(join(host, 'newer/package.json'), JSON.stringify(newer));
      writeFileSync(
        join(host, 'package.json'),
        JSON.stringify({ name: 'host', version: '1.0.0', dependencies: { newer: 'file:newer' } }),
      );
      if (npmrc) cpSync(join(root, '.npmrc'), join(host, '.npmrc'));
      const { stderr } = await npm(['install', '--offline', '--no-audit'], host);
      return stderr.includes('EBADENGINE');
    };
    expect(await warnsIn('plain', false)).toBe(true);
    expect(await warnsIn('as-here', true)).toBe(false);
  });
});

describe('the log of a server in production', () => {
  const [TENANT, CLIENT] = [randomUUID(), randomUUID()];
  let own: TestDatabase;
  let dataDir: string;
  beforeAll(async () => {
    own = await createDatabase();
    dataDir = await makeDataDir();
  });
  afterAll(async () => {
    await own?.drop();
    await rm(dirname(dataDir), { recursive: true, force: true });
  });

  const settings = () => ({
    REEL_DATABASE_URL: own.runtimeUrl,
    REEL_JWT_SECRET: JWT_SECRET,
    REEL_SERVICE_SECRET: SERVICE_SECRET,
    REEL_SIGNING_KEY: KEY,
    REEL_ORIGIN: 'reel.example.com',
  });

  type Line = Record<string, unknown> & { level: number; msg: string };
  /** What it logs while `work` is done. */
  async function logOf(level: string, work: (url: string) => Promise<unknown>): Promise<Line[]> {
    const reel = new ReelProcess(dataDir, { REEL_ENV: 'production', ...settings(), REEL_LOG_LEVEL: level });
    await work(await reel.ready());
    const { code, stdout, stderr } = await reel.stop();
    expect([code, stderr]).toEqual([0, '']);
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
  }

  const WORD = 'zanzibar';
  async function calls(url: string): Promise<{ ana: string; module: string }> {
    const ana = await person({
      grants: [grant(TENANT, 'reel.logs.view:ACCOUNT'), grant(TENANT, `reel.logs.export:CLIENT:${CLIENT}`)],
    });
    const module = await moduleToken('billing');
    const ask = (path: string, token: string | null, body?: unknown) =>
      fetch(`${url}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          'content-type': 'application/json',
          'x-tenant-id': TENANT,
          ...(token && { authorization: `Bearer ${token}` }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    const entry = {
      module: 'billing',
      action: WORD,
      tenant_id: TENANT,
      client_id: CLIENT,
      data: { a: WORD },
    };
    await ask('/api/v1/reel/logs', module, entry);
    await ask(`/api/v1/reel/logs?module=${WORD}&query=actor:${WORD}`, ana);
    await ask(`/api/v1/reel/logs?severity=${WORD}`, ana);
    await ask('/graphql', ana, { query: `{ logs(filter: {search: "${WORD}"}) { nodes { id } } }` });
    await ask('/graphql', ana, { query: `{ ${WORD} }` });
    const prepared = await ask('/api/v1/reel/logs/export', ana, { filter: { search: WORD } });
    const { download_url } = (await prepared.json()) as { download_url: string };
    await (await ask(download_url, null)).text();
    await ask(`/api/v1/reel/logs?search=${WORD}`, `${WORD}.${WORD}.${WORD}`);
    await ask('/health/live', null);
    return { ana, module };
  }

  test('is JSON, a line for each request, and holds no token, no value of a query and no entry', async () => {
    let tokens = { ana: '', module: '' };
    const lines = await logOf('info', async (url) => {
      tokens = await calls(url);
    });
    expect(lines[0]!.msg).toMatch(/^Reel listens on /);
    const said = JSON.stringify(lines);
    expect(said).not.toContain(WORD);
    for (const token of Object.values(tokens)) expect(said).not.toContain(token.split('.')[2]);
    const requests = lines.filter(({ msg }) => msg === 'request');
    expect(requests.map(({ method, status }) => `${method} ${status}`)).toEqual([
      'POST 201',
      'GET 200',
      'GET 422',
      'POST 200',
      'POST 200',
      'POST 200',
      'GET 200',
      'GET 401',
    ]);
    expect(requests[0]).toMatchObject({
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      caller: 'module:billing',
      tenantId: null,
      url: '/api/v1/reel/logs',
      ms: expect.any(Number),
      remoteAddress: '127.0.0.1',
    });
    expect(requests[1]).toMatchObject({
      caller: expect.stringMatching(/^person:[0-9a-f-]{36}$/),
      tenantId: TENANT,
      url: '/api/v1/reel/logs?module=…&query=…',
    });
    expect(requests.at(-1)).toMatchObject({ caller: null, tenantId: null });
  });

  test('has what Node warns of as JSON, too', async () => {
    const warn = "setTimeout(()=>process.emitWarning('odd'),500)";
    const reel = new ReelProcess(dataDir, {
      REEL_ENV: 'production',
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(warn)}`,
      ...settings(),
    });
    await reel.ready();
    await expect.poll(() => reel.stderr, { timeout: 60_000 }).not.toBe('');
    expect((await reel.stop()).code).toBe(0);
    expect(JSON.parse(reel.stderr)).toMatchObject({ level: 40, msg: 'Warning: odd' });
  });

  test.each(['throw error', 'Promise.reject(error)'])(
    'has what nothing handles as JSON, too: %s',
    async (fail) => {
      const error = "const error = new TypeError('odd\\nindeed')";
      // Once somebody hears of it.
      const when = "if (process.listenerCount('uncaughtException') > 0 && process.uptime() > 1)";
      const code = `const timer = setInterval(() => { ${when} { clearInterval(timer); ${error}; ${fail} } }, 20)`;
      const reel = new ReelProcess(dataDir, {
        REEL_ENV: 'production',
        NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}`,
        ...settings(),
      });
      await expect(reel.ended).rejects.toThrow('ends the server');
      expect(reel.exitCode).toBe(1);
      const lines = reel.stderr.trimEnd().split('\n');
      expect(lines).toHaveLength(1);
      expect(JSON.parse(lines[0]!)).toMatchObject({
        level: 60,
        msg: 'an error that nothing handled ends the server',
        err: { type: 'TypeError', message: 'odd\nindeed', stack: expect.stringContaining('TypeError: odd') },
      });
    },
  );

  test('has requests for health at debug', async () => {
    const lines = await logOf('debug', calls);
    expect(lines.filter(({ msg, url }) => msg === 'request' && url === '/health/live')).toHaveLength(1);
  });

  test('says once that traces were asked for and nothing makes them', async () => {
    const reel = new ReelProcess(dataDir, {
      REEL_DATABASE_URL: own.runtimeUrl,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318',
    });
    await reel.ready();
    const { stdout } = await reel.stop();
    expect(stdout.match(/no trace is recorded/g)).toHaveLength(1);
  });
});
