import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';

/** What a proxy does with bytes and new connections. */
export type ProxyMode =
  | 'pass'
  /** Swallows what comes on connections that there are, and passes that of new ones: as a firewall that has lost its state. */
  | 'swallow-old'
  /** Resets connections as they come. */
  | 'reset';

/** Between a client and a server on this machine, where a test makes the network fail. */
export class TcpProxy {
  mode: ProxyMode = 'pass';
  private readonly pairs = new Set<{ client: Socket; server: Socket; isOld: boolean }>();
  private readonly listener: Server;

  constructor(public targetPort: number) {
    this.listener = createServer((client) => this.accept(client));
  }

  async listen(): Promise<number> {
    this.listener.listen(0, '127.0.0.1');
    await once(this.listener, 'listening');
    return (this.listener.address() as AddressInfo).port;
  }

  set(mode: ProxyMode): void {
    this.mode = mode;
    for (const pair of this.pairs) {
      pair.isOld = true;
      if (mode === 'reset') this.destroy(pair);
    }
  }

  async close(): Promise<void> {
    for (const pair of this.pairs) this.destroy(pair);
    this.listener.close();
    await once(this.listener, 'close');
  }

  private accept(client: Socket): void {
    if (this.mode === 'reset') {
      client.on('error', () => {}).resetAndDestroy();
      return;
    }
    const server = dial(this.targetPort, '127.0.0.1');
    const pair = { client, server, isOld: false };
    this.pairs.add(pair);
    const passes = () => this.mode === 'pass' || (this.mode === 'swallow-old' && !pair.isOld);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('data', (bytes) => passes() && to.write(bytes));
      from.on('error', () => {});
      from.on('close', () => passes() && this.destroy(pair));
    }
  }

  private destroy(pair: { client: Socket; server: Socket; isOld: boolean }): void {
    this.pairs.delete(pair);
    for (const socket of [pair.client, pair.server]) if (!socket.destroyed) socket.resetAndDestroy();
  }
}
