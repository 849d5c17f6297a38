import { sql } from 'kysely';
import { v7 } from 'uuid';
import { DatabaseClock } from '../../database/clock.js';
import type { Execute } from '../../database/execute.js';
import { checkInput } from '../entry/check-entry.js';
import type { CreateLogInput } from '../entry/create-log-input.js';
import { Identifier } from '../entry/identifier.js';
import { OWN_MODULE } from '../entry/module-name.js';
import { prepareEntry } from '../write/prepare.js';
import { storeEntries } from '../write/store.js';
import type { OWN_ACTIONS } from './own-actions.js';

/** Transactions of the tables' owner, whom row-level security lets see and change every tenant's rows. */
export interface OwnerDatabase {
  /** Whether a statement may concern one tenant alone, and change one table. */
  readonly isDistributed?: boolean;
  transact<T>(work: (execute: Execute) => Promise<T>): Promise<T>;
}

export type OwnAction = (typeof OWN_ACTIONS)[keyof typeof OWN_ACTIONS];

/** One of Reel's own entries about a tenant's trail. */
export interface OwnEntry {
  action: OwnAction;
  tenantId: string;
  resourceType: string;
  resourceId: string | null;
  /** `at`: the entry's created_at. Stored together with the operator and the command. */
  data: (at: string) => Record<string, unknown>;
}

const MAX_NAME = 255;

/**
 * Writes Reel's own entries for one run of a command, each in the transaction that does what it records, so that neither
 * exists without the other. All entries of a run share a request id.
 */
export class OwnEntries {
  private readonly clock = new DatabaseClock();
  private readonly identifier = new Identifier(this.clock);
  private readonly requestId = v7();

  /** `operator` runs `command`. */
  constructor(
    private readonly operator: string,
    private readonly command: string,
  ) {}

  /** Creates the month that the entries will be written to, and asks for the database's time; to be called before anything is locked. */
  async ensureMonth(database: OwnerDatabase): Promise<void> {
    const sentAt = this.clock.sendingAt();
    const [row] = await database.transact((execute) =>
      execute<{ micros: string }>(
        sql`select (extract(epoch from clock_timestamp()) * 1000000)::bigint::text as micros, reel_ensure_month(now())`,
      ),
    );
    this.clock.observe(Number(row!.micros), sentAt);
  }

  async write(execute: Execute, entry: OwnEntry): Promise<{ id: string; at: string }> {
    const identity = this.identifier.next();
    const { action, tenantId, resourceType, resourceId } = entry;
    const input: CreateLogInput = {
      module: OWN_MODULE,
      action,
      tenantId,
      actorName: [...this.operator].slice(0, MAX_NAME).join(''),
      resourceType,
      resourceId,
      requestId: this.requestId,
      data: { by: this.operator, command: this.command, ...entry.data(identity.createdAt) },
    };
    const checked = checkInput(
      input,
      { kind: 'module', module: OWN_MODULE, ip: null, agent: null },
      { reelItself: true },
    );
    await storeEntries(execute, [prepareEntry(checked, identity)]);
    return { id: identity.id, at: identity.createdAt };
  }
}
