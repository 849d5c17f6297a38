/** Checks which folder imports which, and that there are no cycles. Run by itself it prints the violations and exits with 1. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..', '..');

const BASE = ['errors', 'time-slice', 'tracing', 'config'];
const STORE = [...BASE, 'auth', 'query-line', 'database'];
const CORE = [...STORE, 'log', 'seal'];

/** What each folder of src and web, or file at the top of src, may import besides itself. */
export const MAY_IMPORT: Record<string, readonly string[]> = {
  errors: [],
  'time-slice': [],
  tracing: [],
  config: ['errors'],
  'query-line': [],
  auth: [...BASE, 'query-line'],
  database: [...BASE, 'query-line'],
  log: [...STORE, 'client'],
  seal: [...STORE, 'log'],
  verify: CORE,
  stream: CORE,
  http: STORE,
  graphql: [...CORE, 'stream', 'http'],
  rest: [...CORE, 'http'],
  client: [],
  sample: [...CORE, 'client'],
  paths: ['errors'],
  compose: [...CORE, 'stream', 'http', 'graphql', 'rest', 'paths'],
  handler: ['http', 'paths', 'router', 'server'],
  router: [...BASE, 'auth', 'http', 'compose', 'paths'],
  server: [...BASE, 'http', 'compose'],
  cli: [...CORE, 'client', 'verify', 'stream', 'sample', 'http'],
  development: [...CORE, 'http', 'graphql', 'rest', 'sample', 'router', 'server', 'cli', 'paths'],
  main: [...BASE, 'development', 'server'],
  index: [...CORE, 'stream', 'compose', 'paths', 'router', 'handler', 'server'],
  'web/reel': [],
  'web/stage': ['web/reel', 'query-line', 'web/precompress.ts'],
  'web/playground': ['web/precompress.ts'],
  'web/precompress.ts': [],
};

/** Folders of which only some files may be imported from elsewhere. */
const PUBLIC_FILES: { from: string; to: string; files: readonly string[] }[] = [
  // Whose data may be seen and who writes, not how that is determined.
  { from: 'log', to: 'auth', files: ['src/auth/scope.ts'] },
  // What is redacted before it is sent is redacted the same before it is stored.
  { from: 'log', to: 'client', files: ['src/client/redact.ts'] },
  { from: 'web/stage', to: 'web/reel', files: ['web/reel/index.ts'] },
];

/** Files that may read the environment: the settings' folder, and entry points, which pass it on. */
const READS_ENVIRONMENT =
  /^src\/(config\/|main\.ts|cli\/reel\.ts|development\/(build|check-host|dev|demo)\.ts)/;

/** The folder in src or web that a file belongs to, such as `log` or `web/stage`, or its name if it is at the top of src. */
export function areaOf(file: string): string {
  const [top, first = '', ...inner] = file.split('/');
  if (top === 'web') return `web/${first}`;
  return inner.length > 0 ? first : first.replace(/\.ts$/, '');
}

/**
 * The folder itself. Files at the top of src count as folders of their own, and so do the viewer's, whose components are
 * passed state that is assembled from the files beside them.
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

/** Groups of folders that import each other in a cycle, each with the imports that form it; `nodeOf` names a file's folder. */
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
    const queue: { node: string; path: string[] }[] = [{ node: start, path: [] }];
    for (let next = queue.shift(); next; next = queue.shift())
      for (const [target, edge] of edges.get(next.node) ?? []) {
        if (target === wanted) return [...next.path, edge];
        if (!seen.has(target)) queue.push({ node: target, path: [...next.path, edge] });
        seen.add(target);
      }
    return null;
  };
  const found = new Map<string, string>();
  for (const node of edges.keys()) {
    const path = reaches(node, node);
    if (path) found.set([...path].sort().join(), `a cycle of folders: ${path.join(', ')}`);
  }
  return [...found.values()];
}

/** Violations of the rules, one per line. */
export function violations(): string[] {
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
  const lines = violations();
  if (lines.length > 0) console.error(lines.join('\n'));
  process.exit(lines.length > 0 ? 1 : 0);
}
