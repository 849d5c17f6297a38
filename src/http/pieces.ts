import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/** Pieces of so many bytes together are sent as one, which takes the least time. */
const MAX_ONE_BYTES = 131_072;

/** Text that was made piece by piece; a long one goes out as the caller takes it. */
export function sendPieces(reply: FastifyReply, pieces: readonly Buffer[]): FastifyReply {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (pieces.length === 1) return reply.send(pieces[0]);
  if (length <= MAX_ONE_BYTES) return reply.send(Buffer.concat(pieces, length));
  return reply.header('content-length', length).send(Readable.from(pieces));
}
