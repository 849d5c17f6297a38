/** Requests down to their bytes, as no client library would let them be sent. */
import { connect, type Socket } from 'node:net';

/** Bytes as text in UTF-8, or, where they are none, in base64. */
export type Bytes = string | { base64: string };

export interface HttpCase {
  method: string;
  /** Path and query, as it goes on the wire. */
  path: string;
  /** Beside Host and, of a body, Content-Length or Transfer-Encoding. */
  headers: Record<string, string>;
  body?: Bytes;
  /** As so many chunks instead of a length. */
  chunks?: number;
  /** The connection is reset after so many bytes, and no answer waited for. */
  cut?: number;
}

export interface SocketCase {
  /** Of the upgrade, beside those that the protocol needs. */
  headers: Record<string, string>;
  /** Whole messages; with `frame` the bytes of a frame as they are. */
  messages: (string | { frame: string })[];
}

export interface HttpAnswer {
  status: number;
  headers: Map<string, string>;
  body: string;
}

const ANSWER_MS = 20_000;
/** A server that waits for the rest of a frame says nothing. */
const SILENCE_MS = 500;

export const bytesOf = (bytes: Bytes): Buffer =>
  typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes.base64, 'base64');
/** As text where that says the same. */
export const toBytes = (buffer: Buffer): Bytes => {
  const text = buffer.toString();
  return Buffer.from(text).equals(buffer) ? text : { base64: buffer.toString('base64') };
};

/** Header values go as latin1, and cannot end their line. */
const headerLine = ([name, value]: [string, string]) => `${name}: ${value.replace(/[\r\n\0]/g, ' ')}\r\n`;

export async function sendHttp(
  origin: string,
  { method, path, headers, body, chunks, cut }: HttpCase,
): Promise<HttpAnswer> {
  const content = body === undefined ? null : bytesOf(body);
  const framing: Record<string, string> =
    content === null
      ? {}
      : chunks
        ? { 'transfer-encoding': 'chunked' }
        : { 'content-length': String(content.length) };
  const head = Object.entries({ host: new URL(origin).host, connection: 'close', ...framing, ...headers });
  const start = `${method} ${path.replace(/[\r\n\0 ]/g, '')} HTTP/1.1\r\n${head.map(headerLine).join('')}\r\n`;
  const parts: Buffer[] = [Buffer.from(start, 'latin1')];
  if (content !== null) parts.push(chunks ? chunked(content, chunks) : content);
  const bytes = Buffer.concat(parts);
  if (cut === undefined) return readAnswer(await exchange(origin, bytes), method);
  await breakOff(origin, bytes.subarray(0, cut));
  return { status: 0, headers: new Map(), body: '' };
}

/** Resolves once the server, too, has seen the end of the connection. */
async function breakOff(origin: string, bytes: Buffer): Promise<void> {
  const { hostname, port } = new URL(origin);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.write(bytes, () => setTimeout(() => socket.resetAndDestroy(), 5));
  });
}

function chunked(content: Buffer, chunks: number): Buffer {
  const size = Math.max(1, Math.ceil(content.length / chunks));
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += size) {
    const part = content.subarray(at, at + size);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

/** What comes back until the connection ends. Errors: where it does not end. */
function exchange(origin: string, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(origin);
    const received: Buffer[] = [];
    const socket: Socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.setTimeout(ANSWER_MS, () =>
      socket.destroy(new Error(`expected an answer within ${ANSWER_MS} ms`)),
    );
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // The answer to a body that was not read to its end may be followed by a reset.
      if (received.length > 0 || ['ECONNRESET', 'EPIPE'].includes(error.code ?? ''))
        resolve(Buffer.concat(received));
      else reject(error);
    });
    socket.on('close', () => resolve(Buffer.concat(received)));
  });
}

