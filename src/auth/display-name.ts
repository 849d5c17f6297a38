import { z } from 'zod';

/** What people call a tenant or a client, as Guardian or Mentor says; undefined where they say nothing. */
export type DisplayName = string | undefined;

const MAX_CHARACTERS = 255;
/** Control and format characters, which could make a name look like another. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * A name that is shown and decides nothing, so it never invalidates what it comes with: anything but text counts as no name,
 * invisible characters are removed, and past 255 characters it is cut.
 */
export const displayName = z
  .unknown()
  .optional()
  .transform((value): DisplayName => {
    if (typeof value !== 'string') return undefined;
    // A character has at most two units.
    const name = value
      .slice(0, 4 * MAX_CHARACTERS)
      .toWellFormed()
      .replace(INVISIBLE, '')
      .trim();
    const characters = Array.from(name);
    if (characters.length <= MAX_CHARACTERS) return name || undefined;
    return `${characters.slice(0, MAX_CHARACTERS - 1).join('')}…`;
  });
