/** Receivers of streams: what they were sent is complete, in order, and as sealed, whatever was killed. */
import { once } from 'node:events';
import { appendFileSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { join, resolve } from 'node:path';
import type { Random } from './built.ts';
import { graphql, TryAgain } from './calls.ts';
import type { Fleet } from './fleet.ts';
import type { Ledger } from './ledger.ts';
import type { Tenant } from './tenants.ts';

const TLS = join(resolve(import.meta.dirname, '..'), 'fixtures', 'tls');
const pem = (name: string): string => readFileSync(join(TLS, name), 'utf8');
const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
const CREATE = 'mutation ($input: CreateStreamInput!) { createStream(input: $input) { id } }';
const START_MS = 60_000;

interface Batch {
  previous: number;
  first: number;
  last: number;
  entries: { sequence: number }[];
}

/** A tenant's stream and its receiver, which is busy, silent or gone now and then. */
export class ReceivedStream {
  readonly tenant: Tenant;
  /** Every batch, one a line, for `reel verify --stream`. */
  readonly file: string;
  /** The last sequence that a batch covered without a gap from the beginning. */
  position = 0;
  private server: Server | null = null;
  private port = 0;
  private readonly ids = new Map<string, string>();
  private readonly ledger: Ledger;
  private readonly random: Random;

  private constructor(tenant: Tenant, directory: string, ledger: Ledger, random: Random) {
    this.tenant = tenant;
    this.file = join(directory, `${tenant.name}.stream`);
    this.ledger = ledger;
    this.random = random;
  }

  static async open(
    { fleet, ledger, directory, random }: { fleet: Fleet; ledger: Ledger; directory: string; random: Random },
    tenant: Tenant,
  ): Promise<ReceivedStream> {
    const stream = new ReceivedStream(tenant, directory, ledger, random);
    await stream.listen();
    const settings = { url: `https://localhost:${stream.port}/`, ca: pem('ca.pem'), batchEntries: 50 };
    const input = { name: 'tortured', kind: 'WEBHOOK', secret: SECRET, settings, after: 0 };
    for (const deadline = Date.now() + START_MS; ; )
      try {
        await graphql(fleet.pick(random)!, tenant.manager, CREATE, { input });
        return stream;
      } catch (error) {
        if (!(error instanceof TryAgain) || Date.now() > deadline) throw error;
      }
  }

  get name(): string {
    return `the stream of ${this.tenant.name}`;
  }

  /** Kills it, with whatever it was being sent, and starts it again. */
  async restart(): Promise<void> {
    await this.close();
    await this.listen();
  }

  async close(): Promise<void> {
    const { server } = this;
    if (!server) return;
    this.server = null;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }

  private async listen(): Promise<void> {
    const server = createServer({ key: pem('server.key'), cert: pem('server.pem') }, (request, response) => {
      this.receive(request, response).catch(() => response.destroy());
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as { port: number }).port;
    this.server = server;
  }

  private async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    if (this.random.chance(0.03)) return void response.writeHead(503, { 'retry-after': '0' }).end();
    if (this.random.chance(0.02)) return void response.destroy();
    const body = Buffer.concat(chunks).toString('utf8');
    this.take(String(request.headers['webhook-id']), body);
    // Kept, and yet the answer does not come: it is sent again.
    if (this.random.chance(0.02)) return void response.destroy();
    response.writeHead(204).end();
  }

  private take(id: string, body: string): void {
    const { previous, first, last, entries } = JSON.parse(body) as Batch;
    const bounds = `${previous} ${first} ${last}`;
    const known = this.ids.get(id);
    if (known !== undefined && known !== bounds)
      this.ledger.fault(`${this.name}: ${id} came as ${known} and as ${bounds}`);
    if (known === undefined && previous !== this.position)
      this.ledger.fault(`${this.name}: a batch after ${previous} came after one up to ${this.position}`);
    const sequences = entries.map(({ sequence }) => sequence);
    if (
      sequences.some(
        (sequence, at) => sequence < first || sequence > last || sequence <= (sequences[at - 1] ?? 0),
      )
    )
      this.ledger.fault(`${this.name}: ${id} is out of order`);
    this.ids.set(id, bounds);
    this.position = Math.max(this.position, last);
    appendFileSync(this.file, `${body}\n`);
  }
}
