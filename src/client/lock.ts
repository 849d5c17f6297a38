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
  const name = randomUUID();
  const [draft, path] = [join(spool, `.${name}`), join(spool, name)];
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  const stop = listen(draft, name);
  renameSync(draft, path);
  return {
    path,
    release() {
      removeFolder(path);
      stop();
    },
  };
}

/** Within this turn: Node binds and listens at once, and tells of an error only later. Answers how to stop. */
function listen(folder: string, name: string): () => void {
  const { address, free } = addressOf(folder, name);
  const server = createServer((socket) => socket.destroy()).on('error', () => {});
  // Not by the primary process of a cluster, which would outlive this one.
  server.listen({ path: address, exclusive: true }).unref();
  // Closing removes the address, so that its descriptor must be this folder's until then.
  const stop = () => {
    server.close();
    free();
  };
  if (server.listening) return stop;
  stop();
  removeFolder(folder);
  throw new Error(`cannot listen on ${address}`);
}

/** Whether the process that made the folder has ended. */
export function isAbandoned(folder: string): Promise<boolean> {
  const { address, free } = addressOf(folder, basename(folder));
  return new Promise((answer) => {
    const end = (code?: string) => {
      socket.destroy();
      free();
      answer(code === 'ECONNREFUSED' || code === 'ENOENT');
    };
    const socket = connect(address, () => end())
      .on('error', ({ code }: NodeJS.ErrnoException) => end(code))
      .unref();
  });
}

/** A path too long for a socket's address is named by a descriptor of its folder (Linux), to be freed when it is done with. */
function addressOf(folder: string, name: string): { address: string; free(): void } {
  const address = process.platform === 'win32' ? `\\\\.\\pipe\\reel-${name}` : join(folder, SOCKET);
  if (Buffer.byteLength(address) <= MAX_ADDRESS_BYTES) return { address, free() {} };
  const descriptor = openSync(folder, 'r');
  return { address: `/proc/self/fd/${descriptor}/${SOCKET}`, free: () => closeSync(descriptor) };
}

/** Unless there is anything in it but a socket, which it loses in any case. */
export function removeFolder(path: string): void {
  try {
    rmSync(join(path, SOCKET), { force: true });
    rmdirSync(path);
  } catch {}
}
