import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { executorOn } from '../../src/database/execute.js';
import { eraseEntries } from '../../src/log/retention/erase.js';
import { OwnEntries } from '../../src/log/retention/own-entries.js';
import { exportProofs } from '../../src/seal/proof-bundle.js';
import { StoredProver } from '../../src/seal/stored-prover.js';
import { openTrail, type Trail } from '../support/trail.js';

let trail: Trail;
beforeAll(async () => {
  trail = await openTrail();
});
afterAll(() => trail?.close());

test('an entry that is erased between its row and its proof is refused, and in order when read again', async () => {
  const [tenantId, actorId] = [randomUUID(), randomUUID()];
  const scope = { tenantId, clients: null };
  const written = await trail.service.log({ module: 'm', action: 'a', tenantId, actorId, actorName: 'Ana' });
  await trail.sequencer.catchUp(tenantId);
  const read = async () => [...(await trail.reader.byIds(scope, [written.id])).values()];
  const bundles = exportProofs(new StoredProver(trail.database)).bundles;
  const before = await read();
  expect(await bundles(scope, before, 1, true)).toMatchObject([{ entry: { actor_name: 'Ana' } }]);

  const owner = new pg.Client({ connectionString: trail.own.ownerUrl });
  await owner.connect();
  await eraseEntries(
    {
      transact: async (work) => {
        await owner.query('begin');
        const result = await work(executorOn(owner).execute);
        await owner.query('commit');
        return result;
      },
    },
    { tenantId, target: { actorId }, reason: 'asked', ownEntries: new OwnEntries('ana@host', 'reel') },
  );
  await owner.end();

  await expect(bundles(scope, before, 1, true)).rejects.toMatchObject({ code: 'CONFLICT' });
  expect(await bundles(scope, await read(), 1, true)).toMatchObject([
    { entry: { actor_name: null }, identity_salt: null },
  ]);
});
