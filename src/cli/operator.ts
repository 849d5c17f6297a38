import { hostname, userInfo } from 'node:os';

/** Who types the command, as far as the system tells: `name@host`. */
export function operator(): string {
  return `${accountName()}@${hostname()}`;
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // An account without a name, as containers have them.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
