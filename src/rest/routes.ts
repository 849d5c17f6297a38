import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readerOf } from '../auth/caller.js';
import type { Author, Scope } from '../auth/scope.js';
import { type Fault, ReelError } from '../errors.js';
import { Answers } from '../http/answer.js';
import { Bodies } from '../http/bodies.js';
import { edge } from '../http/edge.js';
import { sendPieces } from '../http/pieces.js';
import { rateLimitHeaders } from '../http/rate-limit.js';
import { ALL_COLUMNS } from '../log/entry/stored-entry.js';
import { entryToJson, entryToWire } from '../log/entry/wire.js';
import { toCriteria } from '../log/filter/criteria.js';
import type { LogPage } from '../log/read/reader.js';
import { parseUuid } from '../query-line/values.js';
import { AccessControl, type AccessResult } from './access.js';
import { batchRoute } from './batch.js';
import { inputFaults, readCreateInput, readExportInput } from './bodies.js';
import {
  invalidId,
  invalidRequest,
  JSON_TYPE,
  MAX_BODY_BYTES,
  reasonOf,
  sendError,
  UnsupportedType,
} from './errors.js';
import { LAST_PAGE, listQueryReader, queryOf, readStatsQuery } from './list-query.js';
import { openApi } from './openapi.js';
import type { RestOptions } from './options.js';
import { exportToWire, listToWire, statsToWire } from './wire.js';

const ANSWER_TYPE = 'application/json; charset=utf-8';

/** Browsers open a link as a page, and its URL carries its secret. */
const DOWNLOAD_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Frame-Options': 'DENY',
};

/** Of a page whose number no list reaches. */
const PAST_THE_END: LogPage = { entries: [], hasNextPage: false, hasPreviousPage: true, stopped: null };

interface Wildcard {
  Params: { '*': string };
}

/**
 * The REST routes, a Fastify plug-in to be registered with its path as `prefix`. Checked in this order: credential
 * (401), method (405), permission (403), size and type of the body (413, 415), everything else at once (422).
 */
