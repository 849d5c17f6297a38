import { runInContext } from './context.js';
import type { RequestContext } from './entry.js';

/** What Fastify's and Express' requests have in common. */
export interface IncomingRequest {
  /** Fastify's own. */
  id?: unknown;
  /** As the framework determines it: by its own trust of proxies. */
  ip?: string | undefined;
  headers: Record<string, string | string[] | undefined>;
}

type Read<R> = (request: R) => RequestContext;

/**
 * A plug-in for Fastify 5: entries made while a request is answered have its id, address and user agent, and what
 * `read` answers, which is asked when an entry is made, so after whatever authenticates.
 */
export function fastifyContext<R extends IncomingRequest>(read?: Read<R>) {
  const plugin = (
    app: { addHook(name: string, hook: (request: R, reply: unknown, done: () => void) => void): unknown },
    _options: unknown,
    done: () => void,
  ): void => {
    const enter = (request: R, _reply: unknown, next: () => void) =>
      runInContext(contextOf(request, read), next);
    app.addHook('onRequest', enter);
    // Reading the body has left the context.
    app.addHook('preValidation', enter);
    done();
  };
  // As fastify-plugin marks what concerns the whole application.
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
}

/** The same as a middleware for Express, to be used after what reads bodies. */
export const expressContext =
  <R extends IncomingRequest>(read?: Read<R>) =>
  (request: R, _response: unknown, next: () => void): void =>
    runInContext(contextOf(request, read), next);

function contextOf<R extends IncomingRequest>(request: R, read?: Read<R>): () => RequestContext {
  const header = (name: string) => [request.headers[name]].flat()[0];
  return () => ({
    requestId: header('x-request-id') ?? (request.id === undefined ? undefined : String(request.id)),
    ipAddress: request.ip,
    userAgent: header('user-agent'),
    ...read?.(request),
  });
}
