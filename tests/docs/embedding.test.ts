import { randomUUID } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { FastifyInstance } from 'fastify';
import { type RouterOptions, router } from 'reel';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { PATHS } from '../../src/paths.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { JWT_SECRET, SERVICE_SECRET, viewer } from '../support/reel.js';
import { blocksOf, labelled, pageText, root } from './pages.js';

/** Within the project, so that what is imported there is found. */
const directory = join(root, '.cache', `docs-${randomUUID()}`);
let own: TestDatabase;
beforeAll(async () => {
  await mkdir(directory, { recursive: true });
  own = await createDatabase();
});
afterAll(async () => {
  await own?.drop();
  await rm(directory, { recursive: true, force: true });
});

test('the host of README.md writes in its transaction, and has Reel below its prefix', async () => {
  vi.stubEnv('REEL_DATABASE_URL', own.runtimeUrl);
  vi.stubEnv('REEL_JWT_SECRET', JWT_SECRET);
  vi.stubEnv('REEL_SERVICE_SECRET', SERVICE_SECRET);
  vi.stubEnv('REEL_DATA_DIR', directory);
  const file = join(directory, 'host.ts');
  const source = labelled('README.md', 'host').replace('port: 3000', "host: '127.0.0.1', port: 0");
  await writeFile(file, `${source}\nexport { app, orm };\n`);
  const { app, orm } = (await import(/* @vite-ignore */ file)) as { app: FastifyInstance; orm: MikroORM };
  try {
    const tenantId = randomUUID();
    const made = await app.inject({ method: 'POST', url: '/invoices', payload: { tenantId } });
    expect(made.statusCode).toBe(200);
    const headers = { authorization: `Bearer ${await viewer(tenantId)}` };
    const listed = await app.inject({ url: '/audit/api/v1/reel/logs', headers });
    expect(listed.json()).toMatchObject({ total: 1, items: [{ id: made.json().id }] });
    const payload = { query: '{ logs { nodes { id } } }' };
    const asked = await app.inject({ method: 'POST', url: '/audit/graphql', headers, payload });
    expect(asked.json().data.logs.nodes).toEqual([{ id: made.json().id }]);
    expect((await app.inject('/audit/')).body).toContain('<!doctype html>');
  } finally {
    await app.close();
    await orm.close(true);
    vi.unstubAllEnvs();
  }
});

test('each line of a program in docs/embedding.md stands in one that npm run test:hosts runs, or in an example', () => {
  const programs = globSync(['tests/hosts/*.mjs', 'docs/examples/{host.ts,frame.html}'], { cwd: root })
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');
  const lines = programs.split('\n').map((line) => line.trim());
  const blocks = blocksOf('docs/embedding.md').filter(({ language }) =>
    ['ts', 'js', 'html'].includes(language),
  );
  expect(blocks.length).toBeGreaterThan(2);
  for (const { text } of blocks)
    for (const line of text
      .split('\n')
      .map((each) => each.replace(/ +\/\/ .*$/, '').trim())
      .filter(Boolean))
      expect(lines).toContain(line);
});

test('docs/embedding.md has each path of the router, with where it is', () => {
  for (const [name, path] of Object.entries(PATHS))
    expect(pageText('docs/embedding.md')).toContain(`\`${name}\` (${path}`);
  const options: Record<keyof RouterOptions, true> = { config: true, paths: true, viewer: true };
  for (const name of Object.keys(options)) expect(pageText('docs/embedding.md')).toContain(`| \`${name}\` |`);
  expect(typeof router).toBe('function');
});
