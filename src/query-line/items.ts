import { type FaultCode, QueryLineError, type Span, splice } from './fault.js';
import { isQuoted, QUOTED, unquote } from './quote.js';

/** One of a value's items, as it stands in the line. */
export interface Item extends Span {
  readonly written: string;
}

/** What is needed to say what is wrong with a term. */
export class TermContext {
  constructor(
    readonly line: string,
    readonly span: Span,
    /** Where its value begins. */
    readonly valueStart: number,
  ) {}

  error(fault: FaultCode, message: string, suggestion: string | null = null): QueryLineError {
    return new QueryLineError(fault, message, this.span, suggestion);
  }

  /** The same, with a part of the line replaced as the suggestion; null: none. */
  mended(fault: FaultCode, message: string, part: Span, text: string | null): QueryLineError {
    return this.error(fault, message, text === null ? null : splice(this.line, part, text));
  }
}

const ITEM = new RegExp(`(?:[^",]|${QUOTED})*`, 'y');

/** Splits a value, which begins at `position` of the line, at commas outside quotes. */
export function splitItems(value: string, position: number): Item[] {
  const items: Item[] = [];
  for (let at = 0; ; ) {
    ITEM.lastIndex = at;
    ITEM.test(value);
    const end = ITEM.lastIndex;
    items.push({ position: position + at, length: end - at, written: value.slice(at, end) });
    if (end >= value.length) return items;
    at = end + 1;
  }
}

/** What an item stands for: without its quotes, and whether it had some. */
export function readItem(written: string, context: TermContext): { text: string; isBare: boolean } {
  if (!written.includes('"')) return { text: written, isBare: true };
  if (!isQuoted(written))
    throw context.error(
      'TOUCHING_QUOTE',
      `expected white space or a comma between quoted and other text in \`${written.slice(0, 60).toWellFormed()}\``,
    );
  return { text: unquote(written), isBare: false };
}