function readAnswer(bytes: Buffer, method: string): HttpAnswer {
  const end = bytes.indexOf('\r\n\r\n');
  if (bytes.toString('latin1', 0, 12) === 'HTTP/1.1 100') return readAnswer(bytes.subarray(end + 4), method);
  const [first = '', ...lines] = bytes.toString('latin1', 0, Math.max(0, end)).split('\r\n');
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const content = bytes.subarray(end + 4);
  const body = headers.get('transfer-encoding') === 'chunked' ? unchunked(content) : content;
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1] ?? 0);
  return { status, headers, body: method === 'HEAD' ? '' : body.toString() };
}

function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

export interface SocketAnswer {
  /** 0 where the connection broke without a close frame. */
  code: number;
  reason: string;
  messages: string[];
}

/** Opens a websocket, sends everything, asks to close, and reads frames until the end. */
export function talk(origin: string, { headers, messages }: SocketCase): Promise<SocketAnswer> {
  const head = Object.entries({
    host: new URL(origin).host,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-protocol': 'graphql-transport-ws',
    ...headers,
  });
  const start = `GET /graphql HTTP/1.1\r\n${head.map(headerLine).join('')}\r\n`;
  const frames = messages.map((message) =>
    typeof message === 'string' ? frameOf(1, Buffer.from(message)) : Buffer.from(message.frame, 'base64'),
  );
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(origin);
    const answer: SocketAnswer = { code: 0, reason: '', messages: [] };
    let received: Buffer = Buffer.alloc(0);
    let isOpen = false;
    // Half closes it, which ends what is waited for.
    const silence = setTimeout(() => socket.end(), SILENCE_MS);
    const socket: Socket = connect(Number(port), hostname, () =>
      socket.write(
        Buffer.concat([Buffer.from(start, 'latin1'), ...frames, frameOf(8, Buffer.from([0x03, 0xe8]))]),
      ),
    );
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error(`expected an end within ${ANSWER_MS} ms`)));
    socket.on('data', (chunk) => {
      silence.refresh();
      received = Buffer.concat([received, chunk]);
      if (!isOpen) {
        const end = received.indexOf('\r\n\r\n');
        if (end < 0) return;
        isOpen = received.toString('latin1', 0, 12).endsWith(' 101');
        if (!isOpen) answer.code = Number(received.toString('latin1', 9, 12));
        received = received.subarray(end + 4);
      }
      if (!isOpen) return;
      for (let frame = readFrame(received); frame !== null; frame = readFrame(received)) {
        received = received.subarray(frame.length);
        if (frame.opcode === 8) {
          answer.code = frame.payload.length >= 2 ? frame.payload.readUInt16BE() : 1005;
          answer.reason = frame.payload.subarray(2).toString();
        } else answer.messages.push(frame.payload.toString());
      }
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (['ECONNRESET', 'EPIPE'].includes(error.code ?? '')) resolve(answer);
      else reject(error);
    });
    socket.on('close', () => {
      clearTimeout(silence);
      resolve(answer);
    });
  });
}

/** A frame as a client sends it (RFC 6455, section 5.2), masked. */
export function frameOf(opcode: number, payload: Buffer, { isFinal = true, reserved = 0 } = {}): Buffer {
  const length = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + length + 4);
  head[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = 0x80 | (length === 0 ? payload.length : length === 2 ? 126 : 127);
  if (length === 2) head.writeUInt16BE(payload.length, 2);
  if (length === 8) head.writeBigUInt64BE(BigInt(payload.length), 2);
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([head, payload]);
}

function readFrame(bytes: Buffer): { opcode: number; payload: Buffer; length: number } | null {
  if (bytes.length < 2) return null;
  const short = bytes[1]! & 0x7f;
  const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
  if (bytes.length < 2 + extra) return null;
  const size = extra === 0 ? short : extra === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const length = 2 + extra + size;
  if (bytes.length < length) return null;
  return { opcode: bytes[0]! & 0x0f, payload: bytes.subarray(2 + extra, length), length };
}
