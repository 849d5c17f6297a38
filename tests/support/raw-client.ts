import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A connection whose bytes the test chooses. */
export class RawClient {
  received = '';
  readonly socket: Socket;
  readonly closed: Promise<string>;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    this.socket.setEncoding('latin1').on('data', (text) => {
      this.received += text;
    });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      this.socket.once('close', () => resolve(this.received));
    });
  }

  static async open(url: string): Promise<RawClient> {
    const client = new RawClient(url);
    await once(client.socket, 'connect');
    return client;
  }

  write(bytes: string | Buffer): Promise<void> {
    return new Promise((written) => void this.socket.write(bytes, () => written()));
  }

  /** Resolves once something that matches came, or the connection has ended. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.received) && !this.socket.readableEnded && !this.socket.destroyed)
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'end'), this.closed]);
    return this.received;
  }
}

/** A request's text. */
export function requestText(line: string, headers: Readonly<Record<string, string>> = {}, body = ''): string {
  const lines = Object.entries({ Host: 'reel.test', ...headers }).map(([name, value]) => `${name}: ${value}`);
  return `${line} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** Headers of a websocket's request. */
export const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol': 'graphql-transport-ws',
};

/** A client's frame of text (RFC 6455, section 5.2), masked by zeros. */
export function frame(text: string): string {
  const length = Buffer.byteLength(text);
  const size = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([0x81, ...size, 0, 0, 0, 0]), Buffer.from(text)]).toString('latin1');
}
