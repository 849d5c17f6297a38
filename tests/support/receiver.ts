import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it came. */
export interface Received {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

/** Answers a request; undefined: it has been answered, or never will be. */
export type Behaviour = (
  request: Received,
  raw: { request: IncomingMessage; response: ServerResponse },
) => Reply | undefined | Promise<Reply | undefined>;

/** A server on loopback that keeps what it gets and answers as it is told. */
export class Receiver {
  readonly requests: Received[] = [];
  /** What it answers to from now on. */
  behaviour: Behaviour;
  private constructor(
    private readonly server: Server,
    behaviour: Behaviour,
  ) {
    this.behaviour = behaviour;
  }

  static async start(behaviour: Behaviour = () => ({ status: 204 }), port = 0): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server, behaviour);
    server.on(
      'request',
      (request, response) => void receiver.answer(request, response).catch(() => response.destroy()),
    );
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const received = {
      method: request.method!,
      path: request.url!,
      headers: request.headers,
      body: Buffer.concat(chunks),
    };
    const reply = await this.behaviour(received, { request, response });
    if (!reply) return;
    this.requests.push(received);
    response.writeHead(reply.status, reply.headers ?? {});
    response.end(reply.body ?? '');
  }
}

/** A batch of a webhook, as its receiver reads it. */
export interface ReceivedBatch {
  id: string;
  stream: string;
  tenant_id: string;
  previous: number;
  first: number;
  last: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests access entries by name.
  entries: any[];
  checkpoint: string | null;
  removed?: [number, number][];
  parked?: number[];
  filtered?: boolean;
  test?: boolean;
}

export const batchOf = ({ headers, body }: Received): ReceivedBatch => ({
  ...(JSON.parse(body.toString('utf8')) as ReceivedBatch),
  id: String(headers['webhook-id']),
});
