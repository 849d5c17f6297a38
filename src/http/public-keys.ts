import type { FastifyInstance } from 'fastify';
import { ReelError } from '../errors.js';

export interface ReelKeysOptions {
  /** Verifier keys as C2SP vkeys, newest first. */
  keys: () => Promise<string[]>;
}

/** /.well-known/reel-keys: what anyone checks checkpoints with, one key a line. */
export async function reelKeys(app: FastifyInstance, { keys }: ReelKeysOptions): Promise<void> {
  app.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof ReelError)) throw error;
    if (error.retryAfter !== undefined) reply.header('Retry-After', error.retryAfter);
    return reply.code(error.status).send({ detail: error.message });
  });
  app.get('/.well-known/reel-keys', async (_request, reply) => {
    const lines = (await keys()).map((key) => `${key}\n`).join('');
    return reply
      .type('text/plain; charset=utf-8')
      .header('Cache-Control', 'no-cache')
      .header('X-Content-Type-Options', 'nosniff')
      .send(lines);
  });
}
