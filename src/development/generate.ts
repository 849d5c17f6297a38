/** Writes the generated files, or with `--check` compares them without writing: `node dist/development/generate.js [--check]`. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { CommandContext } from '../cli/context.js';
import { createProgram } from '../cli/program.js';
import { buildReelSchema, printReelSchema } from '../graphql/schema.js';
import { commandsPage } from './commands-page.js';
import { graphqlPage } from './graphql-page.js';
import { openApiPage } from './openapi-page.js';
import { settingsTable } from './settings-table.js';

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

const MARK = '<!-- Below this line: written by npm run gen. -->\n';

/** Writes what follows the mark in a page whose beginning is written by hand. */
function generateBelow(file: string, text: string): void {
  const [head, ...rest] = read(join(root, file)).split(MARK);
  if (rest.length !== 1) throw new Error(`${file}: expected one line ${MARK.trim()}, got ${rest.length}`);
  generate(file, `${head}${MARK}\n${text}`);
}

/** Runs GraphQL Code Generator as codegen.yml says. */
function generateOperations(): void {
  const { status, stdout, stderr, error } = spawnSync(
    join(root, 'node_modules', '.bin', 'graphql-codegen'),
    ['--config', 'codegen.yml', ...(check ? ['--check'] : [])],
    { cwd: root, encoding: 'utf8' },
  );
  if (status === 0) return;
  const output = `${stdout ?? ''}${stderr ?? ''}`;
  const files = /stale files.*\n((?: +- \S+\n)+)/.exec(output)?.[1];
  if (files) stale.push(...files.trim().split(/\s*- /).slice(1));
  else {
    process.stderr.write(`${output}${error?.message ?? ''}\n`);
    process.exit(1);
  }
}

generate('schema.graphql', printReelSchema());
generate('openapi.json', openApiPage());
generateBelow('docs/graphql.md', graphqlPage(buildReelSchema()));
generateBelow('docs/commands.md', commandsPage(await createProgram({} as CommandContext)));
generateBelow('docs/settings.md', settingsTable());
if (existsSync(join(root, 'codegen.yml'))) generateOperations();

if (stale.length > 0) {
  process.stderr.write(`out of date: ${stale.join(', ')} (run: npm run gen)\n`);
  process.exit(1);
}
