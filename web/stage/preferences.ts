import { computed, ref, shallowRef, watch } from 'vue';
import { defaultColumns, isShownColumns, type ShownColumn } from './list/columns.js';
import { readStored, store } from './parts/storage.js';

export const THEMES = ['light', 'dark', 'system'] as const;
export type Theme = (typeof THEMES)[number];

function storedRef<T>(name: string, fallback: T, isValid: (value: unknown) => boolean) {
  let initial = fallback;
  try {
    const stored: unknown = JSON.parse(readStored(name) ?? 'null');
    if (isValid(stored)) initial = stored as T;
  } catch {
    // Not JSON: use the fallback.
  }
  const value = ref(initial);
  watch(value, (now) => store(name, JSON.stringify(now)), { deep: true });
  return value;
}

const isBoolean = (value: unknown) => typeof value === 'boolean';

/** Settings that apply to every view, stored in this browser. `fixedTheme`: the theme that a host's page wants. */
export function usePreferences(fixedTheme: Theme | null = null) {
  const theme = storedRef<Theme>('reel.theme', 'system', (value) => THEMES.includes(value as Theme));
  const ownColumns = storedRef<ShownColumn[]>('reel.columns', defaultColumns(), isShownColumns);
  /** Those of the saved view that is open, which leave one's own alone. */
  const viewColumns = shallowRef<ShownColumn[] | null>(null);
  const columns = computed<ShownColumn[]>({
    get: () => viewColumns.value ?? ownColumns.value,
    set: (now) => {
      if (viewColumns.value) viewColumns.value = now;
      else ownColumns.value = now;
    },
  });
  const letterKeys = storedRef<boolean>('reel.keys', true, isBoolean);
  const hasBreakdown = storedRef<boolean>('reel.breakdown', true, isBoolean);
  /** A chart would leave too little of a low window for the list. */
  const hasChart = storedRef<boolean>('reel.chart', !matchMedia('(max-height: 37.5rem)').matches, isBoolean);
  watch(
    theme,
    (now) => {
      const shown = fixedTheme ?? now;
      if (shown === 'system') delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = shown;
    },
    { immediate: true },
  );
  /** The first step always changes the colours: from `system`, to the theme that the system does not have. */
  function cycleTheme(): void {
    const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
    const order: Theme[] = isDark ? ['system', 'light', 'dark'] : ['system', 'dark', 'light'];
    theme.value = order[(order.indexOf(theme.value as Theme) + 1) % order.length]!;
  }
  return { theme, columns, ownColumns, viewColumns, letterKeys, hasBreakdown, hasChart, cycleTheme };
}

export type Preferences = ReturnType<typeof usePreferences>;
