import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { onAccount, takeTurn } from '../time-slice.js';
import { beginCall, type TracedCall, within } from '../tracing.js';
import { requestIdOf } from './request-id.js';
import { careForSockets } from './sockets.js';
import { leavesBodyUnread, stopReading } from './unread-body.js';

/** Bytes of a header. Libraries read most of them, some in time that grows with the square of a list or of white space. */
export const MAX_HEADER_BYTES = 16 * 1024;
const OTHER_BOUNDS: Readonly<Record<string, number>> = {
  // A token, which is only as long as all headers may be, and what nobody reads.
  authorization: Number.POSITIVE_INFINITY,
  cookie: Number.POSITIVE_INFINITY,
  'content-type': 1_024,
};

const DECORATOR = 'reelEdge';

/**
 * What holds for every request and answer of the routes that are registered after it in the same context or within, and for
 * every socket of the server: X-Request-Id, X-Content-Type-Options and Referrer-Policy on each answer, 431 for a header past
 * its bound, turns of the event loop by caller, a span of each call, and a connection that is not read further once a body was refused.
 */
export const edge = fp(
  async (app: FastifyInstance) => {
    if (app.hasDecorator(DECORATOR)) return;
    app.decorate(DECORATOR, true);
    careForSockets(app.server);
    const calls = new WeakMap<object, { account: { key: string }; trace: TracedCall }>();
    const resume = (request: FastifyRequest, done: () => void) => {
      const { account, trace } = calls.get(request.raw)!;
      within(trace.context, () => onAccount(account, done));
    };
    app.addHook('onRequest', (request, _reply, done) => {
      calls.set(request.raw, { account: { key: '' }, trace: beginCall(request.method, request.headers) });
      resume(request, done);
    });
    // What reads a body is called neither on the account of its request nor within its span.
    app.addHook('preHandler', (request, _reply, done) => resume(request, done));
    app.addHook('onResponse', (request, reply, done) => {
      calls.get(request.raw)?.trace.end(request.routeOptions.url ?? '', reply.statusCode);
      done();
    });
    app.addHook('preHandler', () => takeTurn());
    app.addHook('onRequest', async (request, reply) => {
      reply.headers(answerHeaders(requestIdOf(request.raw)));
      const detail = headerFault(request.headers);
      return detail === null ? undefined : reply.code(431).send({ detail });
    });
    app.addHook('onSend', (request, reply, _payload, done) => {
      if (leavesBodyUnread(request.raw)) {
        reply.header('connection', 'close');
        stopReading(request.raw);
      }
      done();
    });
  },
  { name: 'reel-edge' },
);

export const answerHeaders = (requestId: string): Record<string, string> => ({
  'X-Request-Id': requestId,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
});

function headerFault(headers: IncomingHttpHeaders): string | null {
  for (const name in headers) {
    const most = OTHER_BOUNDS[name] ?? MAX_HEADER_BYTES;
    if ((headers[name]?.length ?? 0) > most)
      return `${name.slice(0, 100)}: expected a header of at most ${most} bytes, got ${headers[name]!.length}`;
  }
  return null;
}
