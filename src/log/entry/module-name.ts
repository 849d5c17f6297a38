import { LRUCache } from 'lru-cache';

/** The module name of Reel's own entries; nobody else may use it, nor a name that looks like it. */
export const OWN_MODULE = 'reel';

/**
 * Characters that Unicode TR 39 (confusables) lists as looking like one of the name's letters, small or capital, beside those
 * that NFKC maps to them; and small capitals.
 */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  r: 'ʀгᴦⲅꭇꭈꮁғɍɼɽᵲƦᎡᏒᖇꓣ𐒴𖼵𝈖',
  e: 'ᴇеҽҿ℮ꬲɇΕЕᎬⴹꓰ⋿𐊆𑢦𑢮',
  l: 'ʟI1|ı∣│⏽ǀΙⲒІӀӏƖƗłƚɫɭוןا׀١۱ߊⵏᛁꓲᏞᒪꓡⳐ𐊊𐌉𐌠𐐛𐔦𖼖𖼨𑢣𑢲𝈪𞣇',
  ll: 'ǁ‖∥װ',
};
const LETTER_OF = new Map(
  Object.entries(LOOK_ALIKES).flatMap(([letter, alikes]) => [...alikes].map((alike) => [alike, letter])),
);

/** Format characters, what is ignored where it cannot be shown, and two blanks that are neither. */
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}\u2800\u{1d159}]/gu;
/** Accents and strokes. */
const MARKS = /\p{M}/gu;
/** Unicode folds these small letters, and no others, to their capitals (CaseFolding.txt). */
const CHEROKEE_SMALL = /[\u13f8-\u13fd\uab70-\uabbf]/;

/** Names that were looked at, of modules that write again and again. */
const known = new LRUCache<string, boolean>({ max: 1_000 });
/** Characters of a longer one are looked at each time. */
const MAX_KNOWN = 100;

/** Whether a name looks like Reel's own: the same after NFKC, case folding, removal of what is invisible and mapping of look-alikes. */
export function isOwnModule(name: string): boolean {
  if (name.length > MAX_KNOWN) return looksOwn(name);
  let isOwn = known.get(name);
  if (isOwn === undefined) {
    isOwn = looksOwn(name);
    known.set(name, isOwn);
  }
  return isOwn;
}

function looksOwn(name: string): boolean {
  const letters = name.normalize('NFKC').replace(INVISIBLE, '').normalize('NFKD').replace(MARKS, '');
  if (letters.length > 4 * OWN_MODULE.length) return false;
  return Array.from(letters, letterOf).join('') === OWN_MODULE;
}

/** The letter as it came goes first: a capital may look like another letter than its small one does, as I and i. */
function letterOf(letter: string): string {
  const folded = CHEROKEE_SMALL.test(letter) ? letter.toUpperCase() : letter.toLowerCase();
  return LETTER_OF.get(letter) ?? LETTER_OF.get(folded) ?? folded;
}
