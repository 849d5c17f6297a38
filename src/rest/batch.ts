import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Author } from '../auth/scope.js';
import { type Fault, ReelError } from '../errors.js';
import { requestIdOf } from '../http/request-id.js';
import type { CreateLogInput } from '../log/entry/create-log-input.js';
import { entryToWire } from '../log/entry/wire.js';
import type { Batch } from '../log/write/batch.js';
import type { Stored, WriteResult } from '../log/write/writer.js';
import { passTurn } from '../time-slice.js';
import type { AccessControl } from './access.js';
import { type BatchItem, readJsonBatch, readNdjsonBatch } from './batch-body.js';
import { ENTRY_FIELDS, inputFaults, readFields } from './bodies.js';
import { invalidRequest, JSON_TYPE, UnsupportedType } from './errors.js';
import { show } from './fields.js';
import type { RestOptions } from './options.js';
import { faultToWire } from './wire.js';

export const MAX_BATCH_BYTES = 16 * 1_048_576;
const NDJSON_TYPE = /^application\/x-ndjson\s*(?:;|$)/i;

/** POST /logs/batch, a Fastify plug-in within the REST routes. */
export async function batchRoute(
  app: FastifyInstance,
  { access, options }: { access: AccessControl; options: Pick<RestOptions, 'reel' | 'authorizer' | 'log'> },
): Promise<void> {
  const { reel, authorizer, log } = options;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    const type = request.headers['content-type'];
    if (type !== undefined && (JSON_TYPE.test(type) || NDJSON_TYPE.test(type))) done(null, body);
    else done(new UnsupportedType('JSON or application/x-ndjson', type));
  });
  const mayWrite = access.requires(async (caller) => authorizer.internal(caller));
  app.post('/logs/batch', { onRequest: mayWrite, bodyLimit: MAX_BATCH_BYTES }, async (request, reply) => {
    const author = access.of<Author>(request).granted!;
    const results = await storeBatch(reel.batch(author), author, itemsOf(request));
    const report = (error: unknown) => {
      const errorId = randomUUID();
      log.error({ err: error, errorId, requestId: requestIdOf(request.raw) }, 'an entry could not be stored');
      return errorId;
    };
    const chunks = await chunksOf(results, report);
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    reply.headers({ 'content-type': 'application/json; charset=utf-8', 'content-length': length });
    return reply.send(Readable.from(chunks));
  });
}

function itemsOf(request: FastifyRequest): AsyncGenerator<BatchItem> {
  if (request.headers['idempotency-key'] !== undefined) {
    const msg = 'expected an idempotency_key in each entry, since a batch as a whole has none';
    throw invalidRequest([{ type: 'value_error', loc: ['header', 'Idempotency-Key'], msg }]);
  }
  const body = request.body instanceof Buffer ? request.body : Buffer.alloc(0);
  return NDJSON_TYPE.test(request.headers['content-type'] ?? '')
    ? readNdjsonBatch(body)
    : readJsonBatch(body);
}

async function storeBatch(
  batch: Batch,
  author: Author,
  items: AsyncIterable<BatchItem>,
): Promise<WriteResult[]> {
  for await (const { fields, faults } of items) {
    const input = readFields(fields ?? {}, ENTRY_FIELDS, author, faults);
    if (faults.length === 0) await batch.add(input);
    else await batch.refuse(fields ? refusalOf(input, author, faults) : invalidRequest(faults));
  }
  return batch.writeEach();
}

/** With every other fault of the input. */
function refusalOf(input: CreateLogInput, author: Author, faults: Fault[]): ReelError {
  try {
    return invalidRequest([...faults, ...inputFaults(input, author, faults)]);
  } catch (error) {
    if (error instanceof ReelError) return error;
    throw error;
  }
}

/** Of so many characters the answer's text is put into bytes at once. */
const CHUNK_CHARACTERS = 65_536;

/** Made piece by piece, since it may be as long as the request. */
async function chunksOf(
  results: readonly WriteResult[],
  report: (error: unknown) => string,
): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  let text = '{"results":[';
  for (const [index, result] of results.entries()) {
    if (index > 0) text += ',';
    text += JSON.stringify(
      'error' in result ? refusalToWire(result.error, index, report) : storedToWire(result),
    );
    if (text.length < CHUNK_CHARACTERS) continue;
    chunks.push(Buffer.from(text));
    text = '';
    await passTurn();
  }
  chunks.push(Buffer.from(`${text}]}`));
  return chunks;
}

const storedToWire = ({ entry, replayed }: Stored) => ({
  status: 201,
  entry: entryToWire(entry),
  ...(replayed ? { replayed } : {}),
});

function refusalToWire(error: unknown, index: number, report: (error: unknown) => string) {
  if (!(error instanceof ReelError))
    return { status: 500, detail: 'Internal server error', error_id: report(error) };
  const { code, status, message: detail } = error;
  if (code !== 'BAD_USER_INPUT') return { status, detail };
  return { status, detail: error.faults.map((fault) => faultOfEntry(fault, index)) };
}

/** Its loc goes from the body to the entry, and on within it. */
function faultOfEntry(fault: Fault, index: number): Fault {
  const wire = faultToWire({ ...fault, input: show(fault.input) }, 'body');
  const within = fault.loc[0] === 'idempotencyKey' ? ['idempotency_key'] : wire.loc.slice(1);
  return { ...wire, loc: ['body', 'entries', index, ...within] };
}
