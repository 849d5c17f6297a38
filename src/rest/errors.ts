import { randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { clip, type Fault, ReelError } from '../errors.js';
import { UnsupportedCoding } from '../http/content-encoding.js';
import { rateLimitHeaders } from '../http/rate-limit.js';
import { requestIdOf } from '../http/request-id.js';
import { show } from './fields.js';
import type { RestOptions } from './options.js';
import { faultToWire } from './wire.js';

export const MAX_BODY_BYTES = 1_048_576;

export const JSON_TYPE = /^application\/(?:[\w.!#$&^+-]+\+)?json\s*(?:;|$)/i;

/** Answered as 415. */
export class UnsupportedType extends Error {
  readonly statusCode = 415;

  constructor(expected: string, came: string | undefined) {
    super(`Expected a Content-Type of ${expected}, got ${came === undefined ? 'none' : clip(came)}`);
  }
}

/** All faults of a request as one error. */
export const invalidRequest = (faults: Fault[]): ReelError =>
  new ReelError('BAD_USER_INPUT', faults.map((fault) => fault.msg).join('; '), { faults });

export const invalidId = (text: string): Fault => ({
  type: 'uuid_parsing',
  loc: ['path', 'id'],
  msg: 'Input should be a valid UUID',
  input: show(text),
});

/** Why a call is refused, for who counts: a code in lower case, or `http_` and a status. */
export function reasonOf(error: unknown): string {
  if (error instanceof ReelError) return error.code.toLowerCase();
  if (error instanceof UnsupportedCoding || error instanceof UnsupportedType)
    return `http_${error.statusCode}`;
  return statusOf(error) === 500 ? 'internal_server_error' : `http_${statusOf(error)}`;
}

/** Replies with an error: a ReelError as it is, any other as an id under which it is logged. */
export function sendError(
  log: RestOptions['log'],
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  // An export that fails before its first row has set these already.
  reply.removeHeader('content-disposition');
  reply.type('application/json; charset=utf-8');
  if (error instanceof ReelError) return sendReelError(error, request, reply);
  if (error instanceof UnsupportedCoding || error instanceof UnsupportedType)
    return reply.code(error.statusCode).send({ detail: error.message });
  const status = statusOf(error);
  if (status >= 400 && status < 500) return reply.code(status).send({ detail: refusalOf(status, request) });
  const errorId = randomUUID();
  log.error({ err: error, errorId, requestId: requestIdOf(request.raw) }, 'a REST request failed');
  return reply.code(500).send({ detail: 'Internal server error', error_id: errorId });
}

function sendReelError(error: ReelError, request: FastifyRequest, reply: FastifyReply) {
  if (error.retryAfter !== undefined) reply.header('Retry-After', Math.max(1, Math.ceil(error.retryAfter)));
  if (error.allowance) reply.headers(rateLimitHeaders(error.allowance));
  if (error.code === 'UNAUTHENTICATED') {
    reply.header('WWW-Authenticate', 'Bearer');
    return reply.code(401).send({ detail: 'Not authenticated' });
  }
  if (error.code !== 'BAD_USER_INPUT') return reply.code(error.status).send({ detail: error.message });
  const location = request.method === 'POST' ? 'body' : 'query';
  const faults =
    error.faults.length > 0 ? error.faults : [{ type: 'value_error', loc: [location], msg: error.message }];
  return reply.code(422).send({
    detail: faults.map((fault) => faultToWire({ ...fault, input: show(fault.input) }, location)),
  });
}

/** For what Fastify itself refuses; its own messages may repeat the input. */
function refusalOf(status: number, request: FastifyRequest): string {
  if (status === 413) return `Expected a body of at most ${request.routeOptions.bodyLimit} bytes`;
  if (status === 415) return 'Expected a well-formed Content-Type, such as application/json';
  return 'Expected a well-formed HTTP request';
}

/** The status of an error that Fastify throws while reading a request; 500 for any other. */
function statusOf(error: unknown): number {
  const { statusCode, code } = (error ?? {}) as { statusCode?: unknown; code?: unknown };
  const whileReading = typeof code === 'string' && (code.startsWith('FST_') || code === 'ECONNRESET');
  return whileReading && typeof statusCode === 'number' ? statusCode : 500;
}
