/** The doors of the house: which room may know which. Run by itself it prints what is wrong and ends with 1. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** The room of a file: a folder of src or web, or a file at the top of src under its own name. */
export function roomOf(file: string): string {
  const [house, room = '', ...inner] = file.split('/');
  if (house === 'web') return `web/${room}`;
  return inner.length > 0 ? room : room.replace(/\.ts$/, '');
}

const LOWEST = ['errors', 'config', 'setting'];
const TRADE = ['auth', 'log', 'seal', 'database'];
const DOORS_OUT = ['graphql', 'rest', 'pages', 'health', 'reel-keys'];
const TOP = ['server', 'development', 'welcome', 'cli', 'demo'];

/** Who may know whom. A room may always know itself. */
export const DOORS: Record<string, readonly string[]> = {
  errors: [],
  setting: ['errors'],
  config: ['errors', 'setting'],
  'query-line': [],
  auth: LOWEST,
  database: [...LOWEST, 'log'],
  log: [...LOWEST, 'database', 'auth', 'seal', 'query-line'],
  seal: [...LOWEST, 'database', 'log', 'auth'],
  verify: [...LOWEST, 'database', 'log', 'seal', 'rest'],
  request: [...LOWEST, ...TRADE, 'query-line'],
  graphql: [...LOWEST, ...TRADE, 'request'],
  rest: [...LOWEST, ...TRADE, 'request', 'query-line'],
  pages: LOWEST,
  health: LOWEST,
  'reel-keys': LOWEST,
  server: [...LOWEST, ...TRADE, ...DOORS_OUT, 'request'],
  development: [...LOWEST, ...TRADE],
  welcome: [...LOWEST, ...TRADE],
  client: ['errors'],
  cli: [...LOWEST, ...TRADE, ...DOORS_OUT, ...TOP, 'verify', 'request', 'query-line'],
  demo: [...LOWEST, ...TRADE, ...TOP],
  main: [...LOWEST, ...TOP],
  index: [...LOWEST, ...TRADE, 'server', 'client', 'request'],
  build: [],
  dev: [],
  'web/reel': [],
  'web/stage': ['web/reel', 'query-line', 'web/precompress.ts'],
  'web/playground': ['web/precompress.ts'],
  'web/precompress.ts': [],
};

/** Of some rooms only certain files may be known: log takes from auth only whose data may be seen and who writes, from seal only the leaf. */
const NARROW: { from: string; to: string; files: readonly string[] }[] = [
  { from: 'log', to: 'auth', files: ['src/auth/scope.ts'] },
  { from: 'log', to: 'seal', files: ['src/seal/leaf.ts'] },
  { from: 'verify', to: 'rest', files: ['src/rest/proof-bundle.ts', 'src/rest/wire.ts'] },
  { from: 'database', to: 'log', files: ['src/log/log-entry.entity.ts'] },
  { from: 'web/stage', to: 'web/reel', files: ['web/reel/index.ts'] },
];

export interface Passage {
  from: string;
  to: string;
}

/** Every import of one file of the project by another. */
export function passages(): Passage[] {
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

/** What breaks the plan, a line each. */
export function faults(): string[] {
  const found: string[] = [];
  for (const { from, to } of passages()) {
    const [here, there] = [roomOf(from), roomOf(to)];
    if (here === there) continue;
    const open = DOORS[here]?.includes(there) ?? false;
    const narrow = NARROW.find((each) => each.from === here && each.to === there);
    if (!open || (narrow && !narrow.files.includes(to))) found.push(`${from} must not import ${to}`);
  }
  for (const file of globSync('src/query-line/**/*.ts', { cwd: root }))
    if (/\bfrom '(?!\.\/)/.test(readFileSync(join(root, file), 'utf8')))
      found.push(`${file} must import nothing from outside its folder: the viewer is built from it too`);
  const reading = globSync('src/**/*.ts', { cwd: root }).filter(
    (file) =>
      ![
        'src/config.ts',
        'src/main.ts',
        'src/demo.ts',
        'src/cli/reel.ts',
        'src/dev.ts',
        'src/build.ts',
      ].includes(file),
  );
  for (const file of reading)
    if (/process\.env\b/.test(readFileSync(join(root, file), 'utf8')))
      found.push(`${file} must not read the environment`);
  return found;
}

if (process.argv[1] && relative(process.argv[1], import.meta.filename) === '') {
  const lines = faults();
  if (lines.length > 0) console.error(lines.join('\n'));
  process.exit(lines.length > 0 ? 1 : 0);
}
