import { errorCodes, type FastifyInstance, type FastifyRequest } from 'fastify';
import { readerOf } from '../auth/caller.js';
import type { Author, Scope } from '../auth/scope.js';
import { type Fault, ReelError } from '../errors.js';
import { unpackBody } from '../http/content-encoding.js';
import { entryToWire } from '../log/entry/wire.js';
import { toCriteria } from '../log/filter/criteria.js';
import { parseUuid } from '../query-line/values.js';
import { answerError, MAX_BODY_BYTES, notAnId, refused } from './answers.js';
import { inputFaults, readCreateInput, readExportInput } from './bodies.js';
import { Door, type Passage } from './door.js';
import { LAST_PAGE, queryOf, readListQuery } from './list-query.js';
import type { RestOptions } from './options.js';
import { exportToWire, listToWire, statsToWire } from './wire.js';

export const REST_PREFIX = '/api/v1/reel';

/** A link is opened as a page is, and carries its secret in its address. */
const OPENED_BY_A_BROWSER = {
  'Content-Security-Policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
};

const JSON_TYPE = /^application\/(?:[\w.!#$&^+-]+\+)?json\s*(?:;|$)/i;

interface Rest {
  Params: { '*': string };
}

/**
 * The REST room, a Fastify plug-in to be registered with `{ prefix: REST_PREFIX, ... }`. What is looked at, in this order:
 * credential (401), method (405), permission (403), size and type of the body (413, 415), everything else at once (422).
 */
export async function restRoutes(app: FastifyInstance, options: RestOptions): Promise<void> {
  const { reel, reader, stats, exports, audit, authorizer, config } = options;
  const door = new Door(app.prefix, options.readCaller);

  app.setErrorHandler((error, request, reply) => answerError(options.log, error, request, reply));
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ detail: 'Not Found' }));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (request, body, done) => {
    const type = request.headers['content-type'];
    if (type === undefined || JSON_TYPE.test(type)) done(null, body);
    else done(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE());
  });
  app.addHook('preParsing', unpackBody);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('Cache-Control', 'no-store').header('X-Content-Type-Options', 'nosniff');
    return door.admit(request, reply);
  });

  const mayView = door.guard((caller) => authorizer.require(caller, 'reel.logs.view', ['ACCOUNT', 'CLIENT']));
  const mayWrite = door.guard((caller) => authorizer.author(caller));
  const mayExport = door.guard((caller) => authorizer.exportScope(caller));

  // Before answering, so that nothing is seen unrecorded.
  const recordLook = (request: FastifyRequest, scope: Scope, look: Record<string, unknown>) =>
    audit.viewed(readerOf(door.visit<Scope>(request).caller!), scope, { door: 'rest', ...look });

  app.get('/logs', { onRequest: mayView, exposeHeadRoute: true }, async (request) => {
    const visit = door.visit<Scope>(request);
    const faults: Fault[] = [];
    const { filter, page, pageSize } = readListQuery(request, config, faults);
    const scope = passed(visit, faults);
    const criteria = toCriteria(scope, filter, new Date());
    const [total, entries] = await Promise.all([
      reader.count(criteria, true),
      page > LAST_PAGE ? [] : reader.list(criteria, { first: pageSize, page }).then((found) => found.entries),
    ]);
    await recordLook(request, scope, { path: '/logs', filter, page });
    return listToWire(entries, total.value, page, pageSize);
  });

  app.get('/logs/stats', { onRequest: mayView, exposeHeadRoute: true }, async (request) => {
    const scope = passed(door.visit<Scope>(request), []);
    const now = new Date();
    const found = await stats.stats(toCriteria(scope, null, now), 'UTC', now);
    await recordLook(request, scope, { path: '/logs/stats' });
    return statsToWire(found);
  });

  // Wildcards, since the router answers a parameter of more than 100 characters itself; the door has seen that no / is in it.
  app.get<Rest>('/logs/*', { onRequest: mayView, exposeHeadRoute: true }, async (request) => {
    const faults: Fault[] = [];
    const text = request.params['*'];
    const id = parseUuid(text);
    if (id === null) faults.push(notAnId(text));
    const scope = passed(door.visit<Scope>(request), faults);
    const entry = id && (await reader.get(scope, id));
    await recordLook(request, scope, { path: '/logs/{id}', id });
    if (!entry) throw new ReelError('NOT_FOUND', 'Log entry not found');
    return entryToWire(entry);
  });

  app.post('/logs', { onRequest: mayWrite, bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
    const visit = door.visit<Author>(request);
    const faults: Fault[] = [];
    const input = await readCreateInput(request, visit.passed, faults);
    // Where nothing is at fault so far, the service finds the faults of the fields itself.
    if (visit.passed === null || faults.length > 0)
      throw refused([...visit.faults, ...faults, ...inputFaults(input, visit.passed, faults)]);
    return reply.code(201).send(entryToWire(await reel.create(visit.passed, input)));
  });

  app.post('/logs/export', { onRequest: mayExport, bodyLimit: MAX_BODY_BYTES }, async (request) => {
    const visit = door.visit<Scope>(request);
    const faults: Fault[] = [];
    const input = await readExportInput(request, faults);
    const named = input.filter?.clientId;
    // The body may name the client that no header does.
    const passage =
      visit.caller?.clientId === null && named
        ? await door.ask(visit.caller, (caller) => authorizer.exportScope(caller, named))
        : visit;
    const criteria = toCriteria(passed(passage, faults), input.filter, new Date());
    return exportToWire(await exports.prepare(criteria, input, readerOf(visit.caller!)));
  });

  // Without the HEAD that Fastify derives from GET, which would read the whole export to the end.
  app.route<Rest>({
    method: 'GET',
    url: '/exports/*',
    exposeHeadRoute: false,
    handler: async (request, reply) => {
      const file = await exports.open(
        request.params['*'],
        queryOf(request).token ?? '',
        await options.readConnection(request),
      );
      reply.headers(OPENED_BY_A_BROWSER);
      reply.header('Content-Disposition', `attachment; filename="${file.filename}"`).type(file.contentType);
      // A silent socket is closed after a while, but not for Reel's own silence, while it looks for rare matches.
      reply.raw.on('timeout', () => reply.raw.writableNeedDrain && reply.raw.destroy());
      return reply.send(file.stream);
    },
  });
}

/** What the caller was let in for, once nothing of the request is at fault. */
function passed<T>(visit: Passage<T>, faults: Fault[]): T {
  if (faults.length > 0 || visit.passed === null) throw refused([...visit.faults, ...faults]);
  return visit.passed;
}
