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

/** What codegen.yml names, by GraphQL Code Generator. */
function generateOperations(): void {
  const { status, stdout, stderr, error } = spawnSync(
    join(root, 'node_modules', '.bin', 'graphql-codegen'),
    ['--config', 'codegen.yml', ...(check ? ['--check'] : [])],
    { cwd: root, encoding: 'utf8' },
  );
  if (status === 0) return;
  const said = `${stdout ?? ''}${stderr ?? ''}`;
  const files = /stale files.*\n((?: +- \S+\n)+)/.exec(said)?.[1];
  if (files) stale.push(...files.trim().split(/\s*- /).slice(1));
  else {
    process.stderr.write(`${said}${error?.message ?? ''}\n`);
    process.exit(1);
  }
}

generate('schema.graphql', printReelSchema());
generate('docs/settings.md', settingsPage());
if (existsSync(join(root, 'codegen.yml'))) generateOperations();

if (stale.length > 0) {
  process.stderr.write(`${stale.join(', ')}: expected what npm run gen writes, got something else\n`);
  process.exit(1);
}
