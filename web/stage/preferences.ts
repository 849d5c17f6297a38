import { ref, watch } from 'vue';

export const COLUMNS = ['time', 'severity', 'module', 'action', 'actor', 'resource'] as const;
export type Column = (typeof COLUMNS)[number];
export const THEMES = ['light', 'dark', 'system'] as const;
export type Theme = (typeof THEMES)[number];

function kept<T>(name: string, otherwise: T, isFine: (value: unknown) => boolean) {
  let first = otherwise;
  try {
    const read: unknown = JSON.parse(localStorage.getItem(name) ?? 'null');
    if (isFine(read)) first = read as T;
  } catch {
    // What cannot be read is as if it had never been chosen.
  }
  const value = ref(first);
  watch(value, (now) => localStorage.setItem(name, JSON.stringify(now)), { deep: true });
  return value;
}

/** What a person chose for all views, kept in this browser. */
export function usePreferences() {
  const theme = kept<Theme>('reel.theme', 'system', (value) => THEMES.includes(value as Theme));
  const hidden = kept<Column[]>(
    'reel.hidden',
    [],
    (value) => Array.isArray(value) && value.every((each) => COLUMNS.includes(each)),
  );
  const letterKeys = kept<boolean>('reel.keys', true, (value) => typeof value === 'boolean');
  watch(
    theme,
    (now) => {
      if (now === 'system') delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = now;
    },
    { immediate: true },
  );
  /** To the one that looks different now, then through all three. */
  function turnTheme(): void {
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    const order: Theme[] = dark ? ['system', 'light', 'dark'] : ['system', 'dark', 'light'];
    theme.value = order[(order.indexOf(theme.value as Theme) + 1) % order.length]!;
  }
  return { theme, hidden, letterKeys, turnTheme };
}
