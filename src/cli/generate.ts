/** Writes the generated files, or with `--check` compares them without writing: `node dist/cli/generate.js [--check]`. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { printReelSchema } from '../graphql/schema.js';
import { settingsPage } from './settings-table.js';

const root = resolve(import.meta.dirname, '..', '..');
const check = process.argv.includes('--check');
const stale: string[] = [];

const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

function generate(file: string, text: string): void {
  const path = join(root, file);
  if (read(path) === text) return;
  if (check) stale.push(file);
  else {
    writeFileSync(path, text);
    process.stderr.write(`wrote ${file}\n`);
  }
}

/** By GraphQL Code Generator, of schema.graphql and operations.graphql. */
function generateOperations(file: string): void {
  const before = read(join(root, file));
  const { status, stdout, stderr, error } = spawnSync(
    join(root, 'node_modules', '.bin', 'graphql-codegen'),
    ['--config', 'codegen.yml', ...(check ? ['--check'] : [])],
    { cwd: root, encoding: 'utf8' },
  );
  const said = `${stdout ?? ''}${stderr ?? ''}`;
  if (check && status !== 0 && /changed|stale|differ|check/i.test(said)) stale.push(file);
  else if (status !== 0) {
    process.stderr.write(`${said}${error?.message ?? ''}\n`);
    process.exit(1);
  } else if (read(join(root, file)) !== before) process.stderr.write(`wrote ${file}\n`);
}

generate('schema.graphql', printReelSchema());
generate('docs/settings.md', settingsPage());
if (existsSync(join(root, 'codegen.yml'))) generateOperations('web/reel/generated.ts');

if (stale.length > 0) {
  process.stderr.write(`${stale.join(', ')}: expected what npm run gen writes, got something else\n`);
  process.exit(1);
}
