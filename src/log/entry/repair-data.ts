import { createHash, hash } from 'node:crypto';
import { isHeld, rawJson, UnheldNumber } from '../../query-line/number.js';
import { isStorable } from '../../query-line/values.js';
import { namesOf } from '../../query-line/wide-object.js';
import { passTurn } from '../../time-slice.js';

/** Of what stands for data past its bounds. */
const MAX_TEXT_CHARACTERS = 32_768;

/**
 * Data with numbers that no double holds as text, and U+FFFD for each NUL and lone surrogate; null for what has more
 * levels or is no object. Two names that become the same are told apart by a number.
 */
export function mendData(value: object, levels: number): Record<string, unknown> | null {
  try {
    const mended = mend(value, '', levels);
    return typeof mended === 'object' && !Array.isArray(mended)
      ? (mended as Record<string, unknown> | null)
      : null;
  } catch {
    // Too deep, or thrown by a caller's own toJSON.
    return null;
  }
}

const TOO_DEEP = new Error('expected fewer levels');

/** undefined for what JSON.stringify leaves out. */
function mend(value: unknown, key: string, levels: number): unknown {
  switch (typeof value) {
    case 'string':
      return storable(value);
    case 'number':
      return isHeld(value) ? value : String(value);
    case 'bigint':
      return String(value);
    case 'boolean':
      return value;
    case 'object':
      break;
    default:
      return undefined;
  }
  if (value === null) return null;
  if (value instanceof UnheldNumber) return value.text;
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return mend(withoutToJson(toJSON.call(value, key)), key, levels);
  if (value instanceof String || value instanceof Number || value instanceof Boolean)
    return mend(value.valueOf(), key, levels);
  if (levels === 0) throw TOO_DEEP;
  if (Array.isArray(value))
    return Array.from(value, (each, at) => mend(each, String(at), levels - 1) ?? null);
  return mendObject(value as Record<string, unknown>, levels);
}

/** JSON.stringify asks once. */
const withoutToJson = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'toJSON' in value ? { ...value, toJSON: undefined } : value;

function mendObject(object: Record<string, unknown>, levels: number): Record<string, unknown> {
  const members: [string, unknown][] = [];
  const taken = new Map<string, number>();
  const isTaken = (name: string) => Object.hasOwn(object, name) || taken.has(name);
  for (const key of Object.keys(object)) {
    const value = mend(object[key], key, levels - 1);
    if (value === undefined) continue;
    const mended = storable(key);
    let name = mended;
    if (mended !== key) {
      // Of each name it is kept how far its numbers are taken, so that many of one name take no longer than as many others.
      for (let at = (taken.get(mended) ?? 0) + 1; isTaken(name); at += 1) {
        name = `${mended} (${at + 1})`;
        taken.set(mended, at);
      }
      if (!taken.has(name)) taken.set(name, 0);
    }
    members.push([name, value]);
  }
  return Object.fromEntries(members);
}

const storable = (text: string): string =>
  isStorable(text) ? text : text.toWellFormed().replaceAll('\0', '\uFFFD');

/** What is stored of data past its bounds, as long as it takes at most so many bytes as PostgreSQL prints it. */
export const truncated = (came: string, bytes: number): Record<string, unknown> =>
  begun(came, { _bytes: Buffer.byteLength(came), _sha256: hash('sha256', came, 'hex') }, bytes);

/** Data past its bounds that is cut already. */
export class TruncatedData {
  constructor(readonly stands: Record<string, unknown>) {}
}

/**
 * As truncated, of data that takes long to write out, in slices; data that is not so long, or no plain JSON, as it came.
 * `most`: characters of data that is left alone.
 */
export async function truncateLong(data: unknown, most: number, bytes: number): Promise<unknown> {
  if (typeof data !== 'object' || data === null || isShort(data, { left: most }, MAX_SHORT_LEVELS))
    return data;
  const sha256 = createHash('sha256');
  let [start, text, length, size] = ['', '', 0, 0];
  const flush = () => {
    const buffer = Buffer.from(text);
    size += buffer.length;
    sha256.update(buffer);
    if (start.length < 2 * MAX_TEXT_CHARACTERS) start += text;
    text = '';
  };
  let pieces = 0;
  for (const piece of jsonPieces(data, true)) {
    if (piece === null) return data;
    pieces += 1;
    if (pieces % STRIDE === 0) await passTurn();
    length += piece.length;
    for (let at = 0; at < piece.length; ) {
      const part = piece.slice(at, endOfPart(piece, at + CHUNK_CHARACTERS));
      at += part.length;
      text += part;
      if (text.length < CHUNK_CHARACTERS) continue;
      flush();
      await passTurn();
    }
  }
  flush();
  if (length <= most) return data;
  return new TruncatedData(begun(start, { _bytes: size, _sha256: sha256.digest('hex') }, bytes));
}

