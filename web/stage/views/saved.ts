import { shallowRef } from 'vue';
import { askReel, type ReelError } from '../../reel/index.js';
import {
  RemoveViewDocument,
  SaveViewDocument,
  type SaveViewInput,
  type ViewFragment,
  ViewsDocument,
} from '../generated.js';
import { RANGES, type Range, type View } from '../link.js';
import { isColumn, MAX_COLUMNS, type ShownColumn } from '../list/columns.js';
import { trimInstant } from '../parts/times.js';

export type SavedView = ViewFragment;

/** What of the page a saved view holds, beside its columns. */
export type Content = Pick<View, 'q' | 'range' | 'from' | 'to' | 'oldest'>;

const isRange = (text: string): text is Range => Object.hasOwn(RANGES, text);

export function contentOf({ query, range, from, to, orderBy }: SavedView): Content {
  return {
    q: query.trim(),
    range: range && isRange(range) ? range : null,
    from: from && trimInstant(from),
    to: to && trimInstant(to),
    oldest: orderBy === 'OLDEST_FIRST',
  };
}

/** The columns of a view, with the widths that they have in this browser. Null where it has none that this page knows. */
export function columnsOf({ columns }: SavedView, present: readonly ShownColumn[]): ShownColumn[] | null {
  const known = columns.filter(isColumn).slice(0, MAX_COLUMNS);
  return known.length > 0
    ? known.map((key) => present.find((column) => column.key === key) ?? { key })
    : null;
}

/** What a view is saved as. */
export function inputOf(
  { q, range, from, to, oldest }: Content,
  { id, name, shared, columns }: { id: string | null; name: string; shared: boolean; columns: string[] },
): SaveViewInput {
  const orderBy = oldest ? 'OLDEST_FIRST' : 'NEWEST_FIRST';
  return { id, name, shared, columns, query: q, range, from, to, orderBy };
}

/** The views that the person sees in this tenant: their own, and those that are shared. */
export function useViews() {
  /** Null until they are loaded. */
  const views = shallowRef<readonly SavedView[] | null>(null);
  const error = shallowRef<ReelError | null>(null);
  let controller = new AbortController();
  let of: string | null = null;

  /** Those of a tenant. What is known of it already stays until the answer is there. */
  async function load(tenant: string | null = of): Promise<void> {
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    if (tenant !== of) views.value = null;
    of = tenant;
    error.value = null;
    try {
      const answer = await askReel(ViewsDocument, {}, signal);
      if (signal.aborted) return;
      views.value = answer.views;
    } catch (cause) {
      if (!signal.aborted) error.value = cause as ReelError;
    }
  }

  const find = (id: string | null) => views.value?.find((view) => view.id === id) ?? null;

  /** The page's view with what a saved one holds, where it is shown as it was saved and is known. */
  function filled(view: View): View {
    const saved = view.isAsSaved ? find(view.v) : null;
    return saved ? { ...view, ...contentOf(saved) } : view;
  }

  /** Whether a view shows what the saved one that it names holds; until that is known, what the view itself says. */
  function isAsSaved(view: View): boolean {
    const saved = find(view.v);
    if (!saved) return view.v !== null && view.isAsSaved;
    const content = contentOf(saved);
    return (Object.keys(content) as (keyof Content)[]).every((key) => content[key] === view[key]);
  }

  /** Rejects with ReelError. */
  async function save(input: SaveViewInput): Promise<SavedView> {
    const { saveView } = await askReel(SaveViewDocument, { input });
    await load();
    return saveView;
  }

  /** Rejects with ReelError. */
  async function remove(id: string): Promise<void> {
    await askReel(RemoveViewDocument, { id });
    await load();
  }

  return { views, error, load, find, filled, isAsSaved, save, remove };
}

export type SavedViews = ReturnType<typeof useViews>;
