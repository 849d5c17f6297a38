import { createI18n } from 'vue-i18n';
import { loadReelMessages, type ReelLocale } from '../reel/index.js';
import { readStored, store } from './parts/storage.js';

/** A language of the page: each file in locales is one, and nothing else need be changed for it. */
export type Language = string;

const LOADERS = import.meta.glob<{ default: object }>('./locales/*.json');
const fileOf = (language: string) => `./locales/${language}.json`;

/** What each language calls itself. */
export const LANGUAGES: ReadonlyMap<Language, string> = new Map(
  Object.keys(LOADERS)
    .map((file) => file.replace(/^.*\/|\.json$/g, ''))
    .map((language) => [language, nameOf(language)]),
);

/** The last resort, and what stands for each text that another language lacks. */
const ENGLISH = 'en';
/** Languages whose texts of web/reel come with it; a file of another one holds them under `reel`. */
const isOfReel = (language: string): language is ReelLocale => language === ENGLISH || language === 'pt-BR';

const STORAGE_KEY = 'reel.lang';

function nameOf(language: string): string {
  const name = new Intl.DisplayNames(language, { type: 'language' }).of(language) ?? language;
  return name.charAt(0).toLocaleUpperCase(language) + name.slice(1);
}

export const isLanguage = (name: string | null): name is Language => name !== null && LANGUAGES.has(name);

/** The URL's language, else the last chosen, else the browser's. */
export function initialLanguage(fromUrl: string | null): Language {
  const stored = readStored(STORAGE_KEY);
  if (isLanguage(fromUrl)) return fromUrl;
  if (isLanguage(stored)) return stored;
  return browserLanguage();
}

/** The first of the browser's languages that there is, in whichever country, else English. */
export function browserLanguage(): Language {
  const primaryOf = (name: string) => name.toLowerCase().split('-')[0];
  const all = [...LANGUAGES.keys()];
  for (const name of navigator.languages) {
    const same = all.find((each) => each.toLowerCase() === name.toLowerCase());
    const found = same ?? all.find((each) => primaryOf(each) === primaryOf(name));
    if (found) return found;
  }
  return ENGLISH;
}

export const storeLanguage = (language: Language) => store(STORAGE_KEY, language);

export const i18n = createI18n({
  legacy: false,
  locale: ENGLISH,
  fallbackLocale: ENGLISH,
  messages: {},
  missingWarn: false,
  fallbackWarn: false,
});

async function load(language: Language): Promise<void> {
  const { global } = i18n;
  if (global.availableLocales.includes(language as never)) return;
  const [own, reel] = await Promise.all([
    LOADERS[fileOf(language)]!(),
    isOfReel(language) ? loadReelMessages(language) : {},
    // Whatever the language lacks is said in English.
    isOfReel(language) ? null : load(ENGLISH),
  ]);
  global.setLocaleMessage(language as never, { ...own.default, ...reel } as never);
}

/** Loads a language's messages, unless they are loaded already, and switches to it. */
export async function switchLanguage(language: Language): Promise<void> {
  await load(language);
  i18n.global.locale.value = language as never;
  document.documentElement.lang = language;
}