const CHUNK_CHARACTERS = 65_536;
/** Pieces, of which most are short, between two looks at the clock. */
const STRIDE = 1_024;

/** Not between the halves of a surrogate pair. */
const endOfPart = (text: string, end: number): number => {
  const code = text.charCodeAt(end - 1);
  return end < text.length && code >= 0xd800 && code <= 0xdbff ? end - 1 : end;
};

const MAX_SHORT_LEVELS = 64;

/** A list, or an object with members of its own alone. */
function isPlain(value: object): boolean {
  const proto: unknown = Object.getPrototypeOf(value);
  return (Array.isArray(value) || proto === Object.prototype || proto === null) && !('toJSON' in value);
}

/** Whether a value is short, or none that JSON.stringify writes as it is. */
function isShort(value: unknown, room: { left: number }, levels: number): boolean {
  const text = value instanceof UnheldNumber ? value.text : value;
  room.left -= typeof text === 'string' ? text.length : 1;
  if (room.left < 0) return false;
  if (typeof value !== 'object' || value === null) return true;
  if (!isPlain(value)) return true;
  if (levels === 0) return false;
  if (Array.isArray(value)) return value.every((each) => isShort(each, room, levels - 1));
  for (const name of namesOf(value))
    if (!isShort((value as Record<string, unknown>)[name], room, levels - 1)) return false;
  return true;
}

/** The beginning of data's text, with what is known of the whole. */
function begun(
  came: string,
  whole: { _bytes: number; _sha256: string },
  bytes: number,
): Record<string, unknown> {
  const sized = { _truncated: true, ...whole };
  // PostgreSQL adds a space past each of four colons and three commas.
  let room = bytes - Buffer.byteLength(JSON.stringify({ ...sized, _text: '' })) - 7;
  let end = 0;
  let characters = 0;
  for (const character of came) {
    const code = character.codePointAt(0)!;
    room -= code === 0x22 || code === 0x5c ? 2 : code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (room < 0 || characters === MAX_TEXT_CHARACTERS) break;
    characters += 1;
    end += character.length;
  }
  return { ...sized, _text: came.slice(0, end) };
}

/** Compact JSON of any depth, with numbers as they came; null for a cycle. */
export function compactJson(value: object): string | null {
  try {
    return (JSON.stringify(value) as string | undefined) ?? null;
  } catch (error) {
    return error instanceof RangeError ? deepJson(value) : withBigints(value);
  }
}

function withBigints(value: object): string | null {
  try {
    return JSON.stringify(value, (_key, each: unknown) =>
      typeof each === 'bigint' ? rawJson(String(each)) : each,
    );
  } catch {
    return null;
  }
}

/** As JSON.stringify, which recurses, of plain values; null for a cycle. */
function deepJson(root: object): string | null {
  const text: string[] = [];
  for (const piece of jsonPieces(root)) {
    if (piece === null) return null;
    text.push(piece);
  }
  return text.join('');
}

/** An object or list that is being written. */
interface Open {
  value: object;
  /** Of an object. */
  names: readonly string[] | null;
  at: number;
}

/**
 * The pieces of compact JSON of plain values of any depth; null, the last, where there is a cycle, or (`plainOnly`) an
 * object that JSON.stringify would write in its own way.
 */
export function* jsonPieces(root: object, plainOnly = false): Generator<string | null> {
  const open: Open[] = [];
  const within = new Set<object>();
  let before = '';
  let next: unknown = root;
  for (;;) {
    if (next instanceof UnheldNumber) yield before + next.text;
    else if (typeof next !== 'object' || next === null) {
      yield before + (typeof next === 'bigint' ? String(next) : (JSON.stringify(next) ?? 'null'));
    } else {
      if (within.has(next) || (plainOnly && !isPlain(next))) return yield null;
      within.add(next);
      const isList = Array.isArray(next);
      open.push({ value: next, names: isList ? null : namesOf(next), at: 0 });
      yield before + (isList ? '[' : '{');
    }
    let top = open.at(-1);
    while (top && top.at >= (top.names ?? (top.value as unknown[])).length) {
      yield top.names ? '}' : ']';
      within.delete(top.value);
      open.pop();
      top = open.at(-1);
    }
    if (!top) return;
    const comma = top.at > 0 ? ',' : '';
    const name = top.names?.[top.at];
    before = name === undefined ? comma : `${comma}${JSON.stringify(name)}:`;
    next = (top.value as Record<string | number, unknown>)[name ?? top.at];
    top.at += 1;
  }
}
