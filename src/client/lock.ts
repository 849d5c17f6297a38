import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { basename, join } from 'node:path';

/** What a Unix socket's address holds everywhere (sockaddr_un has 104 to 108 bytes). */
const MAX_ADDRESS_BYTES = 100;
const SOCKET = 'lock';

/** A folder of this process alone, for as long as the process lives. */
export interface LockedFolder {
  path: string;
  /** It is removed where nothing is left in it. */
  release(): void;
}

/**
 * Makes a folder within the spool whose socket this process listens on. It gets the name that others look for only when
 * the socket is there, so whoever connects to it in vain knows that its process has ended, and that nobody will listen on
 * it again. Errors: those of the file system.
 */
export function lockNewFolder(spool: string): LockedFolder {
  mkdirSync(spool, { recursive: true, mode: 0o700 });
  const name = randomUUID();
  const [draft, path] = [join(spool, `.${name}`), join(spool, name)];
  mkdirSync(draft, { mode: 0o700 });
  try {
    const stop = withAddress(draft, name, listen);
    renameSync(draft, path);
    return {
      path,
      release() {
        removeFolder(path);
        stop();
      },
    };
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
}

/** Whether the process that made the folder has ended. */
export function isAbandoned(folder: string): Promise<boolean> {
  return withAddress(
    folder,
    basename(folder),
    (address, done) =>
      new Promise<boolean>((answer) => {
        const end = (isDead: boolean) => {
          socket.destroy();
          done();
          answer(isDead);
        };
        const socket = connect(address)
          .on('connect', () => end(false))
          .on('error', ({ code }: NodeJS.ErrnoException) =>
            end(code === 'ECONNREFUSED' || code === 'ENOENT'),
          );
        socket.unref();
      }),
  );
}

/** Within this turn: Node binds and listens at once, and tells of an error only later. Answers how to stop. */
function listen(address: string, done: () => void): () => void {
  const server = createServer((socket) => socket.destroy()).on('error', () => {});
  // Not by the primary process of a cluster, which would outlive this one.
  server.listen({ path: address, exclusive: true }).unref();
  // Closing removes the address, so that its descriptor must be this folder's until then.
  const stop = () => {
    server.close();
    done();
  };
  if (server.listening) return stop;
  stop();
  throw new Error(`cannot listen on ${address}`);
}

/** A path too long for a socket's address is named by a descriptor of its folder (Linux), to be closed when it is done with. */
function withAddress<T>(folder: string, name: string, use: (address: string, done: () => void) => T): T {
  if (process.platform === 'win32') return use(`\\\\.\\pipe\\reel-${name}`, () => {});
  const address = join(folder, SOCKET);
  if (Buffer.byteLength(address) <= MAX_ADDRESS_BYTES || process.platform !== 'linux')
    return use(address, () => {});
  const descriptor = openSync(folder, 'r');
  return use(`/proc/self/fd/${descriptor}/${SOCKET}`, () => closeSync(descriptor));
}

/** Unless there is anything in it but a socket, which it loses in any case. */
export function removeFolder(path: string): void {
  try {
    rmSync(join(path, SOCKET), { force: true });
    rmdirSync(path);
  } catch {}
}