export async function restRoutes(app: FastifyInstance, options: RestOptions): Promise<void> {
  const { reel, audit, authorizer, config, answers = new Answers(), bodies = new Bodies() } = options;
  /** An answer, and what is read for it. */
  const open = (reply: FastifyReply, answer = answers.open(reply.raw)) => ({
    answer,
    ...options,
    ...options.during?.(answer),
  });
  const readListQuery = listQueryReader(config);
  const access = new AccessControl(app.prefix, options.readCaller);

  app.setErrorHandler((error, request, reply) => {
    options.onRefused?.(reasonOf(error));
    return sendError(options.log, error, request, reply);
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ detail: 'Not Found' }));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (request, body, done) => {
    const type = request.headers['content-type'];
    if (type !== undefined && JSON_TYPE.test(type)) done(null, body);
    else done(new UnsupportedType('JSON, such as application/json', type));
  });
  app.addHook('preParsing', bodies.admit());
  await app.register(edge);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('Cache-Control', 'no-store');
    return access.checkRequest(request, reply);
  });

  const mayView = access.requires((caller) =>
    authorizer.require(caller, 'reel.logs.view', ['ACCOUNT', 'CLIENT']),
  );
  const mayWrite = access.requires((caller) => authorizer.author(caller));
  const mayExport = access.requires((caller) => authorizer.exportScope(caller));

  const showAllowance = async (request: FastifyRequest, reply: FastifyReply) => {
    const author = access.of<Author>(request).granted;
    if (author?.kind === 'person' && author.allowance) reply.headers(rateLimitHeaders(author.allowance));
  };

  // Before the response, so that nothing is viewed unrecorded.
  const recordView = (request: FastifyRequest, scope: Scope, view: Record<string, unknown>) =>
    audit.viewed(readerOf(access.of<Scope>(request).caller!), scope, { door: 'rest', ...view });

  // Without the HEAD that Fastify derives from GET, which would read the whole export to the end.
  app.route<Wildcard>({
    method: 'GET',
    url: '/exports/*',
    exposeHeadRoute: false,
    handler: async (request, reply) => {
      const { answer, exports } = open(reply, answers.openStream(reply.raw));
      // A stalled reader is disconnected after a while, but not because Reel itself takes long to find rare matches, or the
      // download waits for its turn.
      reply.raw.on('timeout', () => reply.raw.writableNeedDrain && reply.raw.destroy());
      const file = await exports.open(
        request.params['*'],
        queryOf(request).token ?? '',
        await options.readConnection(request),
        answer.signal,
      );
      reply.headers(DOWNLOAD_HEADERS);
      reply.header('Content-Disposition', `attachment; filename="${file.filename}"`).type(file.contentType);
      return reply.send(file.stream);
    },
  });
  if (options.isForDownloads) return;

  app.get('/logs', { onRequest: mayView, exposeHeadRoute: true }, async (request, reply) => {
    const { answer, reader } = open(reply);
    const allowed = access.of<Scope>(request);
    const faults: Fault[] = [];
    const now = new Date();
    const { filter, timeZone, page, pageSize, after, before } = readListQuery(request, faults, now);
    const scope = granted(allowed, faults);
    const criteria = toCriteria(scope, filter, now, timeZone);
    const asked = before === null ? { first: pageSize, after, page } : { last: pageSize, before };
    const list = () => reader.list(criteria, asked, ALL_COLUMNS, page !== null);
    const count = () => (page === null ? null : reader.count(criteria, 'budget'));
    // In parallel, unless the page brings its total.
    const [found, counted] =
      page !== null && page > LAST_PAGE
        ? [PAST_THE_END, null]
        : reader.bringsTotal(criteria)
          ? [await list(), null]
          : await Promise.all([list(), count()]);
    const total = found.total ?? counted ?? (await count());
    await recordView(request, scope, { path: '/logs', filter, page, after, before });
    const wire = await listToWire(found, { total, number: page, size: pageSize }, answer);
    return sendPieces(reply.type(ANSWER_TYPE), await answer.write(wire));
  });

  app.get('/logs/stats', { onRequest: mayView, exposeHeadRoute: true }, async (request, reply) => {
    const { stats } = open(reply);
    const faults: Fault[] = [];
    const now = new Date();
    const { filter, timeZone } = readStatsQuery(request, faults, now);
    const scope = granted(access.of<Scope>(request), faults);
    const found = stats.stats(toCriteria(scope, filter, now, timeZone), 'UTC', now);
    const [totals, reach] = await Promise.all([found.totals(), found.reach()]);
    await recordView(request, scope, { path: '/logs/stats', filter });
    return statsToWire(totals, reach);
  });

  // A wildcard, since the router itself refuses parameters of more than 100 characters; AccessControl has refused any with a /.
  app.get<Wildcard>('/logs/*', { onRequest: mayView, exposeHeadRoute: true }, async (request, reply) => {
    const { reader } = open(reply);
    const faults: Fault[] = [];
    const text = request.params['*'];
    const id = parseUuid(text);
    if (id === null) faults.push(invalidId(text));
    const scope = granted(access.of<Scope>(request), faults);
    const entry = id && (await reader.get(scope, id));
    await recordView(request, scope, { path: '/logs/{id}', id });
    if (!entry) throw new ReelError('NOT_FOUND', 'Log entry not found');
    return reply.type(ANSWER_TYPE).send(entryToJson(entry));
  });

  app.post(
    '/logs',
    { onRequest: [mayWrite, showAllowance], bodyLimit: MAX_BODY_BYTES },
    async (request, reply) => {
      const allowed = access.of<Author>(request);
      if (allowed.granted && request.body instanceof Buffer)
        await authorizer.countBytes(allowed.granted, request.body.length);
      const faults: Fault[] = [];
      const input = await readCreateInput(request, allowed.granted, faults);
      // If nothing is wrong so far, the service itself checks the fields.
      if (allowed.granted === null || faults.length > 0)
        throw invalidRequest([...allowed.faults, ...faults, ...inputFaults(input, allowed.granted, faults)]);
      const { entry, replayed } = await reel.store(allowed.granted, input);
      if (replayed) reply.header('Idempotent-Replayed', 'true');
      return reply.code(201).header('Location', `${app.prefix}/logs/${entry.id}`).send(entryToWire(entry));
    },
  );

  await app.register(batchRoute, { access, options });

  app.post('/logs/export', { onRequest: mayExport, bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
    const { exports } = open(reply);
    const allowed = access.of<Scope>(request);
    const faults: Fault[] = [];
    const now = new Date();
    const input = await readExportInput(request, faults, now);
    const named = input.filter?.clientId;
    // The body may name the client that no header does.
    const result =
      allowed.caller?.clientId === null && named
        ? await access.check(allowed.caller, (caller) => authorizer.exportScope(caller, named))
        : allowed;
    const criteria = toCriteria(granted(result, faults), input.filter, now, input.timeZone);
    return exportToWire(await exports.prepare(criteria, input, readerOf(allowed.caller!)));
  });

  const description = JSON.stringify(openApi({ prefix: app.prefix, maxPageSize: config.maxPageSize }));
  app.get('/openapi.json', { exposeHeadRoute: true }, async (_request, reply) =>
    reply.type(ANSWER_TYPE).send(description),
  );
}

/** What the caller may do. Errors: BAD_USER_INPUT if anything in the request is wrong. */
function granted<T>(result: AccessResult<T>, faults: Fault[]): T {
  if (faults.length > 0 || result.granted === null) throw invalidRequest([...result.faults, ...faults]);
  return result.granted;
}
