import { v7 } from 'uuid';
import type { Reader, Scope } from '../../auth/scope.js';
import type { Database } from '../../database/database.js';
import type { Execute } from '../../database/execute.js';
import { badInput, conflict, forbidden, ReelError } from '../../errors.js';
import { parseInstant } from '../../query-line/values.js';
import { foldEmail } from '../entry/email.js';
import { checkSavedName, checkSavedQuery, isLabel } from '../filter/saved-query.js';
import type { ReelService } from '../service.js';
import type { SavedView, SaveViewInput } from './saved-view.js';
import { countOtherViews, deleteView, lockViews, readView, readViews, writeView } from './store.js';

/** Actions of the entries, of module `reel`, that record what became of views. */
export const VIEW_ACTIONS = {
  created: 'reel.views.created',
  changed: 'reel.views.changed',
  removed: 'reel.views.removed',
} as const;

const RANGES = ['15m', '1h', '24h', '7d', '30d'];
const MAX_VIEWS = 100;
const MAX_COLUMNS = 40;
const MAX_COLUMN = 255;

/** Who asks for views, in what tenant. */
export interface ViewCaller {
  readonly scope: Scope;
  readonly by: Reader;
  /** Whether they view the whole tenant, whatever client the call is narrowed to. */
  readonly isTenantViewer: boolean;
}

/** Views that people save for themselves or for all who may view in their tenant. Errors: BAD_USER_INPUT, NOT_FOUND, FORBIDDEN, CONFLICT. */
export class ViewService {
  constructor(
    private readonly database: Pick<Database, 'read' | 'configure'>,
    private readonly reel: Pick<ReelService, 'recordWith'>,
    private readonly onRecorded: () => void,
  ) {}

  /** The person's own and the tenant's shared ones, by name. */
  list({ tenantId }: Scope, by: Reader): Promise<SavedView[]> {
    return this.database.read(tenantId, (execute) => readViews(execute, tenantId, ownerOf(by)));
  }

  async save(caller: ViewCaller, input: SaveViewInput): Promise<SavedView> {
    const { tenantId } = caller.scope;
    const asked = checkView(tenantId, input);
    const saved = await this.database.configure(tenantId, async (execute) => {
      await lockViews(execute, tenantId);
      const before = input.id == null ? null : await this.changeable(execute, caller, input.id);
      const view = { ...asked, id: before?.id ?? v7(), ownerId: before?.ownerId ?? ownerOf(caller.by) };
      if (before && isSame(before, view)) return before;
      const { owned, shared } = await countOtherViews(execute, tenantId, view);
      if (!before && owned >= MAX_VIEWS) throw conflict(`A person has at most ${MAX_VIEWS} views`);
      if (view.shared && shared >= MAX_VIEWS)
        throw conflict(`A tenant has at most ${MAX_VIEWS} shared views`);
      await writeView(execute, tenantId, view);
      await this.record(execute, before ? 'changed' : 'created', caller, before, view);
      return readView(execute, tenantId, view.id);
    });
    this.onRecorded();
    return saved!;
  }

  async remove(caller: ViewCaller, id: string): Promise<boolean> {
    const { tenantId } = caller.scope;
    await this.database.configure(tenantId, async (execute) => {
      await lockViews(execute, tenantId);
      const before = await this.changeable(execute, caller, id);
      await deleteView(execute, tenantId, id);
      await this.record(execute, 'removed', caller, before, null);
    });
    this.onRecorded();
    return true;
  }

  /** Somebody else's own view is as if it did not exist. */
  private async changeable(execute: Execute, caller: ViewCaller, id: string): Promise<SavedView> {
    const view = await readView(execute, caller.scope.tenantId, id);
    if (!view || !(view.shared || isOwn(view, caller))) throw new ReelError('NOT_FOUND', `No view ${id}`);
    if (!isOwn(view, caller) && !caller.isTenantViewer)
      throw forbidden('A shared view is changed by who saved it, or by a viewer of the whole tenant');
    return view;
  }

  /** Of a view that is its owner's alone, the trail, which others read, says no more than that it is. */
  private record(
    execute: Execute,
    action: keyof typeof VIEW_ACTIONS,
    { scope: { tenantId }, by }: ViewCaller,
    before: SavedView | null,
    after: Omit<SavedView, 'updatedAt'> | null,
  ): Promise<void> {
    const [old, now] = [before, after].map(
      (view) => view && (view.shared ? contentOf(view) : { shared: false }),
    );
    const { shared, name } = (after ?? before)!;
    return this.reel.recordWith(execute, {
      action: VIEW_ACTIONS[action],
      tenantId,
      resourceType: 'view',
      resourceId: (after ?? before)!.id,
      ...(shared && { resourceName: name }),
      actorId: by.id,
      actorEmail: by.email,
      actorName: by.name,
      ipAddress: by.ip,
      userAgent: by.agent,
      requestId: by.requestId,
      data: { ...(old && { before: old }), ...(now && { after: now }) },
    });
  }
}

/** Whose a view is: a person's id, else their address. */
const ownerOf = ({ id, email }: Reader): string => id ?? foldEmail(email ?? '');

const isOwn = (view: SavedView, { by }: ViewCaller): boolean => view.ownerId === ownerOf(by);

type AskedView = Omit<SavedView, 'id' | 'ownerId' | 'updatedAt'>;

function checkView(tenantId: string, input: SaveViewInput): AskedView {
  const { name, shared, query, orderBy } = input;
  const range = input.range ?? null;
  const [from, to] = [input.from, input.to].map((time) => (time == null ? null : parseInstant(time))) as [
    string | null,
    string | null,
  ];
  const columns = input.columns ?? [];
  checkSavedName(name);
  checkSavedQuery(tenantId, query);
  if (range !== null && !RANGES.includes(range))
    throw badInput('range', `one of ${RANGES.join(', ')}`, range);
  if (range !== null && (from !== null || to !== null))
    throw badInput('range', 'none beside from or to', range);
  if (from !== null && to !== null && from > to)
    throw badInput('to', `an instant not before from, ${from}`, to);
  if (columns.length > MAX_COLUMNS)
    throw badInput('columns', `at most ${MAX_COLUMNS}`, `${columns.length} columns`);
  for (const [index, column] of columns.entries())
    if (!isLabel(column, MAX_COLUMN) || columns.indexOf(column) < index)
      throw badInput('columns', `1 to ${MAX_COLUMN} characters each, none twice`, column);
  return { name, shared, query, range, from, to, columns, orderBy };
}

const contentOf = ({ shared, name, query, range, from, to, columns, orderBy }: AskedView): AskedView => ({
  shared,
  name,
  query,
  range,
  from,
  to,
  columns,
  orderBy,
});

const isSame = (before: AskedView, after: AskedView): boolean =>
  JSON.stringify(contentOf(before)) === JSON.stringify(contentOf(after));
