import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../auth/caller.js';
import { type Fault, ReelError, unauthenticated } from '../errors.js';
import type { RestOptions } from './options.js';

/** Every REST path and its methods; the first that matches counts. */
const PATHS = [
  { path: /^\/logs$/, methods: ['GET', 'HEAD', 'POST'], isPublic: false },
  { path: /^\/logs\/stats$/, methods: ['GET', 'HEAD'], isPublic: false },
  { path: /^\/logs\/(?:batch|export)$/, methods: ['POST'], isPublic: false },
  { path: /^\/logs\/[^/]+$/, methods: ['GET', 'HEAD'], isPublic: false },
  { path: /^\/openapi\.json$/, methods: ['GET', 'HEAD'], isPublic: true },
  // The link is its own credential.
  { path: /^\/exports\/[^/]+$/, methods: ['GET'], isPublic: true },
];

/** The result of a permission check. */
export interface AccessResult<T> {
  /** What the caller may do; null where faults of the request keep that from being known. */
  granted: T | null;
  faults: Fault[];
}

/** What is known of a request's caller. */
export interface RequestAccess<T> extends AccessResult<T> {
  /** null if the tenant or client header is invalid. */
  caller: Caller | null;
}

/** Checks access to each request: the credential first, then the method, then the permission. */
export class AccessControl {
  private readonly requests = new WeakMap<FastifyRequest, RequestAccess<unknown>>();

  constructor(
    private readonly prefix: string,
    private readonly readCaller: RestOptions['readCaller'],
  ) {}

  /** A hook for every request under the prefix: 307 for a trailing slash, 404, 401, 405. */
  async checkRequest(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const { path, query } = targetOf(request.url);
    if (path.endsWith('/'))
      return reply
        .code(307)
        .header('Location', withoutSlashes(path) + query)
        .send();
    const below = path.slice(this.prefix.length);
    const match = PATHS.find((each) => each.path.test(below));
    if (match === undefined) throw new ReelError('NOT_FOUND', 'Not Found');
    if (!match.isPublic) this.requests.set(request, await this.authenticate(request));
    if (!match.methods.includes(request.method))
      return reply.code(405).header('Allow', match.methods.join(', ')).send({ detail: 'Method Not Allowed' });
    return undefined;
  }

  /** A hook that checks a permission. */
  requires<T>(permission: (caller: Caller) => Promise<T>): (request: FastifyRequest) => Promise<void> {
    return async (request) => {
      const access = this.of<T>(request);
      if (access.caller) Object.assign(access, await this.check(access.caller, permission));
    };
  }

  /** BAD_USER_INPUT becomes faults, to be reported with the request's others; every other error is thrown. */
  async check<T>(caller: Caller, permission: (caller: Caller) => Promise<T>): Promise<AccessResult<T>> {
    try {
      return { granted: await permission(caller), faults: [] };
    } catch (error) {
      return { granted: null, faults: faultsOf(error) };
    }
  }

  of<T>(request: FastifyRequest): RequestAccess<T> {
    const access = this.requests.get(request);
    if (access === undefined)
      throw new Error(`access to ${request.method} ${request.routeOptions.url} was not checked`);
    return access as RequestAccess<T>;
  }

  private async authenticate(request: FastifyRequest): Promise<RequestAccess<unknown>> {
    if (!request.headers.authorization) throw unauthenticated();
    try {
      const caller = await this.readCaller(request);
      if (caller.credential === null) throw unauthenticated();
      return { caller, granted: null, faults: [] };
    } catch (error) {
      return { caller: null, granted: null, faults: faultsOf(error) };
    }
  }
}

/** The path and the query of a request's target, of an absolute one too (RFC 9112, section 3.2.2). */
function targetOf(url: string): { path: string; query: string } {
  const from = url.startsWith('/') ? 0 : url.indexOf('/', url.indexOf('//') + 2);
  const start = url.indexOf('?');
  const to = start < 0 ? url.length : start;
  return { path: url.slice(from, to), query: url.slice(to) };
}

/** Not by a pattern, which would try each of many slashes in the middle. */
function withoutSlashes(path: string): string {
  let end = path.length;
  while (path[end - 1] === '/') end -= 1;
  return path.slice(0, end);
}

/** The faults of a BAD_USER_INPUT, which here can only be about headers; any other error is rethrown. */
function faultsOf(error: unknown): Fault[] {
  if (!(error instanceof ReelError) || error.code !== 'BAD_USER_INPUT') throw error;
  return error.faults.length > 0
    ? error.faults
    : [{ type: 'value_error', loc: ['header'], msg: error.message }];
}
