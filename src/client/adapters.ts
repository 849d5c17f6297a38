/** The entry point `reel/client/adapters`: what ties a client to Fastify, Express, MikroORM and prom-client. */

export { registerMetrics } from './metrics.js';
export { type EntityChange, entityChanges } from './mikro-orm.js';
export { expressContext, fastifyContext, type IncomingRequest } from './requests.js';
