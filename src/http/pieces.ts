import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/** Text that was made piece by piece; several go out as the caller takes them. */
export function sendPieces(reply: FastifyReply, pieces: readonly Buffer[]): FastifyReply {
  if (pieces.length === 1) return reply.send(pieces[0]);
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return reply.header('content-length', length).send(Readable.from(pieces));
}
