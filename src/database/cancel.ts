import { once } from 'node:events';
import pg from 'pg';

/** How long a cancel request may take. */
const CANCEL_MS = 2_000;
/** A request may come before its statement has begun, and is then lost. */
const AGAIN_MS = 500;

/** What the driver has of a connection, though its types do not say so. */
interface Backend {
  processID: number;
  secretKey: number | Buffer;
  ssl: boolean | object;
  sslNegotiation: 'postgres' | 'direct';
  host: string;
  port: number;
}
interface CancellingConnection extends pg.Connection {
  connect(port: number | string, host?: string): void;
  cancel(processId: number, secretKey: number | Buffer): void;
  requestSsl(): void;
}

/**
 * Cancels whatever statement runs on a connection, again and again until it is told to stop. By CancelRequest (PostgreSQL's
 * manual, "Canceling Requests in Progress") on a connection of its own, not by pg_cancel_backend: PgBouncer hands out keys of
 * its own, and all connections of a pool may be busy.
 */
export class Cancelling {
  private timer: NodeJS.Timeout | undefined;
  private request: Promise<void> = Promise.resolve();
  private isOver = false;

  constructor(private readonly client: pg.ClientBase) {
    this.send();
  }

  /** Resolves once no request can reach the connection any more: only then may it serve another caller. */
  async stop(): Promise<void> {
    this.isOver = true;
    clearTimeout(this.timer);
    await this.request;
  }

  private send(): void {
    this.request = requestCancel(this.client as unknown as Backend)
      .catch(() => {}) // The statement ends at its timeout, then.
      .finally(() => {
        if (!this.isOver) this.timer = setTimeout(() => this.send(), AGAIN_MS);
      });
  }
}

/** Resolves when the server has closed the connection, by when it has passed the request on. */
async function requestCancel({
  processID,
  secretKey,
  ssl,
  sslNegotiation,
  host,
  port,
}: Backend): Promise<void> {
  const connection = new pg.Connection({ ssl, sslNegotiation } as object) as CancellingConnection;
  const signal = AbortSignal.timeout(CANCEL_MS);
  connection.on('error', () => connection.stream.destroy());
  try {
    const ended = once(connection, 'end', { signal });
    const ready = once(connection, ssl ? 'sslconnect' : 'connect', { signal });
    if (ssl && sslNegotiation !== 'direct') connection.once('connect', () => connection.requestSsl());
    if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`);
    else connection.connect(port, host);
    await Promise.race([ready, ended]);
    connection.cancel(processID, secretKey);
    await ended;
  } finally {
    connection.stream.destroy();
  }
}
