/**
 * Makes the package reel-client in dist/reel-client of what tsc compiled into dist/client: one file of CommonJS, which ESM
 * imports too, so that a process that loads it both ways has one request context; and types for either. Run by Node itself.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build, type Rolldown } from 'vite';

const root = resolve(import.meta.dirname, '..', '..');
const [compiled, target] = [join(root, 'dist', 'client'), join(root, 'dist', 'reel-client')];

async function bundle(): Promise<Rolldown.OutputChunk> {
  const built = await build({
    configFile: false,
    root,
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      target: 'node20',
      lib: { entry: join(compiled, 'index.js'), formats: ['cjs'] },
      rolldownOptions: { external: /^node:/ },
    },
  });
  const [chunk] = [built].flat().flatMap((each) => ('output' in each ? each.output : []));
  if (chunk?.type !== 'chunk') throw new Error('expected one file, got none');
  return chunk;
}

/** The declarations that those of the entry point lead to. */
function declarations(name: string, found = new Map<string, string>()): Map<string, string> {
  const text = readFileSync(join(compiled, `${name}.d.ts`), 'utf8');
  found.set(name, text);
  for (const [, next] of text.matchAll(/from '\.\/([\w-]+)\.js'/g))
    if (!found.has(next!)) declarations(next!, found);
  return found;
}

const { code, exports } = await bundle();
rmSync(target, { recursive: true, force: true });
mkdirSync(join(target, 'types'), { recursive: true });
writeFileSync(join(target, 'index.cjs'), code);
writeFileSync(
  join(target, 'index.js'),
  `import client from './index.cjs';\n\nexport const { ${[...exports].sort().join(', ')} } = client;\n`,
);
for (const [name, text] of declarations('index')) {
  writeFileSync(join(target, 'types', `${name}.d.ts`), text);
  writeFileSync(join(target, 'types', `${name}.d.cts`), text.replace(/(from '\.\/[\w-]+)\.js'/g, "$1.cjs'"));
}
copyFileSync(join(root, 'LICENSE'), join(target, 'LICENSE'));
const { version, license, author } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const condition = (kind: string, types: string) => ({
  types: `./types/index.${types}`,
  default: `./index.${kind}`,
});
const manifest = {
  name: 'reel-client',
  version,
  description:
    'Records what modules do in Reel, the audit trail of a multi-tenant platform, and loses none of it.',
  license,
  author,
  type: 'module',
  engines: { node: '>=20' },
  exports: {
    '.': { import: condition('js', 'd.ts'), require: condition('cjs', 'd.cts') },
    './package.json': './package.json',
  },
  files: ['index.js', 'index.cjs', 'types', 'LICENSE'],
};
writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
