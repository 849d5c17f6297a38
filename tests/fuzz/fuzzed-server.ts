/** The server that is fuzzed: in a process of its own, with some entries, and asked how long it held its event loop. */
import { fork } from 'node:child_process';
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { issueModuleToken, issuePersonToken } from '../../src/auth/token.js';
import { settingsOf } from '../support/cli.js';
import { createDatabase } from '../support/postgres.js';
import { grant } from '../support/reel.js';
import type { World } from './targets.js';

export interface FuzzedServer {
  origin: string;
  world: World;
  /** The longest hold of its loop, in milliseconds of CPU time, since it was last asked. */
  longestHold(): Promise<number>;
  isRunning(): boolean;
  close(): Promise<void>;
}

/** Longer than a loop may be held on any machine. */
const HELD_MS = 10_000;

export async function startFuzzedServer(): Promise<FuzzedServer> {
  const own = await createDatabase();
  const [jwtSecret, serviceSecret] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
  const { privateKey } = generateKeyPairSync('ed25519');
  const others = Object.entries(process.env).filter(([name]) => !/^(?:REEL_|VITEST|NODE_OPTIONS)/.test(name));
  const child = fork(join(import.meta.dirname, 'server.ts'), {
    env: {
      ...Object.fromEntries(others),
      ...settingsOf(own),
      REEL_PORT: '0',
      REEL_JWT_SECRET: jwtSecret,
      REEL_SERVICE_SECRET: serviceSecret,
      REEL_ENV: 'production',
      REEL_SIGNING_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      REEL_ORIGIN: 'audit.example.com',
      REEL_AUDIT_READS: 'off',
      REEL_SEARCH_MS: '300',
    },
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [{ url: origin }] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`expected a server, it ended with ${code}`);
    }),
  ])) as [{ url: string }];

  const tenantId = randomUUID();
  const clientId = randomUUID();
  const grants = [
    grant(tenantId, 'reel.logs.view:ACCOUNT'),
    grant(tenantId, `reel.logs.export:CLIENT:${clientId}`),
  ];
  const person = await issuePersonToken(jwtSecret, { id: randomUUID(), email: 'ana@example.com', grants });
  const module = await issueModuleToken(serviceSecret, '*');
  const ask = async <T>(token: string, query: string, variables: object = {}): Promise<T> => {
    const response = await fetch(`${origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
    });
    return ((await response.json()) as { data: T }).data;
  };
  const inputs = Array.from({ length: 60 }, (_, n) => ({
    ...{
      module: ['guardian', 'billing'][n % 2],
      action: `users.a${n % 5}`,
      severity: 'ERROR',
      tenantId,
      clientId,
    },
    ...{ actorId: `actor-${n % 7}`, actorEmail: 'ana@example.com', ipAddress: `10.0.0.${n}` },
    data: { before: { n, text: 'x' }, after: { n: n + 1, list: [1, { a: null }] } },
  }));
  const create = 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }';
  await ask(module, create, { inputs });
  const { logs } = await ask<{ logs: { edges: { cursor: string }[] } }>(
    person,
    '{ logs(first: 10) { edges { cursor } } }',
  );
  const exportAs = async (format: string) => {
    const query = `mutation { exportLogs(input: { format: ${format} }) { downloadUrl } }`;
    return (await ask<{ exportLogs: { downloadUrl: string } }>(person, query)).exportLogs.downloadUrl;
  };
  const links = [await exportAs('CSV'), await exportAs('NDJSON')];
  const cursors = logs.edges.map(({ cursor }) => cursor);

  return {
    origin,
    world: { tenantId, person, module, cursors, links, jwtSecret, serviceSecret },
    longestHold: async () => {
      child.send('longest');
      const [{ longest }] = (await once(child, 'message', { signal: AbortSignal.timeout(HELD_MS) }).catch(
        () => {
          throw new Error(`the server says nothing for ${HELD_MS} ms`);
        },
      )) as [{ longest: number }];
      return longest;
    },
    isRunning: () => child.exitCode === null && child.signalCode === null,
    close: async () => {
      const ended = once(child, 'exit');
      if (child.exitCode === null) child.disconnect();
      await ended;
      await own.drop();
    },
  };
}
