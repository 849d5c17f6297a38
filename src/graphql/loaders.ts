import DataLoader from 'dataloader';
import { readerOf } from '../auth/caller.js';
import type { Scope } from '../auth/scope.js';
import type { Caller } from '../http/request.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import { checkSize } from '../log/read/page.js';
import type { InclusionProof } from '../seal/proof.js';
import type { Services } from './context.js';

/** Looks up what hangs on single entries, in one query for all entries of a level. Lives as long as one operation. */
export class Loaders {
  private scope: Promise<Scope | null> | null = null;
  private look: Promise<void> | null = null;
  private readonly requests = new Map<number, DataLoader<string, LogEntry[]>>();
  private proofs: DataLoader<string, InclusionProof | null> | null = null;

  constructor(
    private readonly caller: Caller,
    private readonly services: Pick<Services, 'authorizer' | 'reader' | 'seal' | 'audit'>,
  ) {}

  /** Loaders of the same operation that have seen nothing yet, for one without end, which would keep all it ever saw. */
  renewed(): Loaders {
    const next = new Loaders(this.caller, this.services);
    next.look = this.look;
    return next;
  }

  /** Records that the caller looks, once an operation; to be awaited before anything seen is answered. */
  recordLook(scope: Scope, look: Record<string, unknown>): Promise<void> {
    this.look ??= this.services.audit.viewed(readerOf(this.caller), scope, { door: 'graphql', ...look });
    return this.look;
  }

  /** Other entries of the same request that the caller may view, oldest first. Errors: BAD_USER_INPUT for `first`. */
  async related(entry: LogEntry, first: number): Promise<LogEntry[]> {
    checkSize('first', first);
    const scope = entry.requestId === null ? null : await this.viewScope();
    if (entry.requestId === null || scope === null) return [];
    await this.recordLook(scope, { field: 'related', requestId: entry.requestId });
    const found = await this.requestLoader(scope, first).load(entry.requestId);
    return found.filter((other) => other.id !== entry.id).slice(0, first);
  }

  /** null until the entry is sealed, and where the caller may not view it. */
  async proof(entry: LogEntry): Promise<InclusionProof | null> {
    const scope = await this.viewScope();
    if (scope === null || !reaches(scope, entry)) return null;
    await this.recordLook(scope, { field: 'proof', entryId: entry.id });
    this.proofs ??= new DataLoader(async (ids) => {
      const found = await this.services.seal.inclusionProofs(scope, ids);
      return ids.map((id) => found.get(id) ?? null);
    });
    return this.proofs.load(entry.id);
  }

  private viewScope(): Promise<Scope | null> {
    this.scope ??= this.services.authorizer.viewScope(this.caller);
    return this.scope;
  }

  private requestLoader(scope: Scope, first: number): DataLoader<string, LogEntry[]> {
    const present = this.requests.get(first);
    if (present) return present;
    const loader = new DataLoader<string, LogEntry[]>(async (ids) => {
      // One more, since the asking entry may be among them.
      const found = await this.services.reader.byRequests(scope, ids, first + 1);
      return ids.map((id) => found.get(id) ?? []);
    });
    this.requests.set(first, loader);
    return loader;
  }
}

const reaches = (scope: Scope, entry: LogEntry): boolean =>
  scope.tenantId === entry.tenantId &&
  (scope.clients === null || (entry.clientId !== null && scope.clients.includes(entry.clientId)));
