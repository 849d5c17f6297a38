/** Followers of a tenant's entries by websocket and by server-sent events, over every broken connection. */
import { setTimeout } from 'node:timers/promises';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWsClient } from 'graphql-ws';
import type { Random } from './built.ts';
import type { Fleet } from './fleet.ts';
import type { Ledger } from './ledger.ts';
import type { Tenant } from './tenants.ts';

const FOLLOW =
  'subscription ($after: Count, $filter: LogFilter) { logAdded(after: $after, filter: $filter) { id sequence module } }';

interface Followed {
  id: string;
  sequence: number;
  module: string;
}

export class Follower {
  readonly tenant: Tenant;
  readonly transport: 'websocket' | 'event stream';
  /** null: every module's entries. */
  readonly module: string | null;
  /** Up to where its entries were taken. */
  checked: number;
  /** Sequences received since they were last taken. */
  private received: number[] = [];
  private last: number;
  private isOver = false;
  private drop: () => void = () => {};
  private readonly fleet: Fleet;
  private readonly ledger: Ledger;
  private readonly random: Random;
  private readonly running: Promise<void>;

  constructor(
    world: { fleet: Fleet; ledger: Ledger; random: Random },
    follow: { tenant: Tenant; transport: Follower['transport']; module: string | null; after: number },
  ) {
    this.fleet = world.fleet;
    this.ledger = world.ledger;
    this.random = world.random;
    this.tenant = follow.tenant;
    this.transport = follow.transport;
    this.module = follow.module;
    this.last = follow.after;
    this.checked = follow.after;
    this.running = this.run();
  }

  get name(): string {
    return `the tail of ${this.tenant.name} by ${this.transport}${this.module ? `, ${this.module} alone,` : ''}`;
  }

  get position(): number {
    return this.last;
  }

  /** What came since it was last asked, in the order in which it came. */
  take(): number[] {
    const taken = this.received;
    this.received = [];
    this.checked = this.last;
    return taken;
  }

  /** Breaks the connection; it goes on after the last entry received. */
  reconnect(): void {
    this.drop();
  }

  async stop(): Promise<void> {
    this.isOver = true;
    this.drop();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.isOver) {
      const url = this.fleet.pick(this.random);
      if (url !== null) await this.follow(url);
      await setTimeout(20 + 100 * this.random.fraction());
    }
  }

  private async follow(url: string): Promise<void> {
    const credential = { authorization: `Bearer ${this.tenant.person}` };
    const client =
      this.transport === 'websocket'
        ? createWsClient({
            url: `${url.replace('http', 'ws')}/graphql`,
            connectionParams: credential,
            retryAttempts: 0,
          })
        : createSseClient({ url: `${url}/graphql`, headers: credential, retryAttempts: 0 });
    const request = {
      query: FOLLOW,
      variables: { after: this.last, filter: this.module === null ? null : { modules: [this.module] } },
    };
    try {
      const entries = client.iterate<{ logAdded: Followed }>(request);
      this.drop = () => void entries.return?.();
      for await (const { data, errors } of entries) {
        if (errors?.length) return this.refused(JSON.stringify(errors).slice(0, 300));
        this.receive(data!.logAdded);
        if (this.isOver) return;
      }
    } catch (error) {
      this.refused(describe(error));
    } finally {
      this.drop = () => {};
      void client.dispose();
    }
  }

  private receive({ id, sequence, module }: Followed): void {
    if (sequence <= this.last)
      this.ledger.fault(`${this.name} brought ${sequence} after ${this.last}: ${id}`);
    if (this.module !== null && module !== this.module)
      this.ledger.fault(`${this.name} brought an entry of ${module}: ${id}`);
    this.ledger.place(this.tenant.id, id, sequence);
    this.received.push(sequence);
    this.last = sequence;
  }

  /** A connection may break and a server be unavailable; to be refused for good is a fault. */
  private refused(reason: string): void {
    if (
      /BAD_USER_INPUT|FORBIDDEN|UNAUTHENTICATED|INTERNAL_SERVER_ERROR|\b(?:4400|4401|4403|4500|1011)\b/.test(
        reason,
      )
    )
      this.ledger.fault(`${this.name} was refused: ${reason}`);
  }
}

function describe(error: unknown): string {
  if (error instanceof Error) return `${error.name} ${error.message}`;
  const { code, reason } = error as { code?: number; reason?: string };
  return code === undefined ? JSON.stringify(error) : `${code} ${reason ?? ''}`;
}
