/**
 * Checks an NDJSON export with proofs by nothing but Node's own crypto and the published key:
 * `node check-export.mjs EXPORT.ndjson KEYS.txt`. It shares no code with Reel; read it, or write your own from
 * docs/seal.md.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [file, keys] = process.argv.slice(2);
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const base64 = (text) => Buffer.from(text, 'base64');
const fail = (line, what) => {
  console.log(`line ${line}: ${what}`);
  process.exitCode = 1;
};

/** RFC 8785 for what JSON.parse answers: keys in order of UTF-16 units, the rest as JSON.stringify has it. */
const canonical = (value) => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
};

/** RFC 9162, section 2.1.3.2. */
const rootFrom = (leaf, index, size, path) => {
  let [hash, fn, sn] = [leaf, index, size - 1];
  for (const step of path) {
    if (sn === 0) return null;
    if (fn % 2 === 1 || fn === sn) {
      hash = sha256(Buffer.of(1), step, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else hash = sha256(Buffer.of(1), hash, step);
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 ? hash : null;
};

/** The signed text of a note whose signature one of the published keys holds for. */
const openNote = (note) => {
  const end = note.indexOf('\n\n') + 1;
  const text = note.slice(0, end);
  for (const vkey of readFileSync(keys, 'utf8').trim().split('\n')) {
    // The key itself is base64, in which a + may stand.
    const [name, , ...key] = vkey.split('+');
    const raw = base64(key.join('+')).subarray(1);
    const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]);
    const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
    for (const line of note
      .slice(end + 1)
      .trim()
      .split('\n')) {
      const [, signer, signature] = line.split(' ');
      if (signer === name && verify(null, text, publicKey, base64(signature).subarray(4)))
        return text.split('\n');
    }
  }
  return null;
};

const lines = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
const note = lines.pop().checkpoint;
const opened = openNote(note);
if (!opened) fail(lines.length + 1, 'the checkpoint is not signed by a published key');
const [origin, size, root] = opened ?? [];

for (const [index, { proof, ...row }] of lines.entries()) {
  const { entry } = proof;
  const identity = {
    actor_email: entry.actor_email,
    actor_name: entry.actor_name,
    ip_address: entry.ip_address,
    user_agent: entry.user_agent,
  };
  const digest = (salt, value) => sha256(base64(salt), canonical(value)).toString('base64');
  const hex = (digest64) => digest64 && base64(digest64).toString('hex');
  if (proof.identity_salt && digest(proof.identity_salt, identity) !== proof.identity_digest)
    fail(index + 1, 'changed: who');
  if (proof.data_salt && entry.data && digest(proof.data_salt, entry.data) !== proof.data_digest)
    fail(index + 1, 'changed: data');
  for (const [name, value] of Object.entries(row))
    if (canonical(value) !== canonical(entry[name] ?? null)) fail(index + 1, `changed: ${name}`);
  const {
    id,
    tenant_id,
    module,
    action,
    severity,
    origin: from,
    actor_id,
    on_behalf_of_id,
    client_id,
  } = entry;
  const { resource_type, resource_id, request_id, occurred_at, created_at, sequence } = entry;
  const leaf = {
    v: 1,
    id,
    tenant_id,
    module,
    action,
    severity,
    origin: from,
    actor_id,
    on_behalf_of_id,
    client_id,
  };
  Object.assign(leaf, { resource_type, resource_id, request_id, occurred_at, created_at });
  Object.assign(leaf, { identity: hex(proof.identity_digest), data: hex(proof.data_digest) });
  const hash = sha256(Buffer.of(0), canonical(leaf));
  if (!hash.equals(base64(proof.leaf_hash))) fail(index + 1, 'changed: the leaf');
  if (!origin?.endsWith(`/${tenant_id}`)) fail(index + 1, 'of another tenant than the checkpoint');
  if (rootFrom(hash, sequence - 1, Number(size), proof.path.map(base64))?.toString('base64') !== root)
    fail(index + 1, `not at place ${sequence} of the signed log`);
}
if (!process.exitCode) console.log(`ok ${lines.length} entries of ${origin}, signed at size ${size}`);
