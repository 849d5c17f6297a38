import { ReelError, unavailable } from '../errors.js';

/** SQLSTATE classes of a database that is away, starting, full or stopping: connection (08), resources (53), intervention (57). */
const AWAY = /^(08|53|57)/;
const AWAY_SYSTEM = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
]);

/** SQLSTATEs of a database that is there but lets Reel in no more: authorization (28), its name (3D), closed to connections. */
const SHUT = /^(28|3D|55000$)/;

/** Says UNAVAILABLE for what another try may mend; the cause stays for Reel's own log. */
export async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isAway(error) || SHUT.test((error as { code?: string }).code ?? '')
      ? Object.assign(unavailable('The database does not answer; try again shortly'), { cause: error })
      : error;
  }
}

export function isAway(error: unknown): boolean {
  if (error instanceof ReelError) return false;
  const { code, message } = error as { code?: string; message?: string };
  if (code === '57014') return false; // query_canceled: a statement of our own that took too long
  return (
    AWAY.test(code ?? '') ||
    AWAY_SYSTEM.has(code ?? '') ||
    /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/.test(
      message ?? '',
    )
  );
}
