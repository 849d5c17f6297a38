import type { FastifyInstance } from 'fastify';
import { ReelError } from '../errors.js';
import { sharedCall } from './shared-call.js';

export interface ReelKeysOptions {
  /** Verifier keys as C2SP vkeys, newest first. */
  keys: () => Promise<string[]>;
  /** Default: /.well-known/reel-keys. */
  path?: string;
}

/** Anybody may ask, and each time the database would be, and signatures checked. */
const SHARED_MS = 1_000;

/** /.well-known/reel-keys: what anyone checks checkpoints with, one key a line. */
export async function reelKeys(
  app: FastifyInstance,
  { keys, path = '/.well-known/reel-keys' }: ReelKeysOptions,
): Promise<void> {
  app.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof ReelError)) throw error;
    if (error.retryAfter !== undefined) reply.header('Retry-After', error.retryAfter);
    return reply.code(error.status).send({ detail: error.message });
  });
  const lines = sharedCall(async () => (await keys()).map((key) => `${key}\n`).join(''), SHARED_MS);
  app.get(path, async (_request, reply) =>
    reply
      .type('text/plain; charset=utf-8')
      .header('Cache-Control', 'no-cache')
      .send(await lines()),
  );
}
