import { finished, Readable, Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { errorCodes, type FastifyReply, type FastifyRequest, type RequestPayload } from 'fastify';
import { clip, ReelError } from '../errors.js';

/** Answered as 415, with Accept-Encoding (RFC 9110, section 15.5.16). */
export class UnsupportedCoding extends Error {
  readonly statusCode = 415;

  constructor(came: string) {
    super(`Expected a Content-Encoding of gzip, or none, got ${clip(came)}`);
  }
}

/** Answered as 413. */
export class BodyTooLarge extends Error {
  readonly statusCode = 413;

  constructor(readonly bytes: number) {
    super(`Expected a body of at most ${bytes} bytes`);
  }
}

/** How much of a body is read, as it comes and unpacked, and the error past it. */
export interface BodyBound {
  readonly bytes: number;
  readonly refusal: () => Error;
}

const CHUNK_BYTES = 64 * 1024;

/** A connection may break when nobody reads its body, before anything was answered or after. */
const ignore = () => {};

export type BoundOf = (request: FastifyRequest) => BodyBound;

export const routeBound: BoundOf = ({ routeOptions }) => ({
  bytes: routeOptions.bodyLimit,
  refusal: () => new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE(),
});

/**
 * The body of a POST, unpacked where it comes packed (Content-Encoding: gzip). Past the bound nothing more is read or
 * unpacked. Errors: the bound's, UnsupportedCoding, BAD_USER_INPUT for what is no gzip.
 */
export function unpackBody(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  body: RequestPayload,
  bound: BodyBound,
): RequestPayload {
  const named = headers['content-encoding'];
  const codings = (named ?? '').split(',').flatMap((each) => each.trim().toLowerCase() || []);
  if (codings.every((each) => each === 'identity'))
    return headers['content-length'] === undefined ? counted(body, bound) : body;
  if (codings.length > 1 || !['gzip', 'x-gzip'].includes(codings[0]!)) {
    reply.header('accept-encoding', 'gzip');
    throw new UnsupportedCoding(named!);
  }
  const packed: Packed = { body, received: 0 };
  const unpacked = Readable.from(unpack(packed, bound), { objectMode: false }).on('error', ignore);
  // Fastify holds Content-Length against this.
  return Object.defineProperty(unpacked, 'receivedEncodedLength', { get: () => packed.received });
}

function counted(body: RequestPayload, { bytes, refusal }: BodyBound): RequestPayload {
  let size = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, pass) {
      size += chunk.length;
      if (size > bytes) pass(refusal());
      else pass(null, chunk);
    },
  });
  counter.on('error', ignore);
  // Not stream.pipeline, which would end the connection with the body, before anything is answered.
  body.pipe(counter);
  finished(body, (error) => error && counter.destroy(error));
  return counter;
}

interface Packed {
  body: RequestPayload;
  /** Bytes that came. */
  received: number;
}

/** Takes nothing of the body before it is asked for some. */
async function* unpack(packed: Packed, { bytes, refusal }: BodyBound): AsyncGenerator<Buffer> {
  const { body } = packed;
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  gunzip.on('error', () => {});
  // Not stream.pipeline, as above.
  body.pipe(gunzip);
  finished(body, (error) => error && gunzip.destroy(error));
  body.on('data', (chunk: Buffer) => {
    packed.received += chunk.length;
  });
  // What is left is nobody's to read.
  gunzip.once('close', () => body.unpipe(gunzip).pause());
  let size = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > bytes) break;
      yield chunk;
    }
  } catch {
    const msg = 'Expected a body packed by gzip, as Content-Encoding says, got something else';
    throw new ReelError('BAD_USER_INPUT', msg, { faults: [{ type: 'value_error', loc: ['body'], msg }] });
  }
  if (size > bytes) throw refusal();
}
