import { type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** How long whoever was cut off has to read why. */
const LINGER_MS = 1_000;

const cared = new WeakSet<Duplex>();
const ended = new WeakSet<Duplex>();

/**
 * Gives each socket of a server an error listener for as long as it lives, from the moment that Node hands it over. Node's
 * own listener goes when a connection is upgraded: a reset past that would end the process. To be called before the server
 * listens; once is enough, more is harmless.
 */
export function careForSockets(server: Server): void {
  if (server.listeners('connection').includes(careForSocket)) return;
  // Over TLS, requests come from another socket than the one that was accepted.
  server.on('connection', careForSocket).on('secureConnection', careForSocket);
}

/** For a socket that may be from elsewhere. Nothing needs to be done about its errors: it is destroyed after each. */
export function careForSocket(socket: Duplex): void {
  if (cared.has(socket)) return;
  cared.add(socket);
  socket.on('error', () => {});
}

/** Answers, on a socket that no response object belongs to, and ends it. */
export function refuseSocket(
  socket: Duplex,
  status: number,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  careForSocket(socket);
  const body = JSON.stringify({ detail });
  const lines = Object.entries({
    ...headers,
    Connection: 'close',
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  if (socket.writable)
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  endUnread(socket);
}

/**
 * Ends a socket without reading what else comes: what was written is sent, and what is left a moment later is cut off. Were
 * it closed at once, with bytes unread, the peer would be reset and might not see why.
 */
export function endUnread(socket: Duplex): void {
  careForSocket(socket);
  if (ended.has(socket) || socket.destroyed) return;
  ended.add(socket);
  socket.pause();
  // A request that is not read to its end is resumed by Node, to be thrown away.
  socket.on('resume', () => socket.pause());
  if (socket.writable) socket.end();
  const cut = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(cut));
}
