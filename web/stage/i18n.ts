import { createI18n } from 'vue-i18n';
import { loadReelMessages } from '../reel/index.js';
import { readStored, store } from './parts/storage.js';

export const LANGUAGES = { en: 'English', 'pt-BR': 'Português (Brasil)' } as const;
export type Language = keyof typeof LANGUAGES;

const STORAGE_KEY = 'reel.lang';
const LOADERS: Record<Language, () => Promise<{ default: object }>> = {
  en: () => import('./locales/en.json'),
  'pt-BR': () => import('./locales/pt-BR.json'),
};

export const isLanguage = (name: string | null): name is Language =>
  name !== null && Object.hasOwn(LANGUAGES, name);

/** The URL's language, else the last chosen, else the browser's. */
export function initialLanguage(fromUrl: string | null): Language {
  const stored = readStored(STORAGE_KEY);
  if (isLanguage(fromUrl)) return fromUrl;
  if (isLanguage(stored)) return stored;
  return browserLanguage();
}

/** The first of the browser's languages that is supported, else English. */
export function browserLanguage(): Language {
  const supported = navigator.languages.map((name) =>
    /^pt\b/i.test(name) ? 'pt-BR' : /^en\b/i.test(name) ? 'en' : null,
  );
  return supported.find((name) => name !== null) ?? 'en';
}

export const storeLanguage = (language: Language) => store(STORAGE_KEY, language);

export const i18n = createI18n({
  legacy: false,
  locale: 'en',
  messages: {},
  missingWarn: false,
  fallbackWarn: false,
});

/** Loads a language's messages, unless they are loaded already, and switches to it. */
export async function switchLanguage(language: Language): Promise<void> {
  const { global } = i18n;
  if (!global.availableLocales.includes(language as never)) {
    const [own, reel] = await Promise.all([LOADERS[language](), loadReelMessages(language)]);
    global.setLocaleMessage(language as never, { ...own.default, ...reel } as never);
  }
  global.locale.value = language as never;
  document.documentElement.lang = language;
}
