/** Which folder may import which, and that no two import each other. Run by itself it prints what is wrong and ends with 1. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..', '..');

const BASE = ['errors', 'config'];
const STORE = [...BASE, 'auth', 'query-line', 'database'];
const CORE = [...STORE, 'log', 'seal'];

/** What each folder of src and web, or file at the top of src, may import beside itself. */
export const MAY_IMPORT: Record<string, readonly string[]> = {
  errors: [],
  config: ['errors'],
  'query-line': [],
  auth: [...BASE, 'query-line'],
  database: [...BASE, 'query-line'],
  log: STORE,
  seal: [...STORE, 'log'],
  verify: CORE,
  http: STORE,
  graphql: [...CORE, 'http'],
  rest: [...CORE, 'http'],
  sample: CORE,
  server: [...CORE, 'http', 'graphql', 'rest'],
  cli: [...CORE, 'verify', 'sample', 'http'],
  development: [...CORE, 'http', 'graphql', 'sample', 'server', 'cli'],
  main: [...BASE, 'development', 'server'],
  index: [...CORE, 'server'],
  'web/reel': [],
  'web/stage': ['web/reel', 'query-line', 'web/precompress.ts'],
  'web/playground': ['web/precompress.ts'],
  'web/precompress.ts': [],
};

/** Folders of which only some files may be imported from elsewhere. */
const PUBLIC_FILES: { from: string; to: string; files: readonly string[] }[] = [
  // Whose data may be seen and who writes; not how that is found out.
  { from: 'log', to: 'auth', files: ['src/auth/scope.ts'] },
  { from: 'web/stage', to: 'web/reel', files: ['web/reel/index.ts'] },
];

/** Files that may read the environment: the settings' own folder, and whatever is started by itself and hands it on. */
const READS_ENVIRONMENT = /^src\/(config\/|main\.ts|cli\/reel\.ts|development\/(build|dev|demo)\.ts)/;

/** The folder in src or web that a file belongs to, such as `log` or `web/stage`, or its name where it stands at the top of src. */
export function areaOf(file: string): string {
  const [top, first = '', ...inner] = file.split('/');
  if (top === 'web') return `web/${first}`;
  return inner.length > 0 ? first : first.replace(/\.ts$/, '');
}

/**
 * The folder itself; files at the top of src stand for themselves, and so do the viewer's, whose components are given the
 * state that is put together from what stands beside them.
 */
export const folderOf = (file: string): string =>
  /^src\/[^/]+$|^web\/stage\//.test(file) ? file : dirname(file);

/** One file of the project imports another. */
export interface Import {
  from: string;
  to: string;
}

export function imports(): Import[] {
  const files = globSync(['src/**/*.ts', 'web/**/*.ts', 'web/**/*.vue'], { cwd: root });
  return files.flatMap((from) => {
    const text = readFileSync(join(root, from), 'utf8');
    const imported = text.matchAll(
      /(?:^|\n)(?:import|export)\s(?:[^;'"]*?\sfrom\s)?['"](\.[^'"]+)['"]|\bimport\(\s*['"](\.[^'"]+)['"]/g,
    );
    return [...imported].map(([, fixed, lazy]) => ({
      from,
      to: normalize(join(dirname(from), (fixed ?? lazy)!)).replace(/\.js$/, '.ts'),
    }));
  });
}

/** Groups of folders that import each other in a circle, each with the files that tie it; `nodeOf` names a file's folder. */
export function cycles(all: readonly Import[], nodeOf: (file: string) => string): string[] {
  const edges = new Map<string, Map<string, string>>();
  for (const { from, to } of all) {
    const [here, there] = [nodeOf(from), nodeOf(to)];
    if (here === there) continue;
    const targets = edges.get(here) ?? new Map<string, string>();
    edges.set(here, targets.set(there, `${from} -> ${to}`));
  }
  const reaches = (start: string, wanted: string): string[] | null => {
    const seen = new Set<string>();
    const queue: { node: string; way: string[] }[] = [{ node: start, way: [] }];
    for (let next = queue.shift(); next; next = queue.shift())
      for (const [target, tie] of edges.get(next.node) ?? []) {
        if (target === wanted) return [...next.way, tie];
        if (!seen.has(target)) queue.push({ node: target, way: [...next.way, tie] });
        seen.add(target);
      }
    return null;
  };
  const found = new Map<string, string>();
  for (const node of edges.keys()) {
    const way = reaches(node, node);
    if (way) found.set([...way].sort().join(), `a cycle of folders: ${way.join(', ')}`);
  }
  return [...found.values()];
}

/** What breaks the rules, a line each. */
export function faults(): string[] {
  const all = imports();
  const found = [...cycles(all, areaOf), ...cycles(all, folderOf)];
  for (const { from, to } of all) {
    const [here, there] = [areaOf(from), areaOf(to)];
    if (here === there) continue;
    const narrow = PUBLIC_FILES.find((each) => each.from === here && each.to === there);
    if (!MAY_IMPORT[here]?.includes(there) || (narrow && !narrow.files.includes(to)))
      found.push(`${from} must not import ${to}`);
  }
  for (const file of globSync('src/query-line/**/*.ts', { cwd: root }))
    if (/\bfrom '(?!\.\/)/.test(readFileSync(join(root, file), 'utf8')))
      found.push(`${file} must import nothing from outside its folder: the viewer is built from it, too`);
  for (const file of globSync('src/**/*.ts', { cwd: root }))
    if (!READS_ENVIRONMENT.test(file) && /process\.env\b/.test(readFileSync(join(root, file), 'utf8')))
      found.push(`${file} must not read the environment`);
  return found;
}

if (process.argv[1] && relative(process.argv[1], import.meta.filename) === '') {
  const lines = faults();
  if (lines.length > 0) console.error(lines.join('\n'));
  process.exit(lines.length > 0 ? 1 : 0);
}
