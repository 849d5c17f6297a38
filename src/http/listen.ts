import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Sockets that listen on the port. In each turn of the event loop one connection is accepted from each: with one alone, a
 * busy server leaves who wants to connect waiting, and the kernel drops those that its queue has no place for.
 */
const SOCKETS = 16;
/** Where the kernel shares out connections among sockets on one port (socket(7), SO_REUSEPORT). */
const SHARES_PORTS = process.platform === 'linux';

export interface ListenOptions {
  host: string;
  /** 0: any that is free. */
  port: number;
}

/** Listens, and returns what ends that. Errors: those of listening, EADDRINUSE also where others share the port. */
export async function listen(app: FastifyInstance, { host, port }: ListenOptions): Promise<() => void> {
  if (!SHARES_PORTS) {
    await app.listen({ host, port });
    return () => {};
  }
  if (port !== 0) await checkIsFree({ host, port });
  await app.listen({ host, port, reusePort: true } as ListenOptions);
  const taken = (app.server.address() as AddressInfo).port;
  const servers: Server[] = [];
  for (let number = 1; number < SOCKETS; number += 1) {
    // As Node's HTTP server has its own.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      app.server.emit('connection', socket),
    );
    servers.push(server);
    await open(server, { host, port: taken, reusePort: true });
  }
  return () => {
    for (const server of servers) server.close();
  };
}

/** Another Reel would share its port, and its requests would go to either. */
async function checkIsFree(options: ListenOptions): Promise<void> {
  const server = createServer();
  await open(server, options);
  await new Promise((done) => server.close(done));
}

async function open(server: Server, options: ListenOptions & { reusePort?: boolean }): Promise<void> {
  server.listen(options);
  await once(server, 'listening');
}
