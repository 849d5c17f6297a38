import { snake } from '../log/entry/fields.js';
import type { LogEntry } from '../log/entry/log-entry.entity.js';
import { entryNames, entryToWire, exportColumns } from '../log/entry/wire.js';
import type { ExportProofs } from '../log/export/export.js';
import type { StoredSeal } from './proof.js';
import type { InclusionProof } from './proof.types.js';

/** What a bundle has beside the entry, binary as base64. */
const PROOF_FIELDS = [
  'identitySalt',
  'dataSalt',
  'identityDigest',
  'dataDigest',
  'leafHash',
  'path',
] as const satisfies readonly (keyof InclusionProof)[];

/** What an exported line and its bundle have, in the order in which they are written. */
export const SHOWN_NAMES = exportColumns().map(({ name }) => name);
export const ENTRY_NAMES = entryNames();
export const BYTES_NAMES = PROOF_FIELDS.slice(0, -1).map(snake);

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
