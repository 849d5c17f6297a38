/**
 * Makes the package reel-client in dist/reel-client of what tsc compiled into dist/client: CommonJS, which ESM imports too, so
 * that a process that loads it both ways has one request context; and types for either. Run by Node itself.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'vite';

const root = resolve(import.meta.dirname, '..', '..');
const [compiled, target] = [join(root, 'dist', 'client'), join(root, 'dist', 'reel-client')];
const ENTRIES = ['index', 'mock', 'adapters', 'patterns', 'registrations'];

async function bundle() {
  const built = await build({
    configFile: false,
    root,
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      target: 'node20',
      lib: {
        entry: Object.fromEntries(ENTRIES.map((name) => [name, join(compiled, `${name}.js`)])),
        formats: ['cjs'],
      },
      rolldownOptions: {
        external: /^node:/,
        output: { entryFileNames: '[name].cjs', chunkFileNames: '[name].cjs' },
      },
    },
  });
  return [built]
    .flat()
    .flatMap((each) => ('output' in each ? each.output : []))
    .filter((each) => each.type === 'chunk');
}

/** The declarations that those of the entry points lead to. */
function declarations(name: string, found: Map<string, string>): void {
  const text = readFileSync(join(compiled, `${name}.d.ts`), 'utf8');
  found.set(name, text);
  for (const [, next] of text.matchAll(/from '\.\/([\w-]+)\.js'/g))
    if (!found.has(next!)) declarations(next!, found);
}

const chunks = await bundle();
const types = new Map<string, string>();
for (const name of ENTRIES) declarations(name, types);
rmSync(target, { recursive: true, force: true });
mkdirSync(join(target, 'types'), { recursive: true });
for (const { fileName, name, code, exports, isEntry } of chunks) {
  writeFileSync(join(target, fileName), code);
  const names = [...exports].sort().join(', ');
  const wrapper = `import client from './${fileName}';\n\nexport const { ${names} } = client;\n`;
  if (isEntry) writeFileSync(join(target, `${name}.js`), wrapper);
}
for (const [name, text] of types) {
  writeFileSync(join(target, 'types', `${name}.d.ts`), text);
  writeFileSync(join(target, 'types', `${name}.d.cts`), text.replace(/(from '\.\/[\w-]+)\.js'/g, "$1.cjs'"));
}
copyFileSync(join(root, 'LICENSE'), join(target, 'LICENSE'));

const { version, license, author } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const entryPoint = (name: string) => ({
  import: { types: `./types/${name}.d.ts`, default: `./${name}.js` },
  require: { types: `./types/${name}.d.cts`, default: `./${name}.cjs` },
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
    ...Object.fromEntries(ENTRIES.map((name) => [name === 'index' ? '.' : `./${name}`, entryPoint(name)])),
    './package.json': './package.json',
  },
  files: ['*.js', '*.cjs', 'types'],
};
writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
