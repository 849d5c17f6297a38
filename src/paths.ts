import { StartError } from './errors.js';

/** Where each part answers, below the prefix of the plug-in that it is in; false leaves it out. */
export interface Paths {
  readonly graphql: string | false;
  /** Export links lead below it, so that those stay at its default where it is left out. */
  readonly rest: string | false;
  /** /live and /ready are below it. */
  readonly health: string | false;
  /** Where metrics are on (REEL_METRICS), and not on a port of their own. */
  readonly metrics: string | false;
  /** The public keys. */
  readonly keys: string | false;
}

/** As Reel's own server has them. */
export const PATHS = {
  graphql: '/graphql',
  rest: '/api/v1/reel',
  health: '/health',
  metrics: '/metrics',
  keys: '/.well-known/reel-keys',
} as const satisfies Paths;

const PATH = /^(?:\/[\w.~-]+)+$/;

/** The paths, with the defaults of those that are not given. Errors: StartError. */
export function readPaths(given: Partial<Paths>): Paths {
  const names = Object.keys(PATHS);
  for (const [name, path] of Object.entries(given)) {
    if (!names.includes(name)) throw new StartError(`paths: expected ${names.join(', ')}, got ${name}`);
    if (path !== undefined && path !== false && !(typeof path === 'string' && PATH.test(path)))
      throw new StartError(
        `paths.${name}: expected a path such as /audit/log, or false, got ${JSON.stringify(path)}`,
      );
  }
  const paths: Paths = {
    ...PATHS,
    ...Object.fromEntries(Object.entries(given).filter(([, path]) => path !== undefined)),
  };
  const used = Object.values(paths).filter((path) => path !== false);
  const twice = used.find((path, index) => used.indexOf(path) !== index);
  if (twice !== undefined) throw new StartError(`paths: expected one path for each part, got ${twice} twice`);
  return paths;
}
