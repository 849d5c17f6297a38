/** What can be wrong with a query line. Stable; docs/query-line.md explains each. */
export const FAULTS = [
  'UNKNOWN_FIELD',
  'BAD_OPERATOR',
  'SPACED_OPERATOR',
  'EMPTY_VALUE',
  'EMPTY_ITEM',
  'EMPTY_TEXT',
  'UNCLOSED_QUOTE',
  'TOUCHING_QUOTE',
  'BOOLEAN_WORD',
  'EXCLAMATION_MARK',
  'PARENTHESES',
  'BAD_NEGATION',
  'NOT_NEGATABLE',
  'ONE_VALUE',
  'REPEATED_FIELD',
  'MISPLACED_WILDCARD',
  'REVERSED_RANGE',
  'BAD_SEVERITY',
  'BAD_OUTCOME',
  'BAD_ORIGIN',
  'BAD_ACTOR_TYPE',
  'BAD_RESOURCE',
  'BAD_UUID',
  'BAD_ADDRESS',
  'BAD_TIME',
  'BAD_PATH',
  'BAD_CHARACTER',
  'LINE_TOO_LONG',
  'VALUE_TOO_LONG',
  'TOO_MANY_TERMS',
  'TOO_MANY_VALUES',
] as const;

export type FaultCode = (typeof FAULTS)[number];

/** A part of a line: 0-based, in UTF-16 units. */
export interface Span {
  readonly position: number;
  readonly length: number;
}

/** What is wrong with one term of a line. The message shows the right spelling, and quotes at most 200 characters of the line. */
export class QueryLineError extends Error {
  readonly position: number;
  readonly length: number;

  /** `suggestion`: the whole line mended, which parses; null where there is no one right spelling. */
  constructor(
    readonly fault: FaultCode,
    message: string,
    { position, length }: Span,
    readonly suggestion: string | null = null,
  ) {
    super(message);
    this.name = 'QueryLineError';
    this.position = position;
    this.length = length;
  }
}

/** For a message: in backticks, cut at 60 characters. */
export const shown = (text: string): string =>
  `\`${text.length > 60 ? `${text.slice(0, 59).toWellFormed()}…` : text}\``;

/** The line with a part of it replaced. */
export const splice = (line: string, { position, length }: Span, text: string): string =>
  line.slice(0, position) + text + line.slice(position + length);
