/**
 * Checks an NDJSON export with proofs by nothing but Node's own crypto and the published keys:
 * `node check-export.mjs EXPORT.ndjson KEYS.txt`. It shares no code with Reel; read it, or write your own from
 * docs/seal.md. Check the file as it came: one that was written anew may differ in its text.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const WHO = 'actor_email actor_name ip_address user_agent'.split(' ');
const PLAIN = (
  'id tenant_id module action severity origin actor_id on_behalf_of_id client_id ' +
  'resource_type resource_id request_id occurred_at created_at'
).split(' ');
const ROW = (
  'id created_at module action severity actor_id actor_email actor_name tenant_id client_id ' +
  'resource_type resource_id ip_address'
).split(' ');
const PROOF = 'entry identity_salt data_salt identity_digest data_digest leaf_hash path'.split(' ');

const [file, keyFile] = process.argv.slice(2);
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const pick = (from, names) => Object.fromEntries(names.map((name) => [name, from[name]]));
const fail = (line, what) => {
  console.log(`line ${line}: ${what}`);
  process.exitCode = 1;
};

/** The bytes of base64 in its one spelling; null of null. */
const bytes = (text) => {
  if (text === null) return null;
  const read = Buffer.from(text, 'base64');
  if (read.toString('base64') !== text) throw new Error('not base64');
  return read;
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
  if (index < 0 || index >= size) return null;
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

/** The checkpoint of a note that one of the published keys has signed, as C2SP's signed-note has it. */
const openNote = (note) => {
  const end = note.indexOf('\n\n') + 1;
  const [text, signatures] = [note.slice(0, end), note.slice(end + 1, -1).split('\n')];
  for (const vkey of readFileSync(keyFile, 'utf8').trim().split('\n')) {
    // The key itself is base64, in which a + may stand.
    const [name, id, ...rest] = vkey.trim().split('+');
    const key = bytes(rest.join('+'));
    const keyId = sha256(`${name}\n`, key).subarray(0, 4);
    if (keyId.toString('hex') !== id) throw new Error(`the key ${vkey} has another id`);
    // What stands before the 32 bytes of an Ed25519 key (RFC 8410).
    const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(1)]);
    const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
    for (const line of signatures) {
      const [dash, signer, signature, ...more] = line.split(' ');
      if (dash !== '—' || signer !== name || more.length > 0) continue;
      const signed = bytes(signature);
      if (!signed.subarray(0, 4).equals(keyId) || !verify(null, text, publicKey, signed.subarray(4)))
        continue;
      const [log, size, root] = text.split('\n');
      if (log.startsWith(`${name}/`) && note.endsWith('\n')) return { log, size: Number(size), root };
    }
  }
  throw new Error('not signed by a published key');
};

/** What is wrong with a line; `withData`: whether the export carries data. */
const faultsOf = ({ proof, ...row }, { log, size, root }, withData) => {
  const { entry } = proof;
  const names = [...PLAIN, ...WHO, 'sequence', ...(withData ? ['data'] : [])];
  const isAs = (value, expected) => canonical(Object.keys(value).sort()) === canonical([...expected].sort());
  if (!isAs(row, withData ? [...ROW, 'data'] : ROW) || !isAs(entry, names) || !isAs(proof, PROOF))
    return ['other fields than such an export has'];
  const faults = [];
  for (const [name, value] of Object.entries(row))
    if (canonical(value) !== canonical(entry[name])) faults.push(`changed: ${name}`);

  const [identitySalt, dataSalt] = [bytes(proof.identity_salt), bytes(proof.data_salt)];
  const [identityDigest, dataDigest] = [bytes(proof.identity_digest), bytes(proof.data_digest)];
  const holds = (salt, value, digest) => salt?.length === 16 && sha256(salt, canonical(value)).equals(digest);
  const who = pick(entry, WHO);
  const isEmpty = Object.values(who).every((value) => value === null);
  // Erasure takes who, data and both salts at once, and leaves the digests.
  const isErased = identitySalt === null;
  if (isErased ? !isEmpty : !holds(identitySalt, who, identityDigest)) faults.push('changed: who');
  const hasData = withData && dataDigest !== null && !isErased;
  if (hasData ? !holds(dataSalt, entry.data, dataDigest) : dataSalt !== null || (entry.data ?? null) !== null)
    faults.push('changed: data');

  const digests = { identity: identityDigest.toString('hex'), data: dataDigest?.toString('hex') ?? null };
  const leaf = sha256(Buffer.of(0), canonical({ v: 1, ...pick(entry, PLAIN), ...digests }));
  if (!leaf.equals(bytes(proof.leaf_hash))) faults.push('changed: the leaf');
  if (!log.endsWith(`/${entry.tenant_id}`)) faults.push('of another tenant than the checkpoint');
  const reached =
    Number.isSafeInteger(entry.sequence) && rootFrom(leaf, entry.sequence - 1, size, proof.path.map(bytes));
  if (!reached || reached.toString('base64') !== root)
    faults.push(`not at place ${entry.sequence} of the signed log`);
  return faults;
};

const lines = readFileSync(file, 'utf8').split('\n');
if (lines.pop() !== '') fail(lines.length + 1, 'the file is cut off');
const read = (line) => {
  const value = JSON.parse(line);
  if (JSON.stringify(value) !== line) throw new Error('not as it was exported, or a name in it twice');
  return value;
};
try {
  const { checkpoint, ...others } = read(lines.pop());
  if (checkpoint === undefined || Object.keys(others).length > 0) throw new Error('it is missing');
  if (checkpoint === null && lines.length > 0) throw new Error('null, and there are entries');
  const opened = checkpoint === null ? { log: 'a log of nothing', size: 0 } : openNote(checkpoint);
  let [withData, last] = [null, 0];
  for (const [index, line] of lines.entries())
    try {
      const row = read(line);
      withData ??= 'data' in row;
      for (const fault of faultsOf(row, opened, withData)) fail(index + 1, fault);
      const { sequence } = row.proof.entry;
      if (sequence <= last) fail(index + 1, `sequence ${sequence} comes after ${last}`);
      last = sequence;
    } catch (error) {
      fail(index + 1, error.message);
    }
  const count = `${lines.length} ${withData === false ? 'entries without their data' : 'entries'}`;
  if (!process.exitCode) console.log(`ok ${count} of ${opened.log}, signed at size ${opened.size}`);
} catch (error) {
  fail(lines.length + 1, `the checkpoint: ${error.message}`);
}
