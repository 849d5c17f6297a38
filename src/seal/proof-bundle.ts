import { conflict } from '../errors.js';
import { FIELDS, snake } from '../log/entry/fields.js';
import type { GrowingBytes } from '../log/entry/growing-bytes.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import { EntryColumns, type StoredEntry } from '../log/entry/stored-entry.js';
import { entryNames, entryToWire, exportColumns, writeEntry } from '../log/entry/wire.js';
import type { ExportProofs } from '../log/export/export-content.js';
import type { InclusionProof } from './proof.js';
import type { SealedLeaf, StoredProver } from './stored-prover.js';

/** What a bundle has behind the entry. */
const PROOF_FIELDS = [
  'identitySalt',
  'dataSalt',
  'identityDigest',
  'dataDigest',
  'leafHash',
  'path',
] as const satisfies readonly (keyof InclusionProof)[];

/** Keys of an exported line, in order, before its `proof`: the usual ones, and with all fields. */
export const EXPORT_LINE_KEYS = exportColumns().map(({ name }) => name);
export const ALL_EXPORT_LINE_KEYS = exportColumns(true).map(({ name }) => name);
/** Key of the leaf version, the first of a bundle; bundles of the first edition, all of version 1, have none. */
export const VERSION_KEY = snake('leafVersion' satisfies keyof InclusionProof);
/** Keys of a bundle's `entry`, in order, and those that it had in the first edition. */
export const BUNDLE_ENTRY_KEYS = entryNames();
export const FIRST_BUNDLE_ENTRY_KEYS = entryNames(FIELDS.filter(({ since }) => since === 1));
const PROOF_KEYS = PROOF_FIELDS.map(snake);
const DATA_SALT_KEY = snake('dataSalt' satisfies keyof InclusionProof);
/** Keys of a bundle between `entry` and `path`, in order; their values are base64. */
export const BUNDLE_BINARY_KEYS = PROOF_KEYS.slice(0, -1);

const HEX_FIELDS: ReadonlySet<string> = new Set(['identityDigest', 'dataDigest']);

/** An entry with all that is needed to check it offline, but for the note (docs/seal.md, "Proof"). */
export function proofBundle(
  entry: LogEntry,
  proof: InclusionProof,
  includeData: boolean,
): Record<string, unknown> {
  const fields = entryToWire(entry);
  if (!includeData) delete fields.data;
  const bundle: Record<string, unknown> = { [VERSION_KEY]: proof.leafVersion, entry: fields };
  for (const [index, field] of PROOF_FIELDS.entries()) {
    const value = proof[field];
    bundle[PROOF_KEYS[index]!] =
      typeof value === 'string' && HEX_FIELDS.has(field)
        ? Buffer.from(value, 'hex').toString('base64')
        : value;
  }
  if (!includeData) bundle[DATA_SALT_KEY] = null;
  return bundle;
}

const inBase64 = (column: string): string => `encode(${column}, 'base64') as ${column}`;
const [LEAF_VERSION, ...SALTS_AND_DIGESTS] = [VERSION_KEY, ...PROOF_FIELDS.slice(0, 4).map(snake)] as const;
/** SQL of what a bundle has of an entry's row. */
const SEALED_COLUMNS = [LEAF_VERSION!, ...SALTS_AND_DIGESTS.map(inBase64)];
/** An entry's columns, and what its bundle has of them. */
export const PROVABLE_COLUMNS = new EntryColumns(undefined, SEALED_COLUMNS);

const AFTER_ENTRY = Buffer.from(`,"proof":{"${VERSION_KEY}":`);
const BUNDLE_ENTRY = Buffer.from(',"entry":');
const [LEAF_HASH, PATH] = PROOF_KEYS.slice(4).map((key) => `,"${key}":`) as [string, string];
const SALT_AND_DIGEST_NAMES = SALTS_AND_DIGESTS.map((key) => Buffer.from(`,"${key}":`));
/** Of all names in a bundle. */
const NAMES_BYTES = 256;

/**
 * Writes an entry of PROVABLE_COLUMNS as JSON, with its bundle as its last member, `proof`. Errors: TypeError if a column has another
 * type; part of it is written then.
 */
export function writeProven(out: GrowingBytes, entry: StoredEntry, { hash, path }: SealedLeaf): void {
  const start = out.length;
  writeEntry(out, entry);
  const size = out.length - start;
  const row = entry.read();
  const first = row.columns - SEALED_COLUMNS.length;
  out.ensure(size + NAMES_BYTES + row.size);
  // Behind the last member, in place of the brace.
  out.length -= 1;
  out.append(AFTER_ENTRY);
  out.column(row, first);
  out.append(BUNDLE_ENTRY);
  out.appendRange(out.bytes, start, start + size - 1);
  out.byte(CLOSE_OBJECT);
  for (const [index, name] of SALT_AND_DIGEST_NAMES.entries()) {
    out.append(name);
    out.string(row, first + 1 + index);
  }
  out.text(`${LEAF_HASH}"${hash}"${PATH}[`);
  for (const [index, node] of path.entries()) out.text(index === 0 ? `"${node}"` : `,"${node}"`);
  out.text(']}}');
}

const CLOSE_OBJECT = 0x7d;

/** What an erasure takes of an entry. */
const ERASED = Object.fromEntries(FIELDS.flatMap(({ name, personal }) => (personal ? [[name, null]] : [])));

/**
 * The proof of each entry, in order. An entry that was erased since it was read is blanked, as its salts are gone. Errors: CONFLICT
 * if one was removed since.
 */
export function proofBundles(
  proofs: ReadonlyMap<string, InclusionProof>,
  entries: readonly LogEntry[],
  includeData: boolean,
): Record<string, unknown>[] {
  return entries.map((entry) => {
    const proof = proofs.get(entry.id);
    if (!proof) throw conflict(`Entry ${entry.id} was removed since it was read; prepare the export again`);
    if (proof.identitySalt === null) Object.assign(entry, ERASED);
    return proofBundle(entry, proof, includeData);
  });
}

/** The proofs that exported lines carry. */
export const exportProofs = (prover: Pick<StoredProver, 'inclusionProofsAt' | 'noteAt'>): ExportProofs => ({
  bundles: async (scope, entries, upTo, includeData) => {
    const ids = entries.map(({ id }) => id);
    const sequences = entries.flatMap(({ sequence }) => (sequence === null ? [] : [sequence]));
    const known = sequences.length === ids.length ? sequences : undefined;
    const proofs = await prover.inclusionProofsAt(scope, ids, upTo, known);
    return proofBundles(proofs, entries, includeData);
  },
  note: (scope, upTo) => prover.noteAt(scope, upTo),
});
