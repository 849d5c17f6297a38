import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type SentEntry = Record<string, unknown> & { action: string; idempotency_key: string };

export interface BatchAnswer {
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
}

/** Answers POST /logs/batch as a test tells it to; by default every entry is stored. */
export class BatchServer {
  readonly requests: { headers: IncomingHttpHeaders; path: string; entries: SentEntry[]; at: number }[] = [];
  /** What it said 201 to, by key. */
  readonly stored = new Map<string, SentEntry>();
  /** How often it said so of one that it had stored. */
  replays = 0;
  answer: (entries: SentEntry[]) => BatchAnswer | Promise<BatchAnswer> = (entries) => this.store(entries);

  private constructor(private readonly server: Server) {}

  static async start(port = 0): Promise<BatchServer> {
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const lines = Buffer.concat(chunks)
        .toString()
        .split('\n')
        .filter((line) => line !== '');
      const entries = lines.map((line) => JSON.parse(line) as SentEntry);
      made.requests.push({ headers: request.headers, path: request.url!, entries, at: performance.now() });
      const { status = 200, headers = {}, body } = await made.answer(entries);
      response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    const made = new BatchServer(server);
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return made;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get entries(): SentEntry[] {
    return [...this.stored.values()];
  }

  /** As Reel answers where all is well, but for those that `refuse` has a result for. */
  store(
    entries: SentEntry[],
    refuse: (entry: SentEntry) => object | undefined = () => undefined,
  ): BatchAnswer {
    const results = entries.map((entry) => {
      const refusal = refuse(entry);
      if (refusal) return refusal;
      if (this.stored.has(entry.idempotency_key)) this.replays += 1;
      this.stored.set(entry.idempotency_key, entry);
      return { status: 201, entry: { ...entry, id: randomUUID(), created_at: new Date().toISOString() } };
    });
    return { body: { results } };
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}
