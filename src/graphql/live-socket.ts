import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** So much is handed to a connection at a time; the next waits until the system has taken it. */
export const PIECE_BYTES = 64 * 1024;
/** A connection that answers no ping for this long is cut off. */
const PING_MS = 12_000;

/** A websocket that is sent to no faster than it takes, many messages in few writes. */
export class LiveSocket {
  constructor(
    readonly socket: WebSocket,
    private readonly carrier: Duplex,
  ) {
    let heard = true;
    const pings = setInterval(() => {
      if (!heard) return socket.terminate();
      heard = false;
      if (socket.readyState === socket.OPEN) socket.ping();
    }, PING_MS);
    socket.on('pong', () => {
      heard = true;
    });
    socket.once('close', () => clearInterval(pings));
  }

  /** Resolves when all is on its way, or nothing more can be, or the signal has aborted. */
  async send(messages: readonly string[], signal?: AbortSignal): Promise<void> {
    for (const piece of pieces(messages)) {
      if (signal?.aborted || this.socket.readyState !== this.socket.OPEN) return;
      await new Promise<void>((taken) => {
        this.carrier.cork();
        piece.forEach((message, index) => {
          if (index === piece.length - 1) this.socket.send(message, () => taken());
          else this.socket.send(message, () => {});
        });
        this.carrier.uncork();
      });
    }
  }
}

/** Texts in pieces of some size, and at least one each. */
export function* pieces(texts: readonly string[]): Generator<string[]> {
  let piece: string[] = [];
  let length = 0;
  for (const text of texts) {
    piece.push(text);
    length += text.length;
    if (length < PIECE_BYTES) continue;
    yield piece;
    [piece, length] = [[], 0];
  }
  if (piece.length > 0) yield piece;
}
