/** A stretch of a recorded text: as it is, or one character that is not visible, changes the order of what stands beside it, or passes for another. */
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
/** Scripts with letters that look as Latin ones do: within a word that has Latin letters, too, such a letter is marked. */
const LOOK_ALIKE = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]/u;
const LATIN = /\p{Script=Latin}/u;
const WORD = /\p{L}[\p{L}\p{M}]*/gu;

/** Splits a text so that no character of it can pass unseen, or for another. */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const { character, index } of marksOf(text)) {
    if (index > from) pieces.push({ text: text.slice(from, index), isMark: false });
    pieces.push({ text: nameOf(character), isMark: true });
    from = index + character.length;
  }
  if (from < text.length || pieces.length === 0) pieces.push({ text: text.slice(from), isMark: false });
  return pieces;
}

interface Mark {
  character: string;
  index: number;
}

function marksOf(text: string): Mark[] {
  const marks = UNSEEN.test(text) ? unseenOf(text) : [];
  if (!LOOK_ALIKE.test(text) || !LATIN.test(text)) return marks;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (!LATIN.test(word)) continue;
    let at = index;
    for (const character of word) {
      if (LOOK_ALIKE.test(character)) marks.push({ character, index: at });
      at += character.length;
    }
  }
  return marks.sort((one, other) => one.index - other.index);
}

function unseenOf(text: string): Mark[] {
  const emoji = [...text.matchAll(EMOJI_SEQUENCE)].map(
    (match) => [match.index, match.index + match[0].length] as const,
  );
  const marks: Mark[] = [];
  let nextEmoji = 0;
  for (const { 0: character, index } of text.matchAll(EVERY_UNSEEN)) {
    while (nextEmoji < emoji.length && emoji[nextEmoji]![1] <= index) nextEmoji++;
    const isOfEmoji = nextEmoji < emoji.length && emoji[nextEmoji]![0] < index;
    if (!isOfEmoji && !LAYOUT.has(character)) marks.push({ character, index });
  }
  return marks;
}

/** `U+202E` */
const nameOf = (character: string) =>
  `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;

/** The same for places that take text alone, such as a tooltip: marks in brackets, the whole isolated from what stands beside it. */
export const markedText = (text: string): string =>
  `\u2068${piecesOf(text)
    .map(({ text: piece, isMark }) => (isMark ? `[${piece}]` : piece))
    .join('')}\u2069`;

/** A recorded text as the name of a button: as it is, where nothing of it needs a mark. */
export const nameText = (text: string): string => (marksOf(text).length > 0 ? markedText(text) : text);
