import { sql } from 'kysely';
import { v7 } from 'uuid';
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
  private readonly identifier = new Identifier();
  private readonly requestId = v7();

  /** `operator` runs `command`. */
  constructor(
    private readonly operator: string,
    private readonly command: string,
  ) {}

  /** Creates the month that the entries will be written to; to be called before anything is locked. */
  ensureMonth(database: OwnerDatabase): Promise<void> {
    return database.transact(async (execute) => void (await execute(sql`select reel_ensure_month(now())`)));
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
