import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';
import { describe, expect, test } from 'vitest';
import { createI18n } from 'vue-i18n';
import { REEL_ACTIONS } from '../../src/auth/actions.js';
import { ERROR_STATUS } from '../../src/errors.js';
import { loadReelMessages, reelMessages } from '../../web/reel/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const entry = `${root}web/reel/index.ts`;
const PEERS = [
  'vue',
  'pinia',
  'vue-i18n',
  'graphql',
  '@graphql-typed-document-node/core',
  '@apollo/client',
  '@vue/apollo-composable',
  'graphql-ws',
  'graphql-sse',
];
const isPeer = (id: string) => PEERS.some((peer) => id === peer || id.startsWith(`${peer}/`));

const manifest = () =>
  JSON.parse(readFileSync(`${root}web/reel/package.json`, 'utf8')) as {
    sideEffects: boolean;
    exports: Record<string, string>;
    peerDependencies: Record<string, string>;
    peerDependenciesMeta: Record<string, { optional?: boolean }>;
  };

/** The chunks that a host's Vite builds for the named exports of a file, without the peer dependencies. */
async function bundle(names: string, file = entry): Promise<Rolldown.OutputChunk[]> {
  const host = '\0host.ts';
  const output = await build({
    configFile: false,
    root,
    logLevel: 'error',
    plugins: [
      {
        name: 'host',
        resolveId: (id) => (id.endsWith('host.ts') ? host : null),
        load: (id) => (id === host ? `export ${names} from ${JSON.stringify(file)}` : null),
      },
    ],
    build: {
      write: false,
      lib: { entry: 'host.ts', formats: ['es'], fileName: 'host' },
      rolldownOptions: { external: isPeer, output: { minify: true } },
    },
  });
  return [output]
    .flat()
    .flatMap((each) => ('output' in each ? each.output : []))
    .filter((each) => each.type === 'chunk');
}

const size = (chunks: Rolldown.OutputChunk[]) =>
  chunks.reduce((sum, { code }) => sum + gzipSync(code).length, 0);
const isLocale = ({ fileName }: Rolldown.OutputChunk) => /^(en|pt-BR)-/.test(fileName);
const MODULE_BYTES = 6 * 1024;
const imported = (chunks: Rolldown.OutputChunk[]) => [
  ...new Set(chunks.flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports]).filter(isPeer)),
];

describe('what a host bundles', () => {
  test('createReel and useReel by url are as large as docs/module.md says, and at most 6 KiB', async () => {
    const chunks = await bundle('{ createReel, useReel }');
    expect(chunks).toHaveLength(1);
    expect(imported(chunks).sort()).toEqual(['pinia', 'vue']);
    expect(size(chunks)).toBeLessThanOrEqual(MODULE_BYTES);
    const [, said = ''] =
      /`createReel` and `useReel`[^|]*? ([\d.]+) KiB/.exec(readFileSync(`${root}docs/module.md`, 'utf8')) ??
      [];
    expect((size(chunks) / 1024).toFixed(1)).toBe(said);
  });

  test('all of it without its peers and messages is at most 6 KiB', async () => {
    const exported = Object.keys(await import('../../web/reel/index.js')).filter(
      (name) => !name.endsWith('Messages'),
    );
    const chunks = await bundle(`{ ${exported.join(', ')} }`);
    expect(size(chunks)).toBeLessThanOrEqual(MODULE_BYTES);
    expect(imported(chunks).sort()).toEqual(['graphql-ws', 'pinia', 'vue']);
    expect(chunks.flatMap(({ imports }) => imports)).not.toContain('graphql-ws');
  });

  test('a locale is loaded by itself, and at most 4 KiB', async () => {
    const locales = (await bundle('{ loadReelMessages }')).filter(isLocale);
    expect(locales).toHaveLength(2);
    for (const locale of locales) expect(size([locale])).toBeLessThanOrEqual(4 * 1024);
  });

  test('createLog alone brings no store, no composable, no other operation', async () => {
    const [chunk, ...others] = await bundle('{ createReel, createLog }');
    expect(others).toEqual([]);
    expect(imported([chunk!])).toEqual(['vue']);
    expect(chunk?.code).toMatch(/mutation CreateLog/);
    expect(chunk?.code).not.toMatch(/query Log|subscription|pinia|isLoading/);
  });

  test('Apollo comes with reel/apollo alone, which the package names', async () => {
    const { exports, peerDependencies, peerDependenciesMeta } = manifest();
    expect(exports['./apollo']).toBe('./apollo.ts');
    const apollo = await bundle('{ createReel, useLogsQuery }', `${root}web/reel/apollo.ts`);
    const needed = imported(apollo).map((id) => /^(@[^/]+\/)?[^/]+/.exec(id)![0]);
    expect(new Set(needed)).toEqual(
      new Set(['@apollo/client', '@vue/apollo-composable', 'graphql', 'graphql-ws', 'vue']),
    );
    const mandatory = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
    expect(mandatory.sort()).toEqual(['graphql-ws', 'pinia', 'vue']);
  });
});

