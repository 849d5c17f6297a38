import { expect, test } from 'vitest';
import { LogEntry } from '../../src/log/entry/log-entry.entity.js';
import { LogSeverity } from '../../src/log/entry/severity.js';
import type { InclusionProof } from '../../src/seal/proof.js';
import { exportProofs } from '../../src/seal/proof-bundle.js';

const TENANT = '0196f2f0-0000-7000-8000-00000000a001';

/** `npm run torture` found a line with an e-mail address and without the salt that it was sealed with. */
test('an entry that is erased between its reading and its proof is exported as erased', async () => {
  const entry = Object.assign(new LogEntry(), {
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
    inclusionProofsAt: async () => new Map([[entry.id, proof as unknown as InclusionProof]]),
    noteAt: async () => null,
  });
  const [bundle] = await proofs.bundles({ tenantId: TENANT, clients: null }, [entry], 1, true);
  const erased = { actor_email: null, actor_name: null, data: null };
  expect(bundle).toMatchObject({ entry: { ...erased, actor_id: 'ana' }, identity_salt: null });
  // Of which the line's own columns are made.
  expect(entry).toMatchObject({ actorEmail: null, actorName: null, data: null, actorId: 'ana' });
});
