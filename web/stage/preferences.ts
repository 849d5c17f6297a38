import { ref, watch } from 'vue';
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
  const columns = storedRef<ShownColumn[]>('reel.columns', defaultColumns(), isShownColumns);
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
  return { theme, columns, letterKeys, hasBreakdown, hasChart, cycleTheme };
}
