import { isDeepStrictEqual } from 'node:util';
import { entryFromWire } from '../../log/entry/wire.js';
import { decodeBase64 } from '../../seal/note.js';
import { BYTES_NAMES, ENTRY_NAMES, SHOWN_NAMES } from '../../seal/proof-bundle.js';
import type { ExportedEntry } from './export-check.js';

/** The note of an export's last line, null where nothing was sealed; undefined where the line is another. */
export function readCheckpointLine(line: string): string | null | undefined {
  const value = parsed(line);
  if (!value || Object.keys(value).join() !== 'checkpoint' || hasTwice(line, value)) return undefined;
  return typeof value.checkpoint === 'string' || value.checkpoint === null ? value.checkpoint : undefined;
}

const BUNDLE_NAMES = ['entry', ...BYTES_NAMES, 'path'];
const LINE_NAMES = [...SHOWN_NAMES, 'proof'];

/** An entry's line of an NDJSON export with proofs; null where it has another form. */
export function readExportLine(line: string): ExportedEntry | null {
  const value = parsed(line);
  const { proof, ...shown } = value ?? {};
  if (!isObject(proof) || !isObject(proof.entry)) return null;
  const wire = proof.entry;
  const entry = entryFromWire(wire);
  const [identitySalt, dataSalt, identityDigest, dataDigest, leafHash] = BYTES_NAMES.map((name) =>
    bytesOf(proof[name]),
  );
  if (
    !entry ||
    typeof entry.sequence !== 'number' ||
    !Array.isArray(proof.path) ||
    !proof.path.every((each) => typeof each === 'string')
  )
    return null;
  if (
    identitySalt === undefined ||
    dataSalt === undefined ||
    !identityDigest ||
    dataDigest === undefined ||
    !leafHash
  )
    return null;
  const hasData = 'data' in wire;
  const differing = [
    ...strays(value!, LINE_NAMES, hasData),
    ...strays(wire, ENTRY_NAMES, hasData),
    ...strays(proof, BUNDLE_NAMES, true),
    ...Object.keys(shown).filter((name) => !isSame(shown[name], wire[name])),
  ];
  if (hasTwice(line, value!)) differing.push('a name that stands twice');
  return {
    entry,
    sequence: entry.sequence,
    hasData,
    identitySalt,
    dataSalt,
    identityDigest,
    dataDigest,
    leafHash,
    // What is no hash leads nowhere.
    path: proof.path.map((each: string) => decodeBase64(each) ?? Buffer.alloc(0)),
    differing: [...new Set(differing)],
  };
}

/** Of data, which stands twice in a line: mostly in the same words, which is quicker to see. */
const isSame = (one: unknown, other: unknown): boolean =>
  one === other ||
  (typeof one === 'object' &&
    typeof other === 'object' &&
    (JSON.stringify(one) === JSON.stringify(other) || isDeepStrictEqual(one, other)));

/** Names that are there and no proof speaks for, and names that are missing. */
function strays(value: object, names: readonly string[], hasData: boolean): string[] {
  const found: string[] = [];
  for (const name in value) if (!names.includes(name) || (name === 'data' && !hasData)) found.push(name);
  for (const name of names) if (!Object.hasOwn(value, name) && (name !== 'data' || hasData)) found.push(name);
  return found;
}

/** Whether a name stands twice in one object, of which other readers of JSON may take the first. */
function hasTwice(line: string, value: object): boolean {
  const members = membersOf(value);
  // Most lines: a colon follows a quotation mark behind each name, at once, and nowhere else.
  const isTight = ![' :', '\t', '\r'].some((space) => line.includes(space));
  if (isTight && countOf('":', line) === members) return false;
  let names = 0;
  for (const [, colon] of line.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) if (colon) names += 1;
  return names !== members;
}

function countOf(part: string, text: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count += 1;
  return count;
}

function membersOf(value: object): number {
  let count = 0;
  for (const each of Array.isArray(value) ? value : Object.values(value)) {
    if (typeof each === 'object' && each !== null) count += membersOf(each);
  }
  return Array.isArray(value) ? count : count + Object.keys(value).length;
}

function parsed(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** undefined where it is neither null nor base64. */
const bytesOf = (value: unknown): Buffer | null | undefined =>
  value === null ? null : typeof value === 'string' ? (decodeBase64(value) ?? undefined) : undefined;
