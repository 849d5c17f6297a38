/**
 * Run in a host by `deploy.sh --be-target` once the package is installed there: whether the router starts with the host's
 * own Fastify, graphql and type-graphql. With REEL_DATABASE_URL on the database, too; without it everything up to there.
 * Exit code 1, and one line that says why, where it does not.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { readConfig } from '../config/config.js';
import { oneLineFault, StartError } from '../errors.js';
import { buildReelSchema } from '../graphql/schema.js';
import { router } from '../router.js';

/** Where nobody listens. */
const NOWHERE = 'postgres://reel@127.0.0.1:1/none';

const host = createRequire(join(process.cwd(), 'package.json'));
const secret = () => randomUUID() + randomUUID();
const directory = await mkdtemp(join(tmpdir(), 'reel-check-'));
try {
  buildReelSchema();
  const { default: Fastify } = (await import(pathToFileURL(host.resolve('fastify')).href)) as {
    default: () => FastifyInstance;
  };
  const { REEL_DATABASE_URL: given } = process.env;
  const config = readConfig({
    REEL_DATABASE_URL: given ?? NOWHERE,
    REEL_JWT_SECRET: secret(),
    REEL_SERVICE_SECRET: secret(),
    REEL_DATA_DIR: directory,
  });
  const app = Fastify();
  try {
    await app.register(router, { prefix: '/audit', config, viewer: true });
    await app.ready();
  } catch (error) {
    if (given !== undefined || !(error instanceof StartError)) throw error;
    if (!error.message.startsWith('REEL_DATABASE_URL: expected a PostgreSQL reachable')) throw error;
  } finally {
    await app.close().catch(() => {});
  }
} catch (error) {
  process.stderr.write(`${oneLineFault(error)}\n`);
  process.exitCode = 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}
