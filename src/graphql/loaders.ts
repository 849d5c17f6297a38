import DataLoader from 'dataloader';
import { readerOf } from '../auth/caller.js';
import type { Scope } from '../auth/scope.js';
import { conflict } from '../errors.js';
import type { Caller } from '../http/request.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import { checkSize } from '../log/read/page.js';
import type { InclusionProof } from '../seal/proof.js';
import type { Services } from './services.js';

/** Loads what fields of single entries need, in one query for all entries of a level. Of one operation. */
export class Loaders {
  private scope: Promise<Scope | null> | null = null;
  private view: Promise<void> | null = null;
  private batch: readonly LogEntry[] = [];
  private readonly related = new Map<number, DataLoader<string, LogEntry[]>>();
  private proofs: DataLoader<string, InclusionProof | null> | null = null;

  constructor(
    private readonly caller: Caller,
    private readonly services: Pick<Services, 'authorizer' | 'reader' | 'seal' | 'audit'>,
  ) {}

  /**
   * For a subscription, which has no end: forgets what was loaded before, and loads for all of these entries together,
   * though they are resolved one after another.
   */
  startBatch(entries: readonly LogEntry[]): void {
    this.batch = entries;
    this.scope = null;
    this.related.clear();
    this.proofs = null;
  }

  /** Records that the caller views the log, once an operation; await it before answering with anything read. */
  recordView(scope: Scope, details: Record<string, unknown>): Promise<void> {
    this.view ??= this.services.audit.viewed(readerOf(this.caller), scope, { door: 'graphql', ...details });
    return this.view;
  }

  /** Other entries of the same request that the caller may view, oldest first. Errors: BAD_USER_INPUT for `first`. */
  async relatedTo(entry: LogEntry, first: number): Promise<LogEntry[]> {
    checkSize('first', first);
    const scope = entry.requestId === null ? null : await this.viewScope();
    if (entry.requestId === null || scope === null) return [];
    await this.recordView(scope, { field: 'related', requestId: entry.requestId });
    const found = await this.relatedLoader(scope, first).load(entry.requestId);
    return found.filter((other) => other.id !== entry.id).slice(0, first);
  }

  /** null until the entry is sealed, and where the caller may not view it. Errors: CONFLICT where the entry was erased since. */
  async proofOf(entry: LogEntry): Promise<InclusionProof | null> {
    const scope = await this.viewScope();
    if (scope === null || !covers(scope, entry)) return null;
    await this.recordView(scope, { field: 'proof', entryId: entry.id });
    const proof = await this.proofLoader(scope).load(entry.id);
    // The entry's own fields may be answered already.
    if (proof && Boolean(entry.erasedAt) === Boolean(proof.identitySalt))
      throw conflict(`Entry ${entry.id} was erased since it was read; ask again`);
    return proof;
  }

  private viewScope(): Promise<Scope | null> {
    this.scope ??= this.services.authorizer.viewScope(this.caller);
    return this.scope;
  }

  private relatedLoader(scope: Scope, first: number): DataLoader<string, LogEntry[]> {
    const present = this.related.get(first);
    if (present) return present;
    const loader = new DataLoader<string, LogEntry[]>(async (requestIds) => {
      // One more, since the entry itself may be among them.
      const found = await this.services.reader.byRequests(scope, requestIds, first + 1);
      return requestIds.map((id) => found.get(id) ?? []);
    });
    void loader.loadMany(this.batch.flatMap(({ requestId }) => requestId ?? []));
    this.related.set(first, loader);
    return loader;
  }

  private proofLoader(scope: Scope): DataLoader<string, InclusionProof | null> {
    if (this.proofs) return this.proofs;
    this.proofs = new DataLoader(async (ids) => {
      const found = await this.services.seal.inclusionProofs(scope, ids);
      return ids.map((id) => found.get(id) ?? null);
    });
    void this.proofs.loadMany(this.batch.map(({ id }) => id));
    return this.proofs;
  }
}

const covers = (scope: Scope, entry: LogEntry): boolean =>
  scope.tenantId === entry.tenantId &&
  (scope.clients === null || (entry.clientId !== null && scope.clients.includes(entry.clientId)));
