import { hostname, userInfo } from 'node:os';

/** Who runs the command, according to the operating system: `name@host`. */
export function operator(): string {
  return `${accountName()}@${hostname()}`;
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // An account without a name, as in containers.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
