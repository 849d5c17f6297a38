import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOf } from '../../src/log/entry/growing-bytes.js';
import { LogEntry } from '../../src/log/entry/log-entry.entity.js';
import { LogSeverity } from '../../src/log/entry/severity.js';
import { entryToWire } from '../../src/log/entry/wire.js';
import type { InclusionProof } from '../../src/seal/proof.js';
import { exportProofs, PROVABLE_COLUMNS, proofBundle, writeProven } from '../../src/seal/proof-bundle.js';
import { entry, storedEntry } from '../support/rows.js';

const TENANT = '0196f2f0-0000-7000-8000-00000000a001';

/** `npm run torture` found a line with an e-mail address and without the salt that it was sealed with. */
test('an entry that is erased between its reading and its proof is exported as erased', async () => {
  const read = Object.assign(new LogEntry(), {
    id: '0196f2f0-0000-7000-8000-000000000001',
    tenantId: TENANT,
    module: 'guardian',
    action: 'users.login',
    severity: LogSeverity.INFO,
    actorId: 'ana',
    actorEmail: 'ana@example.com',
    actorName: 'Ana',
    data: { secret: 1 },
  });
  const proof = { leafVersion: 2, identitySalt: null, dataSalt: null, identityDigest: '00', path: [] };
  const proofs = exportProofs({
    inclusionProofsAt: async () => new Map([[read.id, proof as unknown as InclusionProof]]),
    noteAt: async () => null,
  });
  const [bundle] = await proofs.bundles({ tenantId: TENANT, clients: null }, [read], 1, true);
  const erased = { actor_email: null, actor_name: null, data: null };
  expect(bundle).toMatchObject({ entry: { ...erased, actor_id: 'ana' }, identity_salt: null });
  // Of which the line's own columns are made.
  expect(read).toMatchObject({ actorEmail: null, actorName: null, data: null, actorId: 'ana' });
});

const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((each) => Buffer.from(each));
const sealed = fc.record({
  leafVersion: fc.constantFrom(1, 2),
  identitySalt: fc.option(bytes(16)),
  dataSalt: fc.option(bytes(16)),
  identityDigest: bytes(32),
  dataDigest: fc.option(bytes(32)),
  leafHash: bytes(32),
  path: fc.array(bytes(32), { maxLength: 24 }),
});

test('what a stream writes of a row is the entry with its bundle', () =>
  fc.assert(
    fc.property(entry, sealed, (values, proof) => {
      const base64 = (each: Buffer | null) => each?.toString('base64') ?? null;
      const { leafVersion, identitySalt, dataSalt, identityDigest, dataDigest, leafHash, path } = proof;
      const columns = [identitySalt, dataSalt, identityDigest, dataDigest].map(base64);
      const stored = storedEntry(values, PROVABLE_COLUMNS, [String(leafVersion), ...columns]);
      const leaf = { hash: base64(leafHash)!, path: path.map((each) => base64(each)!) };
      const bundle = proofBundle(
        stored,
        {
          leafVersion,
          identitySalt: base64(identitySalt),
          dataSalt: base64(dataSalt),
          identityDigest: identityDigest.toString('hex'),
          dataDigest: dataDigest?.toString('hex') ?? null,
          leafHash: leaf.hash,
          path: leaf.path,
        } as unknown as InclusionProof,
        true,
      );
      const written = bytesOf((out) => writeProven(out, stored, leaf));
      const expected = { ...entryToWire(stored), proof: bundle };
      expect(JSON.parse(written.toString())).toEqual(JSON.parse(JSON.stringify(expected)));
      expect(Object.keys(JSON.parse(written.toString()).proof)).toEqual(Object.keys(bundle));
    }),
  ));
