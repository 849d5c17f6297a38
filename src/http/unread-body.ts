import type { IncomingMessage } from 'node:http';
import { endUnread } from './sockets.js';

/** Without a credential no more of a body is read; so much is also read for the connection's sake after a refusal. */
export const MAX_UNKNOWN_BYTES = 16 * 1024;

/** Whether an answer that is given now leaves more of the request unread than is worth reading. */
export function leavesBodyUnread({ headers, complete, readableDidRead }: IncomingMessage): boolean {
  if (complete) return false;
  if (headers['transfer-encoding'] !== undefined) return true;
  const length = Number(headers['content-length'] ?? 0);
  return length > MAX_UNKNOWN_BYTES || (length > 0 && readableDidRead);
}

/** Has the connection ended after the response, which must say `Connection: close`, without reading the rest of the request. */
export function stopReading({ socket }: IncomingMessage): void {
  // By which Node ends a connection after its last response: it would first read on, and then reset whoever still sends.
  socket.destroySoon = () => endUnread(socket);
}
