import en from './locales/en.json';
import ptBR from './locales/pt-BR.json';

/** The module's messages, under the key `reel`, for createI18n or mergeLocaleMessage. */
export const reelMessages = { en, 'pt-BR': ptBR };

export type ReelLocale = keyof typeof reelMessages;
export type ReelMessages = typeof en;
