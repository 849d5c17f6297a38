import { sql } from 'kysely';
import { v7 } from 'uuid';
import type { Run } from '../../database/run.js';
import { checkInput } from '../entry/check-entry.js';
import type { CreateLogInput } from '../entry/create-log-input.js';
import { Identifier } from '../entry/identifier.js';
import { OWN_MODULE } from '../entry/module-name.js';
import { prepareEntry } from '../write/prepare.js';
import { storeEntries } from '../write/store.js';
import type { OWN_ACTIONS } from './own-actions.js';

/** Transactions of the tables' owner, whom row-level security lets see and change every tenant's rows. */
export interface OwnerDatabase {
  transact<T>(work: (run: Run) => Promise<T>): Promise<T>;
}

export type OwnAction = (typeof OWN_ACTIONS)[keyof typeof OWN_ACTIONS];

export interface Act {
  action: OwnAction;
  tenantId: string;
  resourceType: string;
  resourceId: string | null;
  /** `at`: the entry's created_at. Kept with who and by which command. */
  data: (at: string) => Record<string, unknown>;
}

const MOST_NAME = 255;

/**
 * What one run of a command writes into tenants' trails about what it does: each entry in the transaction that does it,
 * so that neither stands without the other. All of a run share a request id.
 */
export class Account {
  private readonly identifier = new Identifier();
  private readonly requestId = v7();

  /** `who` acts by `command`. */
  constructor(
    private readonly who: string,
    private readonly command: string,
  ) {}

  /** Sees to it that what will be written has its month; to be called before anything is locked. */
  open(database: OwnerDatabase): Promise<void> {
    return database.transact(async (run) => void (await run(sql`select reel_ensure_month(now())`)));
  }

  async write(run: Run, act: Act): Promise<{ id: string; at: string }> {
    const identity = this.identifier.next();
    const { action, tenantId, resourceType, resourceId } = act;
    const input: CreateLogInput = {
      module: OWN_MODULE,
      action,
      tenantId,
      actorName: [...this.who].slice(0, MOST_NAME).join(''),
      resourceType,
      resourceId,
      requestId: this.requestId,
      data: { by: this.who, command: this.command, ...act.data(identity.createdAt) },
    };
    const checked = checkInput(
      input,
      { kind: 'module', module: OWN_MODULE, ip: null, agent: null },
      { reelItself: true },
    );
    await storeEntries(run, [prepareEntry(checked, identity)]);
    return { id: identity.id, at: identity.createdAt };
  }
}
