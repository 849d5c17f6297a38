import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { follow } from '../../docs/examples/follow.js';
import { issueModuleToken, issuePersonToken } from '../../src/auth/token.js';
import { readConfig } from '../../src/config/config.js';
import { buildReelSchema } from '../../src/graphql/schema.js';
import { parseQueryLine } from '../../src/query-line/parse.js';
import { printQueryLine } from '../../src/query-line/print.js';
import { settingsOf } from '../support/cli.js';
import {
  grant,
  JWT_SECRET,
  moduleToken,
  person,
  SERVICE_SECRET,
  startReel,
  type TestReel,
} from '../support/reel.js';
import { difference } from './answers.js';
import { type Block, blocksOf, labelled, PAGES } from './pages.js';
import { openShell, type Shell } from './shell.js';

/** Ids that stand in the docs, as the welcome of `npm start` has them. */
const TENANT = '0196f2f0-0000-7000-8000-00000000a001';
const CLIENT = '0196f2f0-0000-7000-8000-00000000c001';

/** Shell blocks that run elsewhere, or would install and start Reel once more. */
const ELSEWHERE: Record<string, (block: Block) => boolean> = {
  'docs/trust.md': () => true,
  'README.md': ({ text }) => text.startsWith('npm ci'),
  // tests/cli/actions.test.ts pushes the file.
  'docs/clients.md': ({ text }) => text.startsWith('reel actions push'),
  // tests/docs/streams.test.ts runs its receiver.
  'docs/streams.md': () => true,
};

const isRun = (page: string) => (block: Block) =>
  (block.language === 'sh' || block.language === 'js') && !ELSEWHERE[page]?.(block);

let reel: TestReel;
let shell: Shell;
beforeAll(async () => {
  shell = await openShell();
  reel = await startReel({ REEL_DATA_DIR: shell.directory });
  Object.assign(shell.env, settingsOf(reel.own), {
    REEL_URL: reel.url,
    REEL_JWT_SECRET: JWT_SECRET,
    REEL_SERVICE_SECRET: SERVICE_SECRET,
    MODULE_TOKEN: await moduleToken(),
  });
});
afterAll(async () => {
  await reel?.close();
  await shell?.close();
});

/** A tenant of the page's own, and a person who views it and exports its one client. */
async function enter(tenantId: string, clientId: string): Promise<void> {
  const grants = [
    grant(tenantId, 'reel.logs.view:ACCOUNT'),
    grant(tenantId, `reel.logs.export:CLIENT:${clientId}`),
  ];
  Object.assign(shell.env, {
    TENANT: tenantId,
    CLIENT: clientId,
    ACTOR: randomUUID(),
    REEL_TOKEN: await person({ grants }),
  });
}

/** Waits until nothing is left to seal. */
const sealed = () =>
  expect
    .poll(() => reel.own.query('select from reel_log_inbox limit 1'), { timeout: 60_000, interval: 50 })
    .toEqual([]);

/** A reader of a stream who has enough is noticed at the next that is written: at this entry, and not at a sign of life twelve seconds later. */
async function whileEntriesCome<T>(work: Promise<T>): Promise<T> {
  const entry = { module: 'billing', action: 'invoices.issue', tenant_id: shell.env.TENANT };
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await reel.rest(shell.env.MODULE_TOKEN!, 'POST', '/logs', entry);
    await Promise.race([done.catch(() => {}), setTimeout(250)]);
  }
  return done;
}

async function outputOf({ language, text }: Block): Promise<string> {
  if (language === 'sh') return (await shell.run(text.replaceAll('http://127.0.0.1:4000', reel.url))).stdout;
  await writeFile(join(shell.directory, 'example.mjs'), text);
  return (await shell.run('node example.mjs')).stdout;
}

const ran = PAGES.filter((page) => blocksOf(page).some(isRun(page)));

test.each(ran)('the examples of %s run as they stand and print what they say', async (page) => {
  await (page === 'README.md' ? enter(TENANT, CLIENT) : enter(randomUUID(), randomUUID()));
  // Its commands look at a log that has something.
  if (page === 'docs/operations.md') {
    const entry = { module: 'billing', action: 'invoices.issue', tenant_id: shell.env.TENANT };
    await reel.rest(shell.env.MODULE_TOKEN!, 'POST', '/logs', entry);
    await sealed();
  }
  const blocks = blocksOf(page);
  for (const [index, block] of blocks.entries()) {
    if (!isRun(page)(block)) continue;
    const isEndless = /\bcurl -sN\b/.test(block.text);
    const output = await (isEndless ? whileEntriesCome(outputOf(block)) : outputOf(block));
    await sealed();
    const next = blocks[index + 1];
    if (!next?.follows) continue;
    if (next.language === 'json') expect(difference(JSON.parse(next.text), JSON.parse(output))).toBeNull();
    if (next.language === 'text')
      expect(difference(next.text.split('\n'), output.replaceAll('\r', '').split('\n'))).toBeNull();
  }
});

test('every JSON, GraphQL and query line block is well formed', () => {
  const schema = buildReelSchema();
  for (const page of PAGES)
    for (const { language, text } of blocksOf(page)) {
      if (language === 'json') JSON.parse(text);
      if (language === 'graphql') expect(validate(schema, parse(text))).toEqual([]);
      if (language === 'query') {
        const parsed = parseQueryLine(text.trim(), { now: new Date() });
        expect(printQueryLine(parsed.terms)).toBe(text.trim());
      }
    }
});

