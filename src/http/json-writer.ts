import { passTurn } from '../time-slice.js';

/** Of so many characters text is put into bytes at once. */
const CHUNK_CHARACTERS = 65_536;

/** A value whose JSON is there already, as bytes in pieces. */
export class JsonBytes {
  constructor(readonly pieces: readonly Buffer[]) {}
}

/**
 * Text as JSON.stringify makes it, in bytes, JsonBytes taken as they are, made piece by piece so that the event loop is not held. `wrote` is called with
 * the bytes of each piece, before the next is made, and whether they were there. Errors: what `wrote` throws.
 */
export async function writeJson(
  value: object,
  wrote: (bytes: number, isThere: boolean) => void,
): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  let text = '';
  let inTurn = 0;
  const put = (chunk: Buffer, isThere: boolean) => {
    wrote(chunk.length, isThere);
    chunks.push(chunk);
    inTurn += chunk.length;
  };
  const flush = () => {
    if (text !== '') put(Buffer.from(text), false);
    text = '';
  };
  for (const piece of member('', value)) {
    if (typeof piece === 'string') text += piece;
    else {
      flush();
      put(piece, true);
    }
    if (inTurn + text.length < CHUNK_CHARACTERS) continue;
    flush();
    inTurn = 0;
    await passTurn();
  }
  flush();
  return chunks;
}

function* member(before: string, value: unknown): Generator<string | Buffer> {
  if (value instanceof JsonBytes) {
    yield before;
    yield* value.pieces;
    return;
  }
  if (typeof value !== 'object' || value === null || 'toJSON' in value || isShort(value)) {
    yield before + (JSON.stringify(value) ?? 'null');
    return;
  }
  let separator = '';
  if (Array.isArray(value)) {
    yield `${before}[`;
    for (const each of value) {
      yield* member(separator, each);
      separator = ',';
    }
    yield ']';
    return;
  }
  yield `${before}{`;
  for (const [name, each] of Object.entries(value)) {
    if (each === undefined) continue;
    yield* member(`${separator}${JSON.stringify(name)}:`, each);
    separator = ',';
  }
  yield '}';
}

/** Whether its text has about a chunk's characters at most: in one go it is written several times as quickly. */
const isShort = (value: object): boolean => roomAfter(value, CHUNK_CHARACTERS) >= 0;

/** What is left of so many characters after the text of a value, about; below 0 as soon as they do not suffice, or where there are JsonBytes. */
function roomAfter(value: unknown, room: number): number {
  if (typeof value === 'string') return room - value.length - 2;
  if (typeof value !== 'object' || value === null) return room - 5;
  if (value instanceof JsonBytes) return -1;
  let left = room - 2;
  if (Array.isArray(value))
    for (let at = 0; at < value.length && left >= 0; at += 1) left = roomAfter(value[at], left - 1);
  else
    for (const name in value) {
      if (left < 0) break;
      left = roomAfter((value as Record<string, unknown>)[name], left - name.length - 4);
    }
  return left;
}
