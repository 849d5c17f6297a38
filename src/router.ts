import type { FastifyInstance } from 'fastify';
import { withDevelopmentSecrets } from './auth/secrets.js';
import { composeReel } from './compose.js';
import type { Config } from './config/config.js';
import { StartError } from './errors.js';
import { loggedRequest } from './http/logged-url.js';
import { pages } from './http/pages.js';
import { PATHS, type Paths, readPaths } from './paths.js';

export interface RouterOptions {
  /** As readConfig makes it; only its database, secrets and rules matter, not where Reel itself would listen. */
  config: Config;
  /** Where each part answers, below the prefix; false leaves it out. */
  paths?: Partial<Paths>;
  /** Whether the viewer is there, at the prefix itself, and the playground where REEL_PLAYGROUND is on. Default: false. */
  viewer?: boolean;
}

/**
 * Reel within a host's own Fastify, a plug-in: its paths, with everything behind them, below the `prefix` that the host
 * registers it with. Closed with the host. Errors, when it is registered: StartError, ConfigError.
 */
export async function router(app: FastifyInstance, options: RouterOptions): Promise<void> {
  const paths = readPaths(options.paths ?? {});
  const { viewer = false } = options;
  if (viewer && (paths.graphql !== PATHS.graphql || paths.keys !== PATHS.keys))
    throw new StartError(
      'viewer: expected GraphQL and the keys at their own paths, which it asks, got others',
    );
  const config = await withDevelopmentSecrets(options.config);
  const reel = await composeReel(config, app.log, { prefix: app.prefix, paths });
  app.addHook('onClose', () => reel.close());
  // The type of Fastify has serializers answer text alone; pino takes any value.
  const logging: object = { logSerializers: { req: loggedRequest } };
  await app.register(reel.router, logging);
  if (viewer) await app.register(pages, config);
}