test('the public types are what they were', async () => {
  const tsc = fileURLToPath(new URL('../../node_modules/@typescript/native/bin/tsc', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    tsc,
    '--noEmit',
    '-p',
    `${root}tests/types`,
  ]).catch((failed: { stdout: string }) => failed);
  expect(stdout).toBe('');
});

test('web/reel holds no component, no style, and imports nothing but its peers', () => {
  const files = globSync('web/reel/**/*', { cwd: root, withFileTypes: true }).filter((file) => file.isFile());
  for (const { name, parentPath } of files) {
    expect(name).toMatch(/\.(ts|json|graphql)$/);
    const source = readFileSync(`${parentPath}/${name}`, 'utf8');
    for (const [, id = ''] of source.matchAll(/(?:from|import\()\s*'([^']+)'/g))
      expect(
        id.startsWith('./') ||
          (isPeer(id) && (name === 'apollo.ts' || !/apollo|^graphql$|typed-document/.test(id))),
        `${name}: ${id}`,
      ).toBe(true);
    if (name.endsWith('.ts') && name !== 'wire.ts')
      expect(source.replace(/\/\*.*?\*\/|\/\/.*/gs, '').match(/\b[a-z]+_[a-z]+\b/g), name).toBeNull();
  }
  expect(manifest().sideEffects).toBe(false);
});

test('no file of web/reel or web/stage imports itself by way of others', () => {
  const imports = globSync('web/{reel,stage}/**/*.{ts,vue}', { cwd: root }).flatMap((from) =>
    [...readFileSync(`${root}${from}`, 'utf8').matchAll(/(?:from|import|import\()\s*'(\.[^']+)'/g)].map(
      ([, path = '']) => ({ from, to: join(dirname(from), path).replace(/\.js$/, '.ts') }),
    ),
  );
  // What is on no circle falls away from either end.
  let circular = imports;
  for (let size = 0; size !== circular.length; ) {
    size = circular.length;
    circular = circular.filter(
      (each) => circular.some(({ from }) => from === each.to) && circular.some(({ to }) => to === each.from),
    );
  }
  expect(circular).toEqual([]);
});

describe('messages', () => {
  const words = (messages: object, path = ''): string[] =>
    Object.entries(messages).flatMap(([key, value]) =>
      typeof value === 'string' ? [`${path}${key}`] : words(value as object, `${path}${key}.`),
    );

  test('both locales have the same messages, none empty', async () => {
    expect(words(reelMessages['pt-BR'])).toEqual(words(reelMessages.en));
    expect(await loadReelMessages('pt-BR')).toEqual(reelMessages['pt-BR']);
    expect(await loadReelMessages('en')).toEqual(reelMessages.en);
    await expect(loadReelMessages('de' as 'en')).rejects.toThrow(/en and pt-BR, got de/);
  });

  test.each(['en', 'pt-BR'] as const)(
    '%s has words for every action, severity and error, and vue-i18n reads them',
    (locale) => {
      const { t, te } = createI18n({ legacy: false, locale, messages: { ...reelMessages } }).global;
      const keys = [
        ...REEL_ACTIONS.flatMap(({ labelKey, descriptionKey }) => [labelKey, descriptionKey]),
        ...Object.keys(ERROR_STATUS).map((code) => `reel.errors.${code}`),
        ...['NETWORK', 'ABORTED', 'INTERNAL_SERVER_ERROR'].map((code) => `reel.errors.${code}`),
        ...['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'].map((severity) => `reel.severities.${severity}`),
        ...['connecting', 'live', 'behind', 'stopped'].map((state) => `reel.tail.${state}`),
      ];
      for (const key of keys) expect(te(key), key).toBe(true);
      for (const key of words(reelMessages[locale]))
        expect(t(key, { n: 2, page: 1, pages: 2, time: '10:00' }), key).not.toMatch(/[{}|]/);
    },
  );
});
