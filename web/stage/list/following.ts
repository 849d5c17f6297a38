import { type Ref, ref, shallowRef } from 'vue';
import type { LogFilterInput } from '../../reel/index.js';
import { i18n } from '../i18n.js';
import type { View } from '../link.js';
import type { Counts } from './counts.js';
import type { Entries, Row } from './entries.js';
import { useLive } from './live.js';

interface Listed {
  view: View;
  entries: Entries;
  counts: Counts;
  /** Index of the row that keyboard shortcuts act on. */
  activeRow: Ref<number>;
  announce: (text: string) => void;
  /** Loads the list again from its beginning. */
  reload: () => void;
}

/** Whether the view's time ended in the past, so that nothing new can match. */
export const isOver = ({ to }: View) => to !== null && Date.parse(to) < Date.now();

/** Follows the log behind the list as it was loaded: what arrives is counted, and comes into the list or waits. */
export function useFollowing({ view, entries, counts, activeRow, announce, reload }: Listed) {
  const { t, n } = i18n.global;
  const live = useLive(onRows);
  /** Entries that arrived live and are not in the list yet. */
  const newRows = shallowRef<Row[]>([]);
  /** Whether the list is scrolled to its top; set by the grid. */
  const isAtTop = ref(true);
  /** While live: the newest entry that was sealed when the list was loaded. */
  let lastSealed: Row | null = null;

  function onRows(rows: Row[]): void {
    const listed = new Set(entries.rows.value.map(({ id }) => id));
    const waiting = new Set(newRows.value.map(({ id }) => id));
    // A listed entry arrives again with its sequence once it is sealed.
    const sealed = rows.filter(({ id }) => listed.has(id));
    if (sealed.length > 0) entries.insert(sealed);
    const arrived = rows.filter(({ id }) => !listed.has(id) && !waiting.has(id));
    counts.add(arrived);
    if (arrived.length === 0) return;
    lastSealed = arrived[0]!;
    const isReading = !isAtTop.value || entries.isFromEnd.value || view.entry || newRows.value.length > 0;
    // Oldest first, they are appended, which moves no row.
    if (view.oldest || !isReading) {
      const added = entries.insert(arrived);
      // The row that has the focus keeps it.
      const isFocused = document.activeElement?.closest('[role=grid]') ?? null;
      if (!view.oldest && (isFocused || activeRow.value > 0)) activeRow.value += added;
      if (added > 0) announce(t('status.arrived', { n: n(added) }, added));
    } else {
      newRows.value = [...arrived, ...newRows.value];
      announce(t('status.waiting', { n: n(newRows.value.length) }, newRows.value.length));
    }
  }

  /** What is followed goes on after the newest entry that is sealed: oldest first, that is not among the first ones. */
  async function findLastSealed(): Promise<void> {
    const { rows, more } = entries;
    const isListed = !view.oldest || more.value === 'none';
    const newest = isListed ? rows.value : await entries.newest().catch(() => []);
    lastSealed = newest.reduce<Row | null>(
      (last, row) => ((row.sequence ?? 0) > (last?.sequence ?? 0) ? row : last),
      null,
    );
  }

  /** The newest entry that has come: what is counted while live ends with it, since each later one is added as it comes. */
  function newestCome(): Row | null {
    const { rows, more, isFromEnd } = entries;
    const isBeyond = view.oldest ? more.value !== 'none' : isFromEnd.value;
    const listed = view.oldest ? rows.value.at(-1) : (newRows.value[0] ?? rows.value[0]);
    return (isBeyond ? lastSealed : listed) ?? null;
  }

  function showNewRows(): void {
    // From the end, there are others between them and those that are listed.
    if (entries.isFromEnd.value && !view.oldest) {
      reload();
      return;
    }
    entries.insert(newRows.value);
    newRows.value = [];
    activeRow.value = 0;
    isAtTop.value = true;
    entries.version.value++;
  }

  return {
    ...{ live, newRows, isAtTop, newestCome, findLastSealed, showNewRows },
    /** From the newest entry on that was sealed when the list was loaded. */
    start: (filter: LogFilterInput) => live.start(filter, lastSealed?.sequence ?? null),
    stop: live.stop,
    /** Ends it, and forgets what waits. */
    reset(): void {
      newRows.value = [];
      live.stop();
    },
  };
}

export type Following = ReturnType<typeof useFollowing>;
