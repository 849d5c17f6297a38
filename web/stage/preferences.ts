import { ref, watch } from 'vue';

export const COLUMNS = ['time', 'severity', 'module', 'action', 'actor', 'resource'] as const;
export type Column = (typeof COLUMNS)[number];
export const THEMES = ['light', 'dark', 'system'] as const;
export type Theme = (typeof THEMES)[number];

function storedRef<T>(name: string, fallback: T, isValid: (value: unknown) => boolean) {
  let initial = fallback;
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(name) ?? 'null');
    if (isValid(stored)) initial = stored as T;
  } catch {
    // Not JSON: use the fallback.
  }
  const value = ref(initial);
  watch(value, (now) => localStorage.setItem(name, JSON.stringify(now)), { deep: true });
  return value;
}

/** Settings that apply to every view, stored in this browser. */
export function usePreferences() {
  const theme = storedRef<Theme>('reel.theme', 'system', (value) => THEMES.includes(value as Theme));
  const hiddenColumns = storedRef<Column[]>(
    'reel.hidden',
    [],
    (value) => Array.isArray(value) && value.every((each) => COLUMNS.includes(each)),
  );
  const letterKeys = storedRef<boolean>('reel.keys', true, (value) => typeof value === 'boolean');
  watch(
    theme,
    (now) => {
      if (now === 'system') delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = now;
    },
    { immediate: true },
  );
  /** The first step always changes the colours: from `system`, to the theme that the system does not have. */
  function cycleTheme(): void {
    const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
    const order: Theme[] = isDark ? ['system', 'light', 'dark'] : ['system', 'dark', 'light'];
    theme.value = order[(order.indexOf(theme.value as Theme) + 1) % order.length]!;
  }
  return { theme, hiddenColumns, letterKeys, cycleTheme };
}
