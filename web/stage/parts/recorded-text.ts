/** A stretch of a recorded text: as it is, or one character that is not visible or changes the order of what stands beside it. */
export interface Piece {
  text: string;
  isMark: boolean;
}

/** Control, format and other characters without a shape of their own; line breaks and tabs are left to the layout. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const EVERY_UNSEEN = new RegExp(UNSEEN, 'gu');
/** Within one emoji, joiners and variation selectors are part of its shape. */
const EMOJI_SEQUENCE =
  /\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier})?(?:\u200D\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier})?)*/gu;
const LAYOUT = new Set(['\n', '\t', '\r']);

/** Splits a text so that no character of it can pass unseen. */
export function piecesOf(text: string): Piece[] {
  if (!UNSEEN.test(text)) return [{ text, isMark: false }];
  const emoji = [...text.matchAll(EMOJI_SEQUENCE)].map(
    (match) => [match.index, match.index + match[0].length] as const,
  );
  const pieces: Piece[] = [];
  let from = 0;
  let nextEmoji = 0;
  for (const { 0: character, index } of text.matchAll(EVERY_UNSEEN)) {
    while (nextEmoji < emoji.length && emoji[nextEmoji]![1] <= index) nextEmoji++;
    const isOfEmoji = nextEmoji < emoji.length && emoji[nextEmoji]![0] < index;
    if (isOfEmoji || LAYOUT.has(character)) continue;
    if (index > from) pieces.push({ text: text.slice(from, index), isMark: false });
    pieces.push({ text: nameOf(character), isMark: true });
    from = index + character.length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from), isMark: false });
  return pieces;
}

/** `U+202E` */
const nameOf = (character: string) =>
  `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;

/** The same for places that take text alone, such as a tooltip: marks in brackets, the whole isolated from what stands beside it. */
export const markedText = (text: string): string =>
  `\u2068${piecesOf(text)
    .map(({ text: piece, isMark }) => (isMark ? `[${piece}]` : piece))
    .join('')}\u2069`;
