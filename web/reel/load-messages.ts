import type { ReelLocale, ReelMessages } from './messages.js';

const LOADERS: Record<ReelLocale, () => Promise<{ default: ReelMessages }>> = {
  en: () => import('./locales/en.json'),
  'pt-BR': () => import('./locales/pt-BR.json'),
};

/** Loads the messages of one locale, which a bundler puts into a chunk of its own. Rejects with RangeError for an unknown locale. */
export async function loadReelMessages(locale: ReelLocale): Promise<ReelMessages> {
  const load = LOADERS[locale];
  if (!load) throw new RangeError(`Locales are en and pt-BR, got ${locale}`);
  return (await load()).default;
}
