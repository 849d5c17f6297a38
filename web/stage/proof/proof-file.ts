import type { ProvableEntry } from './check.js';
import { fromBase64 } from './signed-note.js';

/** Fields of an entry in an exported line, and in the bundle with its proof (docs/seal.md). */
const LINE_KEYS =
  'id created_at module action severity actor_id actor_email actor_name tenant_id client_id resource_type resource_id ip_address origin occurred_at sequence actor_type on_behalf_of_id on_behalf_of_name resource_name outcome user_agent request_id repaired data';
const BUNDLE_KEYS =
  'id module action severity resource_type resource_id data actor_id actor_email actor_name tenant_id client_id ip_address user_agent request_id created_at origin occurred_at sequence on_behalf_of_id actor_type outcome on_behalf_of_name resource_name repaired';

const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

function base64OfHex(hex: string | null): string | null {
  if (hex === null) return null;
  return btoa(String.fromCharCode(...hex.match(/../g)!.map((pair) => Number.parseInt(pair, 16))));
}

/**
 * One entry with everything that is needed to check it without Reel: an NDJSON export of this entry alone, for
 * `reel verify --export`. Null where it has no proof.
 */
export function proofFile(entry: ProvableEntry): { name: string; text: string } | null {
  const { proof } = entry;
  if (!proof || fromBase64(proof.leafHash) === null) return null;
  const pick = (keys: string) =>
    Object.fromEntries(keys.split(' ').map((key) => [key, entry[camel(key) as keyof ProvableEntry] ?? null]));
  const bundle = {
    leaf_version: proof.leafVersion,
    entry: pick(BUNDLE_KEYS),
    identity_salt: proof.identitySalt,
    data_salt: proof.dataSalt,
    identity_digest: base64OfHex(proof.identityDigest),
    data_digest: base64OfHex(proof.dataDigest),
    leaf_hash: proof.leafHash,
    path: proof.path,
  };
  const lines = [{ ...pick(LINE_KEYS), proof: bundle }, { checkpoint: proof.checkpoint.note }];
  return {
    name: `entry-${entry.id}.ndjson`,
    text: lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
  };
}
