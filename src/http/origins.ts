import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import { StartError } from '../errors.js';

/** What answers of Reel's a page of another origin may read. */
const EXPOSED = [
  'Retry-After',
  'Content-Disposition',
  'Location',
  'Idempotent-Replayed',
  'X-Request-Id',
  'RateLimit',
  'RateLimit-Policy',
];
/** By which @fastify/cors can be told. */
const MARK = 'corsPreflightEnabled';

/**
 * Lets pages of these origins call Reel. A host's own rules, which hold for its whole server, are left to decide: of those that
 * come later the start says so. `paths`: where Reel answers, below the app's prefix.
 */
export async function allowOrigins(
  app: FastifyInstance,
  origins: readonly string[],
  paths: readonly string[],
): Promise<void> {
  if (app.hasRequestDecorator(MARK)) return;
  app.addHook('onReady', async () => {
    if (!hostsOf(app).some((host) => host.hasRequestDecorator(MARK))) return;
    // Its hook runs behind those that refuse calls.
    const expected = 'expected @fastify/cors registered before Reel, got it after';
    if (origins.length > 0)
      throw new StartError(`REEL_ALLOWED_ORIGINS: ${expected}: only one of them can decide`);
    app.log.warn({}, `${expected}: calls that Reel refuses are answered without its headers`);
  });
  if (origins.length === 0) return;
  const options = { origin: [...origins], methods: ['GET', 'POST'], exposedHeaders: EXPOSED };
  // Of a plug-in below no prefix OPTIONS * would be of the whole server, and the host's own could not stand beside it.
  const scope = app.prefix === '' ? (Object.create(app) as FastifyInstance) : app;
  if (scope !== app)
    scope.options = ((_everything: string, ...rest: [object, never]) => {
      for (const path of paths) app.options(path, ...rest);
      return app;
    }) as FastifyInstance['options'];
  await new Promise<void>((done, fail) => cors(scope, options, (error) => (error ? fail(error) : done())));
}

/** The instances within which this one stands: each is the prototype of the next. */
function hostsOf(app: FastifyInstance): FastifyInstance[] {
  const found: FastifyInstance[] = [];
  for (
    let at = Object.getPrototypeOf(app);
    typeof at?.hasRequestDecorator === 'function';
    at = Object.getPrototypeOf(at)
  )
    found.push(at);
  return found;
}
