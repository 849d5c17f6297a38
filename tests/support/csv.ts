/** RFC 4180, read character by character; independent of how it is written. */
export function readCsv(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  for (let at = 0; at < text.length; ) {
    let cell = '';
    if (text[at] === '"') {
      for (at++; ; at++) {
        if (at >= text.length) throw new Error('a quoted cell is not closed');
        if (text[at] !== '"') cell += text[at];
        else if (text[at + 1] === '"') cell += text[at++];
        else break;
      }
      at++;
    } else {
      while (at < text.length && text[at] !== ',' && text[at] !== '\r') {
        if (text[at] === '"' || text[at] === '\n') throw new Error('expected quotes around the cell');
        cell += text[at++];
      }
    }
    record.push(cell);
    if (text[at] === ',') at++;
    else if (text.slice(at, at + 2) === '\r\n') {
      records.push(record);
      record = [];
      at += 2;
    } else throw new Error(`expected a comma or CRLF, got ${JSON.stringify(text.slice(at, at + 5))}`);
  }
  return records;
}

/** The rule letter by letter: a quote before each beginning of a formula, unless the whole is a number. */
export function guarded(text: string): string {
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return text;
  let out = '';
  let isBeginning = true;
  for (const [at, letter] of text.split('').entries()) {
    const isCrLf = letter === '\n' && text[at - 1] === '\r';
    if (isBeginning && !isCrLf && '=+-@＝＋－＠\t\r\n'.includes(letter)) out += "'";
    out += letter;
    isBeginning = /[\s,;|]/.test(letter);
  }
  return out;
}
