import { computed, watch } from 'vue';
import type { View } from '../link.js';
import type { Preferences } from '../preferences.js';
import { columnsOf, type SavedViews } from './saved.js';

/** The saved view that the page's link names. */
export function useOpenView(
  view: View,
  saved: SavedViews,
  { ownColumns, viewColumns, columns }: Preferences,
) {
  const openView = computed(() => saved.find(view.v));
  /** Whether what is asked for is known only once the saved views are there. */
  const isWaiting = computed(
    () => view.v !== null && view.isAsSaved && saved.views.value === null && saved.error.value === null,
  );
  /** Whether the link names a view that is not there, or not for this person. */
  const isMissing = computed(
    () => view.v !== null && view.isAsSaved && saved.views.value !== null && !openView.value,
  );
  const isChanged = computed(() => {
    if (!openView.value) return false;
    if (!view.isAsSaved) return true;
    const its = columnsOf(openView.value, []);
    return its !== null && its.map(({ key }) => key).join() !== columns.value.map(({ key }) => key).join();
  });

  watch(
    saved.views,
    (now, before) => {
      if (now === null) return;
      // What is being looked at does not change by itself.
      if (before === null) Object.assign(view, saved.filled(view));
      else view.isAsSaved = saved.isAsSaved(view);
    },
    { flush: 'sync' },
  );
  watch(
    () => openView.value && [openView.value.id, ...openView.value.columns].join('\n'),
    () => {
      viewColumns.value = openView.value && columnsOf(openView.value, ownColumns.value);
    },
    { flush: 'sync' },
  );

  return { openView, isWaiting, isMissing, isChanged };
}
