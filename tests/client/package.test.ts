import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build, type Rolldown } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BatchServer } from '../support/batch-server.js';
import { Checkout } from '../support/checkout.js';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '..', '..');
const built = join(root, 'dist', 'reel-client');
const MAX_BYTES = 15 * 1024;

async function minified(entry: string): Promise<Rolldown.OutputChunk> {
  const output = await build({
    configFile: false,
    root,
    logLevel: 'error',
    build: {
      write: false,
      lib: { entry, formats: ['es'], fileName: 'client' },
      target: 'node20',
      rolldownOptions: { external: /^node:/, output: { minify: true, comments: false } },
    },
  });
  const [chunk] = [output].flat().flatMap((each) => ('output' in each ? each.output : []));
  if (chunk?.type !== 'chunk') throw new Error('expected a file');
  return chunk;
}

describe('the entry point', () => {
  test('is at most 15 KiB minified, and imports nothing but Node', async () => {
    const { code, imports } = await minified(join(root, 'dist', 'client', 'index.js'));
    expect(Buffer.byteLength(code)).toBeLessThanOrEqual(MAX_BYTES);
    expect(imports.filter((name) => !name.startsWith('node:'))).toEqual([]);
  });

  test('has no dependencies, nor does any other of the package', () => {
    const manifest = JSON.parse(readFileSync(join(built, 'package.json'), 'utf8'));
    expect(Object.keys(manifest).filter((name) => /dependencies/i.test(name))).toEqual([]);
    for (const name of readdirSync(built).filter((file) => /\.c?js$/.test(file)))
      for (const [, imported] of readFileSync(join(built, name), 'utf8').matchAll(
        /(?:require\(|from )["']([^"']+)/g,
      ))
        expect(imported).toMatch(/^(?:node:|\.\/)/);
  });
});

/** Every Node on the machine: the project's own, and what the system has. */
const NODES = [process.execPath, '/usr/bin/node', '/usr/local/bin/node'].filter(existsSync);

describe('./deploy.sh --client-target', () => {
  let checkout: Checkout;
  let host: string;
  let server: BatchServer;
  beforeAll(async () => {
    checkout = new Checkout();
    host = checkout.host('module', {
      'package.json': JSON.stringify({ name: 'module', private: true }),
      'send.cjs': script("const { createReelClient, runInContext } = require('reel-client');"),
      'send.mjs': script("import { createReelClient, runInContext } from 'reel-client';"),
      'both.mjs': `import { createRequire } from 'node:module';
        import { runInContext } from 'reel-client';
        const { mockReel } = createRequire(import.meta.url)('reel-client/mock');
        const reel = mockReel({ module: 'billing' });
        console.log(runInContext({ tenantId: 't' }, () => reel.log('a.b', {})));`,
    });
    server = await BatchServer.start();
    const { code, stderr } = await checkout.deploy(['--client-target', 'module']);
    expect(code, stderr).toBe(0);
  }, 120_000);
  afterAll(async () => {
    await server?.close();
    checkout?.remove();
  });

  const script = (imports: string) => `${imports}
    const [, , url, spool] = process.argv;
    const reel = createReelClient({ url, token: 't', module: 'billing', spool });
    const isTaken = runInContext({ tenantId: 't' }, () => reel.log('a.b', { data: { node: process.version } }));
    reel.flush().then(async (isFlushed) => {
      await reel.close();
      console.log(isTaken && isFlushed && reel.stats().sent === 1 ? 'sent' : 'failed');
    });`;

  test('installs the package alone, of a few files, and twice is once', async () => {
    expect(readdirSync(join(host, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
      'reel-client',
    ]);
    expect(JSON.parse(readFileSync(join(host, 'package.json'), 'utf8')).dependencies).toEqual({
      'reel-client': 'file:vendor/reel-client-1.0.0.tgz',
    });
    const { stderr } = await checkout.deploy(['--client-target', 'module']);
    expect(stderr).toContain('up to date');
    expect(await checkout.deploy(['--client-target', 'nowhere'])).toMatchObject({ code: 2 });
  });

  test.each(NODES.flatMap((node) => ['send.cjs', 'send.mjs'].map((file) => [node, file] as const)))(
    'runs with %s: %s',
    async (node, file) => {
      const { stdout, stderr } = await run(node, [file, server.url, mkdtempSync(join(host, 'spool-'))], {
        cwd: host,
      });
      expect({ stdout, stderr }).toEqual({ stdout: 'sent\n', stderr: '' });
      const { stdout: version } = await run(node, ['--version']);
      expect(server.entries.at(-1)?.data).toEqual({ node: version.trim() });
    },
  );

  test('has one context, loaded both ways', async () => {
    expect((await run(process.execPath, ['both.mjs'], { cwd: host })).stdout).toBe('true\n');
  });

  test('has types for ESM and CommonJS, without zod', async () => {
    const source = `
      import { createReelClient, defineActions } from 'reel-client';
      import { mockReel } from 'reel-client/mock';
      import { cards } from 'reel-client/patterns';
      import { fastifyContext } from 'reel-client/adapters';
      import { registrationsOf, type Registration } from 'reel-client/registrations';
      const actions = defineActions('billing', { 'a.b': { resource: 'invoice' } });
      const reel = createReelClient({ url: 'http://x', token: 't', actions, redactPatterns: [cards] });
      export const isTaken: boolean = reel.log('a.b', { tenantId: 't' });
      // @ts-expect-error no such action
      mockReel({ actions }).log('a.c', {});
      export const rows: Registration[] = registrationsOf(actions);
      export const plugin = fastifyContext();`;
    writeFileSync(join(host, 'module.mts'), source);
    writeFileSync(join(host, 'module.cts'), source);
    const options = {
      module: 'NodeNext',
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      types: [],
      lib: ['ES2023', 'DOM'],
    };
    const config = { compilerOptions: options, files: ['node.d.ts', 'module.mts', 'module.cts'] };
    writeFileSync(
      join(host, 'node.d.ts'),
      `/// <reference path="${join(root, 'node_modules/@types/node/index.d.ts')}" />`,
    );
    writeFileSync(join(host, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(root, 'node_modules/@typescript/native/bin/tsc');
    const { stdout } = await run(process.execPath, [tsc, '-p', host]).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe('');
  });
});

test('reel/client is the same', () => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const own = JSON.parse(readFileSync(join(built, 'package.json'), 'utf8')).exports;
  for (const [name, entry] of Object.entries(own)) {
    if (name === './package.json') continue;
    const text = JSON.stringify(entry).replaceAll('"./', '"./dist/reel-client/');
    expect(JSON.stringify(exports[name.replace('.', './client')])).toBe(text);
    for (const [path] of text.matchAll(/\.\/dist[^"]+/g)) expect(existsSync(join(root, path))).toBe(true);
  }
});