describe('docs/tokens.md', () => {
  interface Claims {
    sub: string;
    email: string;
    name?: string;
    tenants?: string[];
    grants?: { action: string; scope: 'ACCOUNT' | 'CLIENT'; tenant_id: string; client_id?: string }[];
    module: string;
  }
  /** The claims as they stand, but for the times. */
  function claims(label: string): Claims {
    const { iat, exp, ...rest } = JSON.parse(labelled('docs/tokens.md', label));
    expect(exp - iat).toBe(8 * 60 * 60);
    return rest;
  }
  function tokenOf(label: string): Promise<string> {
    const { sub, grants = [], ...rest } = claims(label);
    const read = grants.map(({ action, scope, tenant_id, client_id = null }) => ({
      ...{ action, scope, tenantId: tenant_id, clientId: client_id },
    }));
    return issuePersonToken(JWT_SECRET, { ...rest, id: sub, grants: read });
  }

  test('the person views the tenant and exports the client', async () => {
    const token = await tokenOf('person');
    const list = await reel.rest(token, 'GET', '/logs');
    expect(list.status).toBe(200);
    const prepared = await reel.rest(token, 'POST', '/logs/export', {});
    expect(prepared.status).toBe(200);
    const [own] = await reel.own.query(
      "select actor_name, resource_id from reel_log_entries where tenant_id = $1 and action = 'reel.logs.exported'",
      [TENANT],
    );
    expect(own).toEqual({ actor_name: 'Ana Souza', resource_id: CLIENT });
  });

  test('the member reports actions, and reads nothing', async () => {
    const token = await tokenOf('member');
    const made = await reel.rest(token, 'POST', '/logs', { module: 'web', action: 'pages.open' });
    expect(made).toMatchObject({
      status: 201,
      body: { origin: 'BROWSER', tenant_id: TENANT, actor_email: 'bruno@example.com' },
    });
    expect((await reel.rest(token, 'GET', '/logs')).status).toBe(403);
  });

  test('the module writes as itself alone', async () => {
    const token = await issueModuleToken(SERVICE_SECRET, claims('module').module);
    const entry = { action: 'users.create', tenant_id: TENANT };
    expect((await reel.rest(token, 'POST', '/logs', { module: 'guardian', ...entry })).status).toBe(201);
    expect((await reel.rest(token, 'POST', '/logs', { module: 'billing', ...entry })).status).toBe(403);
  });
});

test('Mentor is asked, and answers, as docs/access.md says', async () => {
  const asked: { url: string | undefined; authorization: string | undefined; accept: string | undefined }[] =
    [];
  const mentor = createServer(({ url, headers: { authorization, accept } }, response) => {
    asked.push({ url, authorization, accept });
    response.setHeader('content-type', 'application/json').end(labelled('docs/access.md', 'mentor'));
  }).listen(0, '127.0.0.1');
  await once(mentor, 'listening');
  const { port } = mentor.address() as AddressInfo;
  const other = await startReel({ REEL_MENTOR: 'http', REEL_MENTOR_URL: `http://127.0.0.1:${port}/` });
  try {
    const token = await person();
    const headers = { 'X-Tenant-Id': TENANT };
    expect((await other.rest(token, 'GET', '/logs')).status).toBe(422);
    expect((await other.rest(token, 'GET', '/logs', undefined, headers)).status).toBe(200);
    expect((await other.rest(token, 'POST', '/logs/export', {}, headers)).status).toBe(200);
    expect(asked).toEqual([
      { url: `/?tenant_id=${TENANT}`, authorization: `Bearer ${token}`, accept: 'application/json' },
    ]);
    const [request] = blocksOf('docs/access.md').filter(({ language }) => language === 'http');
    expect(request!.text.split('\n')[0]).toBe(`GET ${asked[0]!.url} HTTP/1.1`);
  } finally {
    await other.close();
    mentor.close();
  }
});

test('the settings of a production server in docs/settings.md are enough', async () => {
  const [block] = blocksOf('docs/settings.md').filter(({ language }) => language === 'dotenv');
  const { stdout: pem } = await shell.run('reel key --new');
  const file = join(shell.directory, 'signing-key.pem');
  await writeFile(file, pem);
  const lines = block!.text.trim().split('\n');
  const settings = Object.fromEntries(
    lines.map((line) => {
      const [name = '', value = ''] = line.split(/=(.*)/s);
      return [name, value.replace(/^file:.*/, `file:${file}`).replace('…', name.padEnd(40, '.'))];
    }),
  );
  expect(readConfig(settings)).toMatchObject({ env: 'production', origin: 'audit.example.com' });
  for (const name of Object.keys(settings))
    if (name !== 'REEL_ENV' && name !== 'REEL_HOST')
      expect(() => readConfig({ ...settings, [name]: '' })).toThrow(name);
});

test('docs/examples/follow.ts resumes after the last entry, and throws what is refused', async () => {
  const tenantId = randomUUID();
  const input = { module: 'guardian', tenantId };
  for (const action of ['users.create', 'users.update'])
    await reel.graphql(
      await moduleToken(),
      'mutation ($i: CreateLogInput!) { createLog(input: $i) { id } }',
      {
        i: { ...input, action },
      },
    );
  const viewer = await person({ grants: [grant(tenantId, 'reel.logs.view:ACCOUNT')] });
  const followed = follow(reel.url, viewer, 1);
  expect((await followed.next()).value).toEqual({ sequence: 2, action: 'users.update' });
  await followed.return(undefined);
  const refused = follow(reel.url, await person({ tenants: [tenantId] }), 0);
  await expect(refused.next()).rejects.toThrow('FORBIDDEN');
});
