import { once } from 'node:events';
import type { Socket } from 'node:net';

/** How long a receiver may leave what was written unread. */
const DRAIN_MS = 30_000;

/** A connection to a syslog server, made when it is needed and again where it has ended. */
export interface SyslogConnection {
  /** Of the connection that stands now, from 1; null where none does. */
  readonly number: number | null;
  /** Resolves when all of it is with the operating system. Errors: those of the network, the reason of the signal. */
  write(bytes: Buffer, signal: AbortSignal): Promise<void>;
  close(): void;
}

export function syslogConnection(connect: () => Promise<Socket>): SyslogConnection {
  let last: Socket | null = null;
  let count = 0;
  const standing = () => (last && !last.destroyed && last.writable ? last : null);
  const open = async () => {
    const socket = await connect();
    // An end that comes of itself is seen by its next use.
    socket.on('error', () => {});
    // Nothing is expected; what comes is thrown away.
    socket.resume();
    socket.on('end', () => socket.destroy());
    last = socket;
    count += 1;
    return socket;
  };
  return {
    get number() {
      return standing() && count;
    },
    async write(bytes, signal) {
      const socket = standing() ?? (await open());
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
    },
    close: () => last?.destroy(),
  };
}
