import { ReelError, unavailable } from '../errors.js';

/**
 * SQLSTATE classes of a database that cannot be reached, is starting or stopping, or has no room: connection exception
 * (08), insufficient resources (53), operator intervention (57).
 */
const UNAVAILABLE = /^(08|53|57)/;
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
]);

/** SQLSTATEs of a server that runs but rejects the connection: authorization (28), no such database (3D), not accepting connections (55000). */
const REJECTED = /^(28|3D|55000$)/;

/** A statement ran into its time limit, or was cancelled by somebody else. */
const QUERY_CANCELED = '57014';

/** Turns an error that a retry may overcome into UNAVAILABLE, with the original as its cause, for Reel's log. */
export async function translateUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isUnavailable(error) || REJECTED.test((error as { code?: string }).code ?? '')
      ? Object.assign(unavailable('The database is unavailable; try again shortly'), { cause: error })
      : error;
  }
}

/** Whether the database was unreachable, starting, stopping or out of resources. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof ReelError) return false;
  const { code, message } = error as { code?: string; message?: string };
  if (code === QUERY_CANCELED) return false;
  return (
    UNAVAILABLE.test(code ?? '') ||
    UNREACHABLE.has(code ?? '') ||
    /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/.test(
      message ?? '',
    )
  );
}

/** A statement that ran longer than its bound becomes UNAVAILABLE, with the original as its cause. */
export async function translateTimeout<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw codeOf(error) === QUERY_CANCELED
      ? Object.assign(unavailable('Reading took too long; ask for less, or try again shortly'), {
          cause: error,
        })
      : error;
  }
}

/** Whether a read ended because a statement took too long. */
export const isTimeout = (error: unknown): boolean =>
  error instanceof ReelError && codeOf(error.cause) === QUERY_CANCELED;

const codeOf = (error: unknown) => (error as { code?: string } | undefined)?.code;
