import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { Metrics } from './metrics.js';

export interface HealthOptions {
  /** Why no call should be sent here, in a word; null where there is no reason. A rejection is a reason too. */
  unready: () => Promise<string | null>;
  /** Nodes of a cluster that do not answer: calls for other tenants are answered all the same. */
  silentNodes?: () => number;
  /** Null: /metrics does not answer, and requests are not timed. */
  metrics: Metrics | null;
  /** Where they are served; null: not here. */
  metricsPath?: string | null;
  /** Where health is, each below it; null: nowhere. */
  path?: string | null;
}

/**
 * /health/live, /health/ready (503 until ready) and, with metrics, /metrics, or where else they are to be. Times the requests of the routes that are
 * registered after it in the same context or within.
 */
export const health = fp(
  async (app: FastifyInstance, options: HealthOptions) => {
    const { unready, metrics, silentNodes = () => 0 } = options;
    const { path = '/health', metricsPath = '/metrics' } = options;
    if (metrics) timeRequests(app, metrics);
    if (metrics && metricsPath !== null) serveMetrics(app, metrics, metricsPath);
    if (path === null) return;
    app.get(`${path}/live`, async (_request, reply) => {
      reply.header('Cache-Control', 'no-store');
      return { status: 'ok' };
    });
    app.get(`${path}/ready`, async (_request, reply) => {
      const reason = await unready().catch(() => 'database');
      reply.code(reason === null ? 200 : 503).header('Cache-Control', 'no-store');
      if (reason !== null) return { status: 'unavailable', reason };
      return silentNodes() > 0 ? { status: 'ok', silent_nodes: silentNodes() } : { status: 'ok' };
    });
  },
  { name: 'reel-health' },
);

export function serveMetrics(app: FastifyInstance, { registry }: Metrics, path = '/metrics'): void {
  app.get(path, async (_request, reply) => {
    reply.header('Cache-Control', 'no-store').type(registry.contentType);
    return registry.metrics();
  });
}

function timeRequests(app: FastifyInstance, { requestSeconds }: Metrics): void {
  app.addHook('onResponse', async (request, reply) => {
    requestSeconds.observe(
      { method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode },
      reply.elapsedTime / 1000,
    );
  });
}
