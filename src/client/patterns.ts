import type { Pattern } from './redact.js';
import { DROPPED, mask } from './redact.js';

/** The entry point `reel/client/patterns`: what `redactPatterns` may look for in all data. */

/** Numbers of payment cards within text: 13 to 19 digits whose check digit is right. The last 4 are kept. */
export const cards: Pattern = {
  text: /(?<!\w|\d\.)\d(?:[ -]?\d){12,18}(?!\w|\.\d)/g,
  how: 'mask',
  replace(text) {
    const digits = text.replace(/[ -]/g, '');
    return isCard(digits) ? mask(digits) : text;
  },
};

/** JSON Web Tokens within text (RFC 7519). */
export const jwts: Pattern = {
  text: /(?<![\w.-])eyJ[\w-]+\.[\w-]+\.[\w-]*/g,
  how: 'drop',
  replace: () => DROPPED,
};

/** Private keys as PEM within text (RFC 7468). */
export const privateKeys: Pattern = {
  text: /-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,20}PRIVATE KEY-----|$)/g,
  how: 'drop',
  replace: () => DROPPED,
};

/** Credentials of Authorization headers within text. */
export const credentials: Pattern = {
  text: /\b(Bearer|Basic|Digest|Negotiate) +[\w.~+/=-]{8,}/gi,
  how: 'drop',
  replace: (_, scheme) => `${scheme} ${DROPPED}`,
};

/** Authorization headers by their name. */
export const authorizationHeaders: Pattern = { name: /^(?:proxy-)?authorization$/i };

/** Whatever has a name that ends as those of passwords and secrets do. */
export const passwords: Pattern = { name: /(?:passw(?:or)?d|passphrase|pwd|secret)$/i };

export const allPatterns: readonly Pattern[] = [
  cards,
  jwts,
  privateKeys,
  credentials,
  authorizationHeaders,
  passwords,
];

/** The check digit of ISO/IEC 7812-1, annex B (Luhn). */
function isCard(digits: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits.at(-1 - at));
    sum += at % 2 === 0 ? digit : digit < 5 ? 2 * digit : 2 * digit - 9;
  }
  return sum % 10 === 0;
}
