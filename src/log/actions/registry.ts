import { forbidden } from '../../errors.js';
import { isOwnModule, OWN_MODULE } from '../entry/module-name.js';
import { type ModuleActions, modulesOf } from './module-actions.js';
import type { RegisterActionInput, RegisteredAction } from './registered-action.js';
import { checkRegistrations } from './registration.js';
import {
  type ActionDatabase,
  readRegistrations,
  readRevision,
  type StoredRegistration,
  storeRegistrations,
} from './store.js';

/** What was registered on other servers counts here after so long. */
const MAX_AGE_MS = 5_000;

/** What is registered, as it was read at a time. */
export interface Registered {
  readonly modules: ReadonlyMap<string, ModuleActions>;
  /** The newest version of each action, by module and action. */
  readonly newest: readonly RegisteredAction[];
}

interface Known extends Registered {
  readonly revision: string;
  /** When it was last known to be what the database has, by performance.now(). */
  readonly at: number;
}

/** The actions that modules registered: it registers them, and keeps what is registered in memory. */
export class RegisteredActions {
  private known: Known | null = null;
  private reading: Promise<Known> | null = null;

  /** `redactionKey`: of HMAC; null: there is none. */
  constructor(
    private readonly database: ActionDatabase,
    private readonly redactionKey: string | null,
  ) {}

  /** What is registered, no older than five seconds; null where it must be read first. */
  get recent(): Registered | null {
    return this.known && performance.now() - this.known.at < MAX_AGE_MS ? this.known : null;
  }

  /** What is registered now, read by way of `database`. Errors: UNAVAILABLE. */
  async current(database: Pick<ActionDatabase, 'ask'> = this.database): Promise<Registered> {
    const since = performance.now();
    for (;;) {
      if (this.known && this.known.at >= since) return this.known;
      this.reading ??= this.read(database).finally(() => {
        this.reading = null;
      });
      this.known = await this.reading;
    }
  }

  /** The newest version of each action, of one module or all. */
  async list(module: string | null | undefined): Promise<readonly RegisteredAction[]> {
    const { newest } = await this.current();
    return module == null ? newest : newest.filter((each) => each.module === module);
  }

  /**
   * Registers actions of a module, all or none, and answers them in the order given. Errors: BAD_USER_INPUT with every fault;
   * CONFLICT where a version is registered with other content, or the module has too many; FORBIDDEN for `*` and Reel's own name.
   */
  async register(module: string, inputs: readonly RegisterActionInput[]): Promise<RegisteredAction[]> {
    if (module === '*')
      throw forbidden("Actions are a module's own: this needs the credential of one, not of a gateway");
    if (isOwnModule(module)) throw forbidden(`The module name ${OWN_MODULE} is reserved`);
    const registrations = await checkRegistrations(inputs, this.redactionKey !== null);
    await storeRegistrations(this.database, module, registrations);
    await this.current();
    return registrations.map((each) => ({ module, ...each }));
  }

  private async read(database: Pick<ActionDatabase, 'ask'>): Promise<Known> {
    const at = performance.now();
    const revision = await readRevision(database);
    if (this.known?.revision === revision) return { ...this.known, at };
    // What is registered in between is read, too, and read again the next time.
    const stored = await readRegistrations(database);
    return {
      revision,
      at,
      modules: modulesOf(stored, this.redactionKey),
      newest: newestOf(stored),
    };
  }
}

/** Of registrations by module, action and version. */
const newestOf = (stored: readonly StoredRegistration[]): RegisteredAction[] =>
  stored.filter(({ module, action }, index) => {
    const next = stored[index + 1];
    return next?.module !== module || next.action !== action;
  });
