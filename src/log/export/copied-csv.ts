import type { CopiedRow } from '../../database/copy-out.js';
import type { GrowingBytes } from '../entry/growing-bytes.js';
import { type CopiedColumns, farInstant, nameOf, type Source } from './copied-rows.js';

/** How cells of CSV are written, by the rules of the program that opens the file. */
export interface CsvCells {
  readonly separator: string;
  /** Whether text that looks like a number is guarded. */
  readonly guardsNumbers: boolean;
  /** The cell of any text. */
  cell(text: string, isText: boolean): string;
}

const [PLAIN, BOUNDARY, FORMULA, RARE] = [0, 1, 2, 3] as const;
/**
 * What a byte of text is. BOUNDARY: white space and separators, behind which a formula may begin. FORMULA: begins one. RARE: of text
 * that `cell` writes: quotes and control characters, and the first bytes of characters among which are white space and signs.
 */
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte < 0x20 || byte === 0x22 || [0xc2, 0xe1, 0xe2, 0xe3, 0xef].includes(byte)) return RARE;
  if (' ,;|'.includes(String.fromCharCode(byte))) return BOUNDARY;
  return '=+-@'.includes(String.fromCharCode(byte)) ? FORMULA : PLAIN;
});
const QUOTE = 0x22;

/** A row as records of RFC 4180. */
export class CsvRows {
  private readonly separator: number;

  constructor(
    private readonly columns: CopiedColumns,
    private readonly cells: CsvCells,
  ) {
    this.separator = cells.separator.charCodeAt(0);
  }

  write(out: GrowingBytes, row: CopiedRow): void {
    const { sources } = this.columns;
    for (let index = 0; index < sources.length; index += 1) {
      if (index > 0) out.byte(this.separator);
      this.value(out, row, sources[index]!);
    }
    out.byte(0x0d);
    out.byte(0x0a);
  }

  private value(out: GrowingBytes, row: CopiedRow, source: Source): void {
    const { at, form, field, isText } = source;
    const cell = (text: string) => out.text(this.cells.cell(text, isText));
    if (row.isNull(at)) {
      if (!field.nullable && form !== 'list') cell(this.columns.guess(row, source));
      return;
    }
    switch (form) {
      case 'text':
        if ((isText && this.cells.guardsNumbers) || !this.plain(out, row, at)) cell(row.text(at));
        return;
      case 'uuid':
        out.uuidText(row, at);
        return;
      case 'instant':
        if (!out.instantText(row, at)) cell(farInstant(row, at));
        return;
      case 'name':
        out.append(nameOf(row, source).text);
        return;
      case 'list':
        cell((JSON.parse(row.text(at)) as string[]).join(' '));
        return;
      case 'json':
        cell(JSON.stringify(JSON.parse(row.text(at))));
        return;
      case 'sequence':
        out.text(String(row.bigint(at)));
        return;
    }
  }

  /** Text without formulas and rare bytes; false if it has any. */
  private plain(out: GrowingBytes, row: CopiedRow, column: number): boolean {
    const { bytes } = row;
    const from = row.starts[column]!;
    const end = from + row.lengths[column]!;
    let last: number = BOUNDARY;
    let isQuoted = false;
    for (let at = from; at < end; at += 1) {
      const kind = KINDS[bytes[at]!]!;
      if (kind === RARE || (kind === FORMULA && last === BOUNDARY)) return false;
      if (bytes[at] === this.separator) isQuoted = true;
      last = kind;
    }
    if (isQuoted) out.byte(QUOTE);
    out.appendRange(bytes, from, end);
    if (isQuoted) out.byte(QUOTE);
    return true;
  }
}
