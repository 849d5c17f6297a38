import { setTimeout } from 'node:timers/promises';
import { ReelError, unavailable } from '../errors.js';

/** What a caller is promised where the database fails without any fault of the call. */
export interface DatabaseFault {
  /** SQLSTATEs, or classes of them by their first two characters (PostgreSQL's manual, appendix A). */
  states: readonly string[];
  /** What the database's condition is called. */
  condition: string;
  /** Whether Reel runs a transaction that writes again by itself, before it gives up. */
  isRetried?: true;
  /** Whether the connection may be the reason, or end here: it is closed, and the next call opens another. */
  isConnectionLost?: true;
  /** Whether nothing may be stored until an operator does something. */
  isExhausted?: true;
}

/**
 * The faults that are answered as UNAVAILABLE with Retry-After, in the order in which they are looked up; what is in none of
 * these rows is a fault of Reel's own, INTERNAL_SERVER_ERROR. docs/operations.md has each row, with what an operator does.
 */
export const DATABASE_FAULTS = [
  { states: ['40001', '40P01'], condition: 'serialization failure or deadlock', isRetried: true },
  { states: ['25006'], condition: 'read-only', isConnectionLost: true },
  { states: ['57014'], condition: 'slow' },
  { states: ['53100'], condition: 'disk full', isExhausted: true },
  { states: ['53200'], condition: 'out of memory', isExhausted: true },
  { states: ['53300'], condition: 'out of connections', isConnectionLost: true },
  { states: ['53'], condition: 'out of another resource', isExhausted: true },
  { states: ['57P03'], condition: 'starting up', isConnectionLost: true },
  { states: ['57'], condition: 'shutting down or restarted', isConnectionLost: true },
  { states: ['08', '25P03', '25P04'], condition: 'connection lost', isConnectionLost: true },
  { states: ['55P03'], condition: 'lock not available' },
  {
    states: ['58000', '58030'],
    condition: 'input or output error',
    isConnectionLost: true,
    isExhausted: true,
  },
  { states: ['28', '3D', '55000'], condition: 'connection refused by the server', isConnectionLost: true },
] as const satisfies readonly DatabaseFault[];

/** Of sockets; a database that hangs is ETIMEDOUT too (answer-within.ts). */
const SOCKET_ERRORS: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
  'EMFILE',
  'ENFILE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);

/**
 * The coordinator of a Citus cluster answers, but not the node that has the tenant's rows: class 08 as an error of the statement, which a lost
 * connection never is.
 */
const NODE_LOST: DatabaseFault = { states: [], condition: 'node of the cluster lost' };

const UNREACHABLE: DatabaseFault = { states: [], condition: 'unreachable', isConnectionLost: true };

/** Messages of the driver, whose own errors have no code. */
const DRIVER_MESSAGE =
  /Connection terminated|timeout expired|timeout exceeded when trying to connect|is not queryable|after calling end on the pool|There was an error establishing an SSL connection/;

/** A statement ran into its time limit, or was cancelled by somebody else. */
const QUERY_CANCELED = '57014';

/** The fault of the database that an error tells of; null for any other error. */
export function databaseFault(error: unknown): DatabaseFault | null {
  if (error instanceof ReelError) return null;
  const code = codeOf(error) ?? '';
  if (code.startsWith('08') && severityOf(error) === 'ERROR') return NODE_LOST;
  const rows: readonly DatabaseFault[] = DATABASE_FAULTS;
  const row = rows.find(({ states }) => states.includes(code) || states.includes(code.slice(0, 2)));
  if (row) return row;
  const { message = '' } = (error ?? {}) as { message?: string };
  return SOCKET_ERRORS.has(code) || DRIVER_MESSAGE.test(message) ? UNREACHABLE : null;
}

/** Whether what concerns other tenants may succeed: their rows are on other nodes. */
export const isNodeLost = (error: unknown): boolean =>
  databaseFault(error instanceof ReelError ? error.cause : error) === NODE_LOST;

/** Whether the database was unreachable, starting, stopping or out of resources. */
export const isUnavailable = (error: unknown): boolean => {
  const fault = databaseFault(error);
  return fault !== null && codeOf(error) !== QUERY_CANCELED && fault.isRetried !== true;
};

/**
 * Turns a fault of the database into UNAVAILABLE, with the original as its cause, which is passed to `onFault` first.
 * `doing` begins the message where a statement took too long.
 */
export async function translateFaults<T>(
  doing: 'Reading' | 'Writing',
  work: () => Promise<T>,
  onFault: (fault: DatabaseFault, error: unknown) => void = () => {},
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const fault = databaseFault(error);
    if (fault === null) throw error;
    onFault(fault, error);
    throw Object.assign(unavailable(messageOf(fault, doing, codeOf(error))), { cause: error });
  }
}

function messageOf({ condition }: DatabaseFault, doing: string, code: string | undefined): string {
  if (code === QUERY_CANCELED)
    return doing === 'Reading'
      ? 'Reading took too long; ask for less, or try again shortly'
      : 'Writing took too long; try again shortly';
  if (condition === 'read-only') return 'The database is read-only at present; try again shortly';
  return 'The database is unavailable; try again shortly';
}

/** Further attempts of a transaction that failed only because another one ran at the same time. */
const RETRIES = 3;
const MAX_PAUSE_MS = 30;

/** Runs a transaction again that a serialization failure or a deadlock ended. */
export async function withRetries<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === RETRIES || !databaseFault(error)?.isRetried) throw error;
      await setTimeout(Math.random() * MAX_PAUSE_MS * (attempt + 1));
    }
  }
}

/** Whether a read or a write ended because a statement took too long. */
export const isTimeout = (error: unknown): boolean =>
  error instanceof ReelError && codeOf(error.cause) === QUERY_CANCELED;

/** The SQLSTATE, or the code of a socket's error. */
const codeOf = (error: unknown) => textOf(error, 'code');
const severityOf = (error: unknown) => textOf(error, 'severity');

/** The ORM wraps the driver's error. */
function textOf(error: unknown, name: 'code' | 'severity'): string | undefined {
  const { [name]: text, cause } = (error ?? {}) as { code?: unknown; severity?: unknown; cause?: unknown };
  if (typeof text === 'string') return text;
  return cause instanceof Error ? textOf(cause, name) : undefined;
}
