import type { ReelLocale, ReelMessages } from './messages.js';

const LOADERS: Record<ReelLocale, () => Promise<{ default: ReelMessages }>> = {
  en: () => import('./locales/en.json'),
  'pt-BR': () => import('./locales/pt-BR.json'),
};

/** One locale's words, in a file of their own. Rejects where there is no such locale. */
export async function loadReelMessages(locale: ReelLocale): Promise<ReelMessages> {
  const load = LOADERS[locale];
  if (!load) throw new RangeError(`Expected a locale of en and pt-BR, got ${locale}`);
  return (await load()).default;
}
