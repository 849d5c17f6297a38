import { hash } from 'node:crypto';
import { isHeld, rawJson, UnheldNumber } from '../../query-line/number.js';
import { isStorable } from '../../query-line/values.js';

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
export function truncated(came: string, bytes: number): Record<string, unknown> {
  const sized = { _truncated: true, _bytes: Buffer.byteLength(came), _sha256: hash('sha256', came, 'hex') };
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

/** As JSON.stringify, which recurses, of plain values. */
function deepJson(root: object): string | null {
  const pieces: string[] = [];
  const open: { value: object; members: [string, unknown][]; at: number }[] = [];
  const within = new Set<object>();
  const begin = (value: unknown): boolean => {
    if (typeof value !== 'object' || value === null || value instanceof UnheldNumber) {
      pieces.push(typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? 'null'));
      return true;
    }
    if (within.has(value)) return false;
    within.add(value);
    open.push({ value, members: Object.entries(value), at: 0 });
    pieces.push(Array.isArray(value) ? '[' : '{');
    return true;
  };
  if (!begin(root)) return null;
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const isList = Array.isArray(top.value);
    const member = top.members[top.at];
    if (member === undefined) {
      pieces.push(isList ? ']' : '}');
      within.delete(top.value);
      open.pop();
      continue;
    }
    if (top.at > 0) pieces.push(',');
    top.at += 1;
    if (!isList) pieces.push(JSON.stringify(member[0]), ':');
    if (!begin(member[1])) return null;
  }
  return pieces.join('');
}
