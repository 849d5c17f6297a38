import type { Scope } from '../../auth/scope.js';
import type { CallSignal } from '../../database/call.js';
import { type EndTurn, Turns } from '../../database/turns.js';
import { overloaded } from '../../errors.js';

/** Downloads at once, of a client and of a server. */
const [OF_A_CLIENT, OF_A_SERVER] = [4, 20];
/** Downloads of a client that may wait behind its own, and of a tenant behind others'. */
const [WAITING_OF_A_CLIENT, WAITING_OF_A_TENANT] = [20, 100];
/** The longest that one may wait in either line, in milliseconds. */
const WAIT_MS = 60_000;
const RETRY_SECONDS = 10;

/** Turns at downloading: first a client's among its own, then, round among tenants, one of the server's. */
export class ExportTurns {
  private readonly clients = new Turns(
    {
      atOnce: Number.POSITIVE_INFINITY,
      atOncePerKey: OF_A_CLIENT,
      waitingPerKey: WAITING_OF_A_CLIENT,
      waitMs: WAIT_MS,
    },
    () => overloaded(`${OF_A_CLIENT} exports of this client are being downloaded`, RETRY_SECONDS),
  );
  private readonly tenants = new Turns(
    {
      atOnce: OF_A_SERVER,
      atOncePerKey: OF_A_SERVER,
      waitingPerKey: WAITING_OF_A_TENANT,
      waitMs: WAIT_MS,
    },
    () => overloaded(`${OF_A_SERVER} exports are being downloaded`, RETRY_SECONDS),
  );

  get waiting(): number {
    return this.clients.waiting + this.tenants.waiting;
  }

  /** Downloads that have their turn. */
  get atOnce(): number {
    return this.tenants.atOnce;
  }

  async take({ tenantId, clients }: Scope, signal: CallSignal): Promise<EndTurn> {
    const endOfClient = await this.clients.take(`${tenantId} ${clients?.join() ?? ''}`, { signal });
    try {
      const endOfTenant = await this.tenants.take(tenantId, { signal });
      return () => {
        endOfTenant();
        endOfClient();
      };
    } catch (error) {
      endOfClient();
      throw error;
    }
  }
}
