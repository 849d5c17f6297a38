import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withDevelopmentSecrets } from '../../src/auth/secrets.js';
import { readConfig } from '../../src/config/config.js';
import { createReelServer, type ReelServer } from '../../src/server.js';
import { runCommand, startCommand } from '../support/cli.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { JWT_SECRET, moduleToken, person, SERVICE_SECRET, viewer } from '../support/reel.js';

let own: TestDatabase;
let server: ReelServer;
beforeAll(async () => {
  own = await createDatabase();
  server = await serve('0');
});
afterAll(async () => {
  await server?.close();
  await own?.drop();
});

async function serve(port: string): Promise<ReelServer> {
  const secrets = { REEL_JWT_SECRET: JWT_SECRET, REEL_SERVICE_SECRET: SERVICE_SECRET };
  const config = readConfig({ REEL_PORT: port, REEL_DATABASE_URL: own.runtimeUrl, ...secrets });
  return createReelServer(await withDevelopmentSecrets(config));
}

async function write(tenantId: string, count: number): Promise<void> {
  const inputs = Array.from({ length: count }, (_, index) => ({
    module: 'm',
    action: `a.${index % 2}`,
    tenantId,
  }));
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await moduleToken()}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      query: 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
      variables: { inputs },
    }),
  });
  expect((await response.json()).errors).toBeUndefined();
}

const sequences = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { sequence: number }).sequence);

test('tail goes on where it was when its server is gone and comes back: nothing lost, nothing twice', async () => {
  const tenantId = randomUUID();
  await write(tenantId, 20);
  const tail = startCommand(['tail', '--url', server.url, '--token', await viewer(tenantId), '--after', '5']);
  let [out, said] = ['', ''];
  tail.child.stdout?.on('data', (text: string) => (out += text));
  tail.child.stderr?.on('data', (text: string) => (said += text));
  await expect.poll(() => sequences(out).length).toBe(15);
  const { port } = new URL(server.url);
  await server.close();
  await expect.poll(() => said).toContain('resuming after sequence 20');
  server = await serve(port);
  await write(tenantId, 30);
  await expect.poll(() => sequences(out).length).toBe(45);
  expect(sequences(out)).toEqual(Array.from({ length: 45 }, (_, index) => index + 6));
  tail.child.kill('SIGINT');
  expect(await tail.ended).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('resume with --after 50'),
  });
});

test('tail takes the names of a filter', async () => {
  const tenantId = randomUUID();
  await write(tenantId, 6);
  const tail = startCommand([
    'tail',
    '--url',
    server.url,
    '--token',
    await viewer(tenantId),
    '--after',
    '0',
    '--query',
    'action:a.1 since:2000-01-01',
    '--time-zone',
    'America/Sao_Paulo',
    '--not-actor-ids',
    'auth0|*',
  ]);
  let out = '';
  tail.child.stdout?.on('data', (text: string) => (out += text));
  await expect.poll(() => sequences(out)).toEqual([2, 4, 6]);
  tail.child.kill('SIGINT');
  await tail.ended;
});

test('what the server refuses ends it with 2', async () => {
  const tenantId = randomUUID();
  const token = await person({ tenants: [tenantId] });
  const ran = await runCommand(['tail', '--url', server.url, '--token', token, '--after', '0']);
  expect(ran).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('FORBIDDEN') });
  const nobody = await runCommand(['tail', '--url', server.url, '--token', 'nope', '--after', '0']);
  expect(nobody).toMatchObject({ code: 2, stdout: '' });
});
