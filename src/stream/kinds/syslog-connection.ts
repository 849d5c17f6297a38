import { once } from 'node:events';
import type { Socket } from 'node:net';

/** How long a receiver may leave what was written unread. */
const DRAIN_MS = 30_000;

/** A connection to a syslog server, made when it is needed and again where it has ended. */
export class SyslogConnection {
  private socket: Socket | null = null;
  private count = 0;

  constructor(private readonly connect: () => Promise<Socket>) {}

  /** Of the connection that stands now, from 1; null where none does. */
  get number(): number | null {
    return this.standing() && this.count;
  }

  /** Resolves when all of it is with the operating system. Errors: those of the network, the reason of the signal. */
  async write(bytes: Buffer, signal: AbortSignal): Promise<void> {
    const socket = this.standing() ?? (await this.open());
    if (socket.write(bytes)) return;
    const bound = AbortSignal.any([signal, AbortSignal.timeout(DRAIN_MS)]);
    const closed = once(socket, 'close', { signal: bound }).then(() => {
      throw Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' });
    });
    closed.catch(() => {});
    try {
      await Promise.race([once(socket, 'drain', { signal: bound }), closed]);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  close(): void {
    this.socket?.destroy();
  }

  private standing(): Socket | null {
    return this.socket && !this.socket.destroyed && this.socket.writable ? this.socket : null;
  }

  private async open(): Promise<Socket> {
    const socket = await this.connect();
    // An end that comes of itself is seen by its next use.
    socket.on('error', () => {});
    // Nothing is expected; what comes is thrown away.
    socket.resume();
    socket.on('end', () => socket.destroy());
    this.socket = socket;
    this.count += 1;
    return socket;
  }
}
