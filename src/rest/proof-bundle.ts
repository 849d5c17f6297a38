import { isDeepStrictEqual } from 'node:util';
import type { ExportProofs } from '../log/export.js';
import type { LogEntry } from '../log/log-entry.entity.js';
import { decodeBase64 } from '../seal/note.js';
import type { StoredSeal } from '../seal/proof.js';
import type { InclusionProof } from '../seal/proof.types.js';
import type { ExportedEntry } from '../seal/verify-export.js';
import { EXPORT_COLUMNS, entryFromWire, entryToWire, snake } from './wire.js';

/** What a bundle has beside the entry, binary as base64. */
const PROOF_FIELDS = [
  'identitySalt',
  'dataSalt',
  'identityDigest',
  'dataDigest',
  'leafHash',
  'path',
] as const satisfies readonly (keyof InclusionProof)[];

const HEX_FIELDS: ReadonlySet<string> = new Set(['identityDigest', 'dataDigest']);

/** An entry with everything that is needed to check it offline but the note. Without its data, the data's digest stands for it. */
export function bundleToWire(
  entry: LogEntry,
  proof: InclusionProof,
  includeData: boolean,
): Record<string, unknown> {
  const shown = entryToWire(entry);
  if (!includeData) delete shown.data;
  const bundle: Record<string, unknown> = { entry: shown };
  for (const field of PROOF_FIELDS) {
    const value = proof[field];
    bundle[snake(field)] =
      typeof value === 'string' && HEX_FIELDS.has(field)
        ? Buffer.from(value, 'hex').toString('base64')
        : value;
  }
  if (!includeData) bundle[snake('dataSalt')] = null;
  return bundle;
}

/** The proofs that exported lines carry. */
export const exportProofs = (seal: Pick<StoredSeal, 'proofsAt' | 'noteAt'>): ExportProofs => ({
  bundles: async (scope, entries, upTo, includeData) => {
    const ids = entries.map(({ id }) => id);
    const proofs = await seal.proofsAt(scope, ids, upTo);
    return entries.map((entry) => {
      const proof = proofs.get(entry.id);
      // Cleaned up since the entry was read.
      if (!proof) throw new Error(`expected a proof of entry ${entry.id}, got none`);
      return bundleToWire(entry, proof, includeData);
    });
  },
  note: (scope, upTo) => seal.noteAt(scope, upTo),
});

/** The note of an export's last line, null where nothing was sealed; undefined where the line is another. */
export function readCheckpointLine(line: string): string | null | undefined {
  const value = parsed(line);
  if (!value || Object.keys(value).join() !== 'checkpoint' || hasTwice(line, value)) return undefined;
  return typeof value.checkpoint === 'string' || value.checkpoint === null ? value.checkpoint : undefined;
}

/** What an exported line and its bundle have, in the order in which they are written. */
export const SHOWN_NAMES = EXPORT_COLUMNS.map(({ name }) => name);
export const ENTRY_NAMES = Object.keys(entryToWire({} as LogEntry));
export const BYTES_NAMES = PROOF_FIELDS.slice(0, -1).map(snake);
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
