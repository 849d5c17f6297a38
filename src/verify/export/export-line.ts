import { isDeepStrictEqual } from 'node:util';
import { FIELDS, laterColumns } from '../../log/entry/fields.js';
import { LEAF, LEAF_VERSIONS, type LeafValues } from '../../log/entry/leaf.js';
import { entryFromWire } from '../../log/entry/wire.js';
import { decodeBase64 } from '../../seal/note.js';
import {
  ALL_EXPORT_LINE_KEYS,
  BUNDLE_BINARY_KEYS,
  BUNDLE_ENTRY_KEYS,
  EXPORT_LINE_KEYS,
  FIRST_BUNDLE_ENTRY_KEYS,
  VERSION_KEY,
} from '../../seal/proof-bundle.js';
import type { ExportedEntry } from './export-check.js';

/** The note of an export's last line, null if nothing was sealed; undefined if the line has another form. */
export function readCheckpointLine(line: string): string | null | undefined {
  const value = parse(line);
  if (!value || Object.keys(value).join() !== 'checkpoint' || hasDuplicateKey(line, value)) return undefined;
  return typeof value.checkpoint === 'string' || value.checkpoint === null ? value.checkpoint : undefined;
}

const FIRST_BUNDLE_KEYS = ['entry', ...BUNDLE_BINARY_KEYS, 'path'];
const BUNDLE_KEYS = [VERSION_KEY, ...FIRST_BUNDLE_KEYS];
const LINE_KEYS = [...EXPORT_LINE_KEYS, 'proof'];
const ALL_LINE_KEYS = [...ALL_EXPORT_LINE_KEYS, 'proof'];

/** An entry's line of an NDJSON export with proofs; null if it has another form. */
export function readExportLine(line: string): ExportedEntry | null {
  const value = parse(line);
  const { proof, ...fields } = value ?? {};
  if (!isObject(proof) || !isObject(proof.entry)) return null;
  const sealed = proof.entry;
  const isFirstEdition = !Object.hasOwn(proof, VERSION_KEY);
  const version = isFirstEdition ? 1 : proof[VERSION_KEY];
  const known = typeof version === 'number' ? LEAF_VERSIONS.get(version) : undefined;
  const leaf = known ?? LEAF;
  const entry = entryFromWire(sealed, leaf.version, proof.identity_salt === null);
  const [identitySalt, dataSalt, identityDigest, dataDigest, leafHash] = BUNDLE_BINARY_KEYS.map((name) =>
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
  const hasData = 'data' in sealed;
  const entryKeys = isFirstEdition ? FIRST_BUNDLE_ENTRY_KEYS : BUNDLE_ENTRY_KEYS;
  const later = laterColumns(leaf.version);
  const isOfAllFields = !isFirstEdition && Object.keys(fields).some((key) => !LINE_KEYS.includes(key));
  const problems = [
    ...keyProblems(value!, isOfAllFields ? ALL_LINE_KEYS : LINE_KEYS, hasData),
    ...keyProblems(sealed, entryKeys, hasData, later),
    ...keyProblems(proof, isFirstEdition ? FIRST_BUNDLE_KEYS : BUNDLE_KEYS, true),
    ...laterProblems(sealed, entry, leaf.version),
    ...Object.keys(fields)
      .filter((key) => !isSame(fields[key], sealed[key]))
      .map((key) => `${key} differs from the proof's`),
  ];
  if (!known)
    problems.push(
      `${VERSION_KEY}: expected ${[...LEAF_VERSIONS.keys()].join(' or ')}, got ${JSON.stringify(version)}`,
    );
  if (hasDuplicateKey(line, value!)) problems.push('duplicate key');
  return {
    entry,
    leaf,
    sequence: entry.sequence,
    hasData,
    identitySalt,
    dataSalt,
    identityDigest,
    dataDigest,
    leafHash,
    // An empty hash makes the proof invalid.
    path: proof.path.map((each: string) => decodeBase64(each) ?? Buffer.alloc(0)),
    problems: [...new Set(problems)],
  };
}

/** Comparing JSON first is faster for data, which mostly is the same text twice. */
const isSame = (one: unknown, other: unknown): boolean =>
  one === other ||
  (typeof one === 'object' &&
    typeof other === 'object' &&
    (JSON.stringify(one) === JSON.stringify(other) || isDeepStrictEqual(one, other)));

/** No leaf speaks for fields that came with a later version, so they must be as such an entry shows them. */
function laterProblems(sealed: Record<string, unknown>, entry: LeafValues, version: number): string[] {
  return FIELDS.filter(
    ({ since, name, column, kind }) =>
      since > version &&
      Object.hasOwn(sealed, column) &&
      !isSame(kind.seal(entry[name]), kind.seal(sealed[column])),
  ).map(
    ({ name, column }) =>
      `${column}: expected ${JSON.stringify(entry[name])}, as in any entry of leaf version ${version}`,
  );
}

/** An object must have exactly these keys; `data` only with `hasData`; it may leave out those in `optional`. */
function keyProblems(
  value: object,
  keys: readonly string[],
  hasData: boolean,
  optional: readonly string[] = [],
): string[] {
  const found: string[] = [];
  for (const key in value)
    if (!keys.includes(key) || (key === 'data' && !hasData)) found.push(`unexpected key ${key}`);
  for (const key of keys)
    if (!Object.hasOwn(value, key) && !optional.includes(key) && (key !== 'data' || hasData))
      found.push(`missing key ${key}`);
  return found;
}

/** Whether an object of the line has a key twice: JSON.parse takes the last, other parsers may take the first. */
function hasDuplicateKey(line: string, value: object): boolean {
  const members = countMembers(value);
  // Without spaces, `":` ends each key, and rarely is part of a string.
  const isTight = ![' :', '\t', '\r'].some((space) => line.includes(space));
  if (isTight && countOf('":', line) === members) return false;
  let keys = 0;
  for (const [, colon] of line.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) if (colon) keys += 1;
  return keys !== members;
}

function countOf(part: string, text: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count += 1;
  return count;
}

function countMembers(value: object): number {
  let count = 0;
  for (const each of Array.isArray(value) ? value : Object.values(value)) {
    if (typeof each === 'object' && each !== null) count += countMembers(each);
  }
  return Array.isArray(value) ? count : count + Object.keys(value).length;
}

function parse(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** undefined if it is neither null nor base64. */
const bytesOf = (value: unknown): Buffer | null | undefined =>
  value === null ? null : typeof value === 'string' ? (decodeBase64(value) ?? undefined) : undefined;
