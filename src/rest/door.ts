import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../auth/caller.js';
import { type Fault, ReelError, unauthenticated } from '../errors.js';
import type { RestOptions } from './options.js';

/** Every path of this wire and what it answers to; of two that fit the first is meant. */
const PLACES = [
  { path: /^\/logs$/, methods: ['GET', 'HEAD', 'POST'], open: false },
  { path: /^\/logs\/stats$/, methods: ['GET', 'HEAD'], open: false },
  { path: /^\/logs\/export$/, methods: ['POST'], open: false },
  { path: /^\/logs\/[^/]+$/, methods: ['GET', 'HEAD'], open: false },
  // The link is its own credential.
  { path: /^\/exports\/[^/]+$/, methods: ['GET'], open: true },
];

/** What a caller was asked at the door, and the answer. */
export interface Passage<T> {
  /** What the caller is let in for; null where that cannot be told for the faults. */
  passed: T | null;
  faults: Fault[];
}

export interface Visit<T> extends Passage<T> {
  /** null where the tenant or client header is at fault. */
  caller: Caller | null;
}

/** Who comes in: the credential before anything else, then the method, then the permission. */
export class Door {
  private readonly visits = new WeakMap<FastifyRequest, Visit<unknown>>();

  constructor(
    private readonly prefix: string,
    private readonly readCaller: RestOptions['readCaller'],
  ) {}

  /** For every request under the prefix: 307 for a trailing slash, 404, 401, 405. */
  async admit(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const start = request.url.indexOf('?');
    const path = start < 0 ? request.url : request.url.slice(0, start);
    if (path.endsWith('/')) {
      const query = start < 0 ? '' : request.url.slice(start);
      return reply
        .code(307)
        .header('Location', path.replace(/\/+$/, '') + query)
        .send();
    }
    const below = path.slice(this.prefix.length);
    const place = PLACES.find((each) => each.path.test(below));
    if (place === undefined) throw new ReelError('NOT_FOUND', 'Not Found');
    if (!place.open) this.visits.set(request, await this.receive(request));
    if (!place.methods.includes(request.method))
      return reply.code(405).header('Allow', place.methods.join(', ')).send({ detail: 'Method Not Allowed' });
    return undefined;
  }

  /** A hook that asks for a permission. */
  guard<T>(question: (caller: Caller) => Promise<T>): (request: FastifyRequest) => Promise<void> {
    return async (request) => {
      const visit = this.visit<T>(request);
      if (visit.caller) Object.assign(visit, await this.ask(visit.caller, question));
    };
  }

  /** BAD_USER_INPUT is kept, to be answered beside the other faults of the request; every other error is thrown. */
  async ask<T>(caller: Caller, question: (caller: Caller) => Promise<T>): Promise<Passage<T>> {
    try {
      return { passed: await question(caller), faults: [] };
    } catch (error) {
      return { passed: null, faults: faultsOf(error) };
    }
  }

  visit<T>(request: FastifyRequest): Visit<T> {
    const visit = this.visits.get(request);
    if (visit === undefined)
      throw new Error(`nobody was let in to ${request.method} ${request.routeOptions.url}`);
    return visit as Visit<T>;
  }

  private async receive(request: FastifyRequest): Promise<Visit<unknown>> {
    if (!request.headers.authorization) throw unauthenticated();
    try {
      const caller = await this.readCaller(request);
      if (caller.credential === null) throw unauthenticated();
      return { caller, passed: null, faults: [] };
    } catch (error) {
      return { caller: null, passed: null, faults: faultsOf(error) };
    }
  }
}

/** Of BAD_USER_INPUT at the door, which can only be about headers; any other error is thrown again. */
function faultsOf(error: unknown): Fault[] {
  if (!(error instanceof ReelError) || error.code !== 'BAD_USER_INPUT') throw error;
  return error.faults.length > 0
    ? error.faults
    : [{ type: 'value_error', loc: ['header'], msg: error.message }];
}
