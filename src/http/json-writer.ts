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
  const writer = new JsonWriter(wrote);
  await writer.write('', value);
  writer.flush();
  return writer.chunks;
}

/** To be awaited where it is a promise. */
type Turn = Promise<void> | undefined;

class JsonWriter {
  readonly chunks: Buffer[] = [];
  private text = '';
  /** Bytes that were written since others had a turn. */
  private inTurn = 0;

  constructor(private readonly wrote: (bytes: number, isThere: boolean) => void) {}

  flush(): void {
    if (this.text !== '') this.put(Buffer.from(this.text), false);
    this.text = '';
  }

  /** Writes a value, and `before` in front of it. */
  write(before: string, value: unknown): Turn {
    if (value instanceof JsonBytes) {
      this.text += before;
      return this.writePieces(value.pieces);
    }
    if (typeof value !== 'object' || value === null || 'toJSON' in value || isShort(value)) {
      this.text += before + (JSON.stringify(value) ?? 'null');
      return this.turn();
    }
    this.text += before;
    return Array.isArray(value) ? this.writeItems(value) : this.writeMembers(value);
  }

  private async writeItems(items: readonly unknown[]): Promise<void> {
    this.text += '[';
    for (let at = 0; at < items.length; at += 1) {
      const turn = this.write(at === 0 ? '' : ',', items[at]);
      if (turn) await turn;
    }
    this.text += ']';
  }

  private async writeMembers(value: object): Promise<void> {
    let before = '{';
    for (const [name, member] of Object.entries(value)) {
      if (member === undefined) continue;
      const turn = this.write(`${before}${JSON.stringify(name)}:`, member);
      if (turn) await turn;
      before = ',';
    }
    this.text += before === '{' ? '{}' : '}';
  }

  private writePieces(pieces: readonly Buffer[]): Turn {
    this.flush();
    const [first] = pieces;
    if (pieces.length > 1) return this.writeEachPiece(pieces);
    if (first) this.put(first, true);
    return this.turn();
  }

  private async writeEachPiece(pieces: readonly Buffer[]): Promise<void> {
    for (const piece of pieces) {
      this.put(piece, true);
      await this.turn();
    }
  }

  private put(chunk: Buffer, isThere: boolean): void {
    this.wrote(chunk.length, isThere);
    this.chunks.push(chunk);
    this.inTurn += chunk.length;
  }

  private turn(): Turn {
    if (this.inTurn + this.text.length < CHUNK_CHARACTERS) return undefined;
    this.flush();
    this.inTurn = 0;
    return passTurn();
  }
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
