import { createI18n } from 'vue-i18n';
import { loadReelMessages } from '../reel/index.js';

export const LANGUAGES = { en: 'English', 'pt-BR': 'Português (Brasil)' } as const;
export type Language = keyof typeof LANGUAGES;

const CHOSEN = 'reel.lang';
const LOADERS: Record<Language, () => Promise<{ default: object }>> = {
  en: () => import('./locales/en.json'),
  'pt-BR': () => import('./locales/pt-BR.json'),
};

export const isLanguage = (name: string | null): name is Language =>
  name !== null && Object.hasOwn(LANGUAGES, name);

/** The address's language, else the last chosen, else the browser's. */
export function firstLanguage(said: string | null): Language {
  const chosen = localStorage.getItem(CHOSEN);
  if (isLanguage(said)) return said;
  if (isLanguage(chosen)) return chosen;
  return defaultLanguage();
}

/** The first of the browser's languages that there is, else English. */
export function defaultLanguage(): Language {
  const known = navigator.languages.map((name) =>
    /^pt\b/i.test(name) ? 'pt-BR' : /^en\b/i.test(name) ? 'en' : null,
  );
  return known.find((name) => name !== null) ?? 'en';
}

export const keepLanguage = (language: Language) => localStorage.setItem(CHOSEN, language);

export const i18n = createI18n({
  legacy: false,
  locale: 'en',
  messages: {},
  missingWarn: false,
  fallbackWarn: false,
});

/** Fetches the words of a language where they are not there yet, and speaks it from then on. */
export async function speak(language: Language): Promise<void> {
  const { global } = i18n;
  if (!global.availableLocales.includes(language as never)) {
    const [own, reel] = await Promise.all([LOADERS[language](), loadReelMessages(language)]);
    global.setLocaleMessage(language as never, { ...own.default, ...reel } as never);
  }
  global.locale.value = language as never;
  document.documentElement.lang = language;
}
