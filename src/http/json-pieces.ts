/** A member of an object, or an item of the list that was asked for, as text that is not read yet. */
export type Piece = { member: string; text: string } | { item: string };

/**
 * The pieces of an object's text, so that a long list in it can be read item by item. `list` names the member whose items
 * are pieces of their own, after one for itself with the text `[`. Errors: SyntaxError for what stands around the pieces,
 * which may be no JSON themselves. Linear in the text. null is no piece: by then it has looked at some more of a long one.
 */
export function* objectPieces(text: string, list: string): Generator<Piece | null> {
  const scan = new Scan(text);
  scan.take('{');
  if (!scan.skip('}')) {
    do {
      const member = yield* scan.string();
      scan.take(':');
      if (member === list && scan.skip('[')) {
        yield { member, text: '[' };
        if (!scan.skip(']')) {
          do yield { item: yield* scan.value() };
          while (scan.skip(','));
          scan.take(']');
        }
      } else yield { member, text: yield* scan.value() };
    } while (scan.skip(','));
    scan.take('}');
  }
  scan.end();
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c] as const;
/** Characters between two pauses. */
const STRIDE = 65_536;
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d] as const;
/** What ends a value that is neither text, nor a list, nor an object. */
const DELIMITER = /[\s,\]}:]/g;

class Scan {
  private at = 0;

  constructor(private readonly text: string) {}

  /** Whether this character came next; it is then behind. `required`: an error where it did not. */
  skip(character: string, required = false): boolean {
    this.space();
    if (this.text[this.at] === character) this.at += 1;
    else if (required) throw this.fault();
    else return false;
    return true;
  }

  take(character: string): void {
    this.skip(character, true);
  }

  end(): void {
    this.space();
    if (this.at < this.text.length) throw this.fault();
  }

  *string(): Generator<null, string> {
    this.space();
    if (this.text[this.at] !== '"') throw this.fault();
    return JSON.parse(yield* this.value()) as string;
  }

  /** The text of a value. Brackets of either kind count alike: whoever reads the text finds out which do not match. */
  *value(): Generator<null, string> {
    this.space();
    const start = this.at;
    let depth = 0;
    let isQuoted = false;
    let pause = start + STRIDE;
    do {
      const code = this.text.charCodeAt(this.at);
      if (Number.isNaN(code)) throw this.fault();
      if (code === QUOTE) isQuoted = !isQuoted;
      else if (isQuoted) {
        if (code === BACKSLASH) this.at += 1;
      } else if (code === OPEN_OBJECT || code === OPEN_LIST) depth += 1;
      else if (code === CLOSE_OBJECT || code === CLOSE_LIST) depth -= 1;
      else if (depth === 0) {
        DELIMITER.lastIndex = this.at;
        // The character itself is passed below.
        this.at = (DELIMITER.exec(this.text)?.index ?? this.text.length) - 1;
      }
      this.at += 1;
      if (this.at < pause) continue;
      pause = this.at + STRIDE;
      yield null;
    } while (depth > 0 || isQuoted);
    if (depth < 0 || this.at === start) throw this.fault();
    return this.text.slice(start, this.at);
  }

  private space(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at += 1;
    }
  }

  private fault(): SyntaxError {
    return new SyntaxError(`Unexpected text at position ${this.at} of JSON`);
  }
}
