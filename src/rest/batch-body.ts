import { type Fault, ReelError } from '../errors.js';
import { bodyText } from '../http/body-text.js';
import { readJson } from '../http/json.js';
import { objectPieces } from '../http/json-pieces.js';
import { MAX_ENTRIES } from '../log/write/batch.js';
import { passTurn } from '../time-slice.js';
import { invalidRequest } from './errors.js';
import { isObject, MAX_UNKNOWN, show, unknownName } from './fields.js';

/** One entry of a batch as it came. */
export interface BatchItem {
  /** null where it is no object. */
  fields: Record<string, unknown> | null;
  /** What is wrong with it as JSON; their loc is `body`, then the way within the entry. */
  faults: Fault[];
}

const ENTRIES = ['body', 'entries'];
const [LINE_FEED, CARRIAGE_RETURN, SPACE, TAB] = [0x0a, 0x0d, 0x20, 0x09] as const;
const isSpace = (code: number | undefined): boolean =>
  code === SPACE || code === LINE_FEED || code === CARRIAGE_RETURN || code === TAB;

/**
 * The entries of `{"entries":[…]}`, read one by one. Errors: BAD_USER_INPUT for what is wrong with the body around them,
 * some of it only at the end.
 */
export async function* readJsonBatch(bytes: Buffer): AsyncGenerator<BatchItem> {
  if (bytes.length === 0) throw invalidRequest([fault('missing', ['body'], 'Field required')]);
  let text: string | undefined;
  try {
    text = bodyText(bytes);
    if (isObjectText(text)) yield* readEntries(text);
    else {
      const { value } = await readJson(text);
      const msg = 'Input should be a valid dictionary';
      throw invalidRequest([fault('model_attributes_type', ['body'], msg, value)]);
    }
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    const given = text?.slice(0, 200) ?? bytes.toString('utf8', 0, 200);
    throw invalidRequest([fault('json_invalid', ['body'], 'JSON decode error', given)]);
  }
}

/** By its first character; what else is wrong with it is found where it is read. */
function isObjectText(text: string): boolean {
  let at = 0;
  while (isSpace(text.charCodeAt(at))) at += 1;
  return text[at] === '{';
}

async function* readEntries(text: string): AsyncGenerator<BatchItem> {
  const faults: Fault[] = [];
  let isGiven = false;
  let count = 0;
  for (const piece of objectPieces(text, 'entries')) {
    await passTurn();
    if (piece === null) continue;
    if ('item' in piece) {
      count += 1;
      if (count > MAX_ENTRIES) throw wrongNumber(count);
      yield await readItem(piece.item);
      continue;
    }
    const { member } = piece;
    if (member !== 'entries') faults.push(unknownName(['body'], member, ['entries']));
    else if (isGiven)
      faults.push(fault('value_error', ENTRIES, 'entries: expected each name once in an object'));
    else if (piece.text !== '[') faults.push(fault('list_type', ENTRIES, 'Input should be a valid list'));
    isGiven ||= member === 'entries';
    if (piece.text !== '[') await readJson(piece.text);
    if (faults.length === MAX_UNKNOWN) throw invalidRequest(faults);
  }
  if (!isGiven) faults.push(fault('missing', ENTRIES, 'Field required'));
  if (faults.length > 0) throw invalidRequest(faults);
  if (count === 0) throw wrongNumber(count);
}

/**
 * The entries of application/x-ndjson, one a line; lines of nothing but white space are none. What is wrong with a line is
 * its entry's fault. Errors: BAD_USER_INPUT for their number.
 */
export async function* readNdjsonBatch(bytes: Buffer): AsyncGenerator<BatchItem> {
  let line = 1;
  let count = 0;
  for (let at = 0; ; ) {
    for (let byte = bytes[at]; isSpace(byte); byte = bytes[++at]) if (byte === LINE_FEED) line += 1;
    if (at >= bytes.length) break;
    count += 1;
    if (count > MAX_ENTRIES) throw wrongNumber(count);
    const end = bytes.indexOf(LINE_FEED, at);
    const piece = bytes.subarray(at, end < 0 ? bytes.length : end);
    at += piece.length;
    yield await readLine(piece, line);
  }
  if (count === 0) throw wrongNumber(count);
}

async function readLine(bytes: Buffer, line: number): Promise<BatchItem> {
  try {
    return await readItem(decode(bytes));
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    const msg = `JSON decode error in line ${line}`;
    return { fields: null, faults: [fault('json_invalid', ['body'], msg, bytes.toString('utf8', 0, 200))] };
  }
}

async function readItem(text: string): Promise<BatchItem> {
  try {
    const { value, faults } = await readJson(text);
    if (isObject(value)) return { fields: value, faults };
    const msg = 'Input should be a valid dictionary';
    return { fields: null, faults: [fault('model_attributes_type', ['body'], msg, value)] };
  } catch (error) {
    if (!(error instanceof ReelError)) throw error;
    return { fields: null, faults: error.faults };
  }
}

const decode = (bytes: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes);

/** No JSON, or no UTF-8. */
const isUnreadable = (error: unknown): boolean =>
  error instanceof SyntaxError ||
  (error as { code?: unknown } | null)?.code === 'ERR_ENCODING_INVALID_ENCODED_DATA';

const wrongNumber = (count: number): ReelError =>
  invalidRequest([
    count === 0
      ? fault('too_short', ENTRIES, 'List should have at least 1 item')
      : fault('too_long', ENTRIES, `List should have at most ${MAX_ENTRIES} items`),
  ]);

function fault(type: string, loc: Fault['loc'], msg: string, input: unknown = null): Fault {
  return { type, loc, msg, input: show(input) };
}
