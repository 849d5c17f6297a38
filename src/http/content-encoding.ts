import { finished, Readable } from 'node:stream';
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

const CHUNK_BYTES = 64 * 1024;

/**
 * A preParsing hook by which the body of a POST may come packed (Content-Encoding: gzip). The route's bodyLimit bounds
 * what is unpacked: past it nothing more is. Errors: UnsupportedCoding, Fastify's 413, BAD_USER_INPUT for what is no gzip.
 */
export async function unpackBody(
  request: FastifyRequest,
  reply: FastifyReply,
  body: RequestPayload,
): Promise<RequestPayload> {
  const named = request.headers['content-encoding'];
  const codings = (named ?? '').split(',').flatMap((each) => each.trim().toLowerCase() || []);
  if (request.method !== 'POST' || codings.every((each) => each === 'identity')) return body;
  if (codings.length > 1 || !['gzip', 'x-gzip'].includes(codings[0]!)) {
    reply.header('accept-encoding', 'gzip');
    throw new UnsupportedCoding(named!);
  }
  const packed: Packed = { body, received: 0 };
  const unpacked = Readable.from(unpack(packed, request.routeOptions.bodyLimit), { objectMode: false });
  // Fastify holds Content-Length against this.
  return Object.defineProperty(unpacked, 'receivedEncodedLength', { get: () => packed.received });
}

interface Packed {
  body: RequestPayload;
  /** Bytes that came. */
  received: number;
}

/** Takes nothing of the body before it is asked for some. */
async function* unpack(packed: Packed, most: number): AsyncGenerator<Buffer> {
  const { body } = packed;
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  gunzip.on('error', () => {});
  // Not stream.pipeline, which would end the connection with the unpacking, before anything is answered.
  body.pipe(gunzip);
  finished(body, (error) => error && gunzip.destroy(error));
  gunzip.once('close', () => body.unpipe(gunzip).resume());
  body.on('data', (chunk: Buffer) => {
    packed.received += chunk.length;
  });
  let size = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > most) break;
      yield chunk;
    }
  } catch {
    const msg = 'Expected a body packed by gzip, as Content-Encoding says, got something else';
    throw new ReelError('BAD_USER_INPUT', msg, { faults: [{ type: 'value_error', loc: ['body'], msg }] });
  }
  if (size > most) throw new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE();
}
