import { randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Fault, ReelError } from '../errors.js';
import { UnsupportedCoding } from '../http/content-encoding.js';
import { show } from './fields.js';
import type { RestOptions } from './options.js';
import { faultToWire } from './wire.js';

export const MAX_BODY_BYTES = 1_048_576;

/** Every fault of a request at once. */
export const refused = (faults: Fault[]): ReelError =>
  new ReelError('BAD_USER_INPUT', faults.map((fault) => fault.msg).join('; '), { faults });

export const notAnId = (came: string): Fault => ({
  type: 'uuid_parsing',
  loc: ['path', 'id'],
  msg: 'Input should be a valid UUID',
  input: show(came),
});

/** What Fastify itself refuses, in this wire's words; its own may repeat what came. */
const REFUSALS: Readonly<Record<number, string>> = {
  413: `Expected a body of at most ${MAX_BODY_BYTES} bytes`,
  415: 'Expected a Content-Type that is JSON, such as application/json',
};

/** Answers a thrown error: deliberate ones as themselves, all others with an id under which the log has them. */
export function answerError(
  log: RestOptions['log'],
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  // An export that fails before its first row has set these already.
  reply.removeHeader('content-disposition');
  reply.type('application/json; charset=utf-8');
  if (error instanceof ReelError) return answerReelError(error, request, reply);
  if (error instanceof UnsupportedCoding) return reply.code(error.statusCode).send({ detail: error.message });
  const status = statusOf(error);
  if (status >= 400 && status < 500)
    return reply.code(status).send({ detail: REFUSALS[status] ?? 'Expected a well-formed HTTP request' });
  const errorId = randomUUID();
  log.error({ err: error, errorId }, 'a REST request failed');
  return reply.code(500).send({ detail: 'Internal server error', error_id: errorId });
}

function answerReelError(error: ReelError, request: FastifyRequest, reply: FastifyReply) {
  if (error.retryAfter !== undefined) reply.header('Retry-After', Math.max(1, Math.ceil(error.retryAfter)));
  if (error.code === 'UNAUTHENTICATED') {
    reply.header('WWW-Authenticate', 'Bearer');
    return reply.code(401).send({ detail: 'Not authenticated' });
  }
  if (error.code !== 'BAD_USER_INPUT') return reply.code(error.status).send({ detail: error.message });
  const place = request.method === 'POST' ? 'body' : 'query';
  const faults =
    error.faults.length > 0 ? error.faults : [{ type: 'value_error', loc: [place], msg: error.message }];
  return reply.code(422).send({
    detail: faults.map((fault) => faultToWire({ ...fault, input: show(fault.input) }, place)),
  });
}

/** Of errors that Fastify throws while it reads a request; 500 for every other. */
function statusOf(error: unknown): number {
  const { statusCode, code } = (error ?? {}) as { statusCode?: unknown; code?: unknown };
  const whileReading = typeof code === 'string' && (code.startsWith('FST_') || code === 'ECONNRESET');
  return whileReading && typeof statusCode === 'number' ? statusCode : 500;
}
