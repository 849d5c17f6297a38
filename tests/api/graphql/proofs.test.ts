import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readVkey } from '../../../src/seal/note.js';
import { StoredProver } from '../../../src/seal/stored-prover.js';
import {
  checkConsistency,
  checkInclusion,
  identityOf,
  leafHashOf,
  leafOf,
  openNote,
  saltedDigest,
} from '../../support/independent-verifier.js';
import { grant, moduleToken, person, startReel, type TestReel, viewer } from '../../support/reel.js';

let reel: TestReel;
beforeAll(async () => {
  reel = await startReel();
});
afterAll(() => reel?.close());

const ENTRY = `id module action severity origin actorId actorType actorEmail actorName onBehalfOfId onBehalfOfName tenantId clientId
  resourceType resourceId resourceName outcome data ipAddress userAgent requestId occurredAt createdAt repaired sequence erasedAt`;
const CHECKPOINT = 'tenantId treeSize rootHash sealedAt note';
const PROOF = `leafVersion leafIndex leafHash identitySalt dataSalt identityDigest dataDigest path checkpoint { ${CHECKPOINT} }`;

const unbase = (text: string) => Buffer.from(text, 'base64');
const keys = async () => {
  const answer = await fetch(`${reel.url}/.well-known/reel-keys`);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8']);
  return (await answer.text()).split('\n').slice(0, -1);
};
const open = async (note: string) => {
  const { name, publicKey } = readVkey((await keys())[0]!)!;
  return openNote(note, name, publicKey);
};

async function fill(tenantId: string, clientId: string, count: number): Promise<void> {
  const token = await moduleToken();
  const inputs = Array.from({ length: count }, (_, index) => ({
    module: 'guardian',
    action: 'users.update',
    tenantId,
    clientId,
    actorId: randomUUID(),
    actorEmail: 'Ana@Example.com',
    actorName: 'Ana "Souza" é',
    ipAddress: '2001:DB8::1',
    userAgent: 'curl/8',
    resourceId: String(index),
    ...(index % 3 === 0
      ? {
          actorType: 'AGENT',
          onBehalfOfId: 'ana',
          onBehalfOfName: 'Ana é',
          resourceName: 'Invoice "4711"',
          outcome: 'FAILURE',
          requestId: 'x'.repeat(300),
          repair: true,
        }
      : {}),
    occurredAt: '2026-01-05T10:00:00.1Z',
    ...(index % 2 ? { data: { z: [1.5, null, 'ü'], a: { b: 1e21 - 1e21 + index } } } : {}),
  }));
  const answer = await reel.graphql(
    token,
    'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
    { inputs },
  );
  expect(answer.body.errors).toBeUndefined();
}

async function sealed(tenantId: string, size: number) {
  const token = await viewer(tenantId);
  await expect
    .poll(
      async () => (await reel.graphql(token, '{ checkpoint { treeSize } }')).body.data.checkpoint?.treeSize,
      {
        timeout: 60_000,
      },
    )
    .toBe(size);
}

const snake = (entry: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(entry).map(([name, value]) => [
      name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
      value,
    ]),
  );

describe('GraphQL', () => {
  const [tenantId, clientId] = [randomUUID(), randomUUID()];

  test('nothing sealed: no checkpoint', async () => {
    const { body } = await reel.graphql(await viewer(tenantId), `{ checkpoint { ${CHECKPOINT} } }`);
    expect(body).toEqual({ data: { checkpoint: null } });
  });

  test('an entry’s proof leads from its own fields to a checkpoint that the published key has signed', async () => {
    await fill(tenantId, clientId, 30);
    await sealed(tenantId, 30);
    const { body } = await reel.graphql(
      await viewer(tenantId),
      `{ logs(first: 30) { nodes { ${ENTRY} proof { ${PROOF} } } } checkpoint { ${CHECKPOINT} } }`,
    );
    expect(body.errors).toBeUndefined();
    const { logs, checkpoint } = body.data;
    const note = await open(checkpoint.note);
    expect(note).toMatchObject({
      origin: `reel.local/${tenantId}`,
      size: 30,
      root: unbase(checkpoint.rootHash),
      sealed: `sealed ${checkpoint.sealedAt}`,
    });
    for (const { proof, ...shown } of logs.nodes) {
      const entry = snake(shown);
      expect(proof.checkpoint).toEqual(checkpoint);
      expect(proof.leafVersion).toBe(2);
      expect(proof.leafIndex).toBe(shown.sequence - 1);
      expect(saltedDigest(unbase(proof.identitySalt), identityOf(2, entry)).toString('hex')).toBe(
        proof.identityDigest,
      );
      const data =
        entry.data === null ? null : saltedDigest(unbase(proof.dataSalt), entry.data).toString('hex');
      expect(data).toBe(proof.dataDigest);
      const leaf = leafHashOf(leafOf(2, entry, proof.identityDigest, proof.dataDigest));
      expect(leaf.toString('base64')).toBe(proof.leafHash);
      expect(checkInclusion(leaf, proof.leafIndex, 30, proof.path.map(unbase), note.root)).toBe(true);
    }
  });

  test('a later checkpoint extends an earlier one', async () => {
    const token = await viewer(tenantId);
    const before = (await reel.graphql(token, `{ checkpoint { ${CHECKPOINT} } }`)).body.data.checkpoint;
    await fill(tenantId, clientId, 20);
    await sealed(tenantId, 50);
    const { body } = await reel.graphql(
      token,
      `{ checkpoint { ${CHECKPOINT} } consistencyProof(first: 30, second: 50) { first second path } }`,
    );
    const { checkpoint, consistencyProof } = body.data;
    const roots = [unbase(before.rootHash), unbase(checkpoint.rootHash)] as const;
    expect(checkConsistency(30, 50, ...roots, consistencyProof.path.map(unbase))).toBe(true);
    const refused = await reel.graphql(token, '{ consistencyProof(first: 30, second: 51) { path } }');
    expect(refused.body.errors[0]).toMatchObject({
      message: "second: expected a size from 0 to 50, the newest checkpoint's, got 51",
      extensions: { code: 'BAD_USER_INPUT' },
    });
  });

  test('who may see one client gets proofs of its entries and no checkpoint; a module gets none', async () => {
    const asClient = await person({ grants: [grant(tenantId, `reel.logs.view:CLIENT:${clientId}`)] });
    const headers = { 'X-Client-Id': clientId };
    const listed = await reel.graphql(
      asClient,
      '{ logs(first: 1) { nodes { proof { leafIndex } } } }',
      {},
      headers,
    );
    expect(listed.body.data.logs.nodes[0].proof.leafIndex).toBeGreaterThanOrEqual(0);
    const refused = await reel.graphql(asClient, '{ checkpoint { note } }', {}, headers);
    expect(refused.body.errors[0].extensions.code).toBe('FORBIDDEN');
    const created = await reel.graphql(
      await moduleToken(),
      'mutation ($input: CreateLogInput!) { createLog(input: $input) { proof { leafIndex } } }',
      { input: { module: 'm', action: 'a', tenantId } },
    );
    expect(created.body.data.createLog.proof).toBeNull();
  });

  test('an entry that is erased between its row and its proof is refused, and proven when asked for again', async () => {
    const tenantId = randomUUID();
    await fill(tenantId, randomUUID(), 1);
    await sealed(tenantId, 1);
    const token = await viewer(tenantId);
    const ask = () => reel.graphql(token, '{ logs { nodes { actorName proof { identitySalt } } } }');
    const prove = StoredProver.prototype.inclusionProofs;
    vi.spyOn(StoredProver.prototype, 'inclusionProofs').mockImplementationOnce(async function (
      this: StoredProver,
      ...given
    ) {
      await reel.own.query(
        `update reel_log_entries set actor_email = null, actor_email_folded = null, actor_name = null, actor_name_folded = null,
           on_behalf_of_name = null, resource_name = null, ip_address = null, user_agent = null, data = null,
           identity_salt = null, data_salt = null, erased_at = now() where tenant_id = $1`,
        [tenantId],
      );
      return prove.apply(this, given);
    });
    expect((await ask()).body).toMatchObject({ errors: [{ extensions: { code: 'CONFLICT' } }] });
    expect((await ask()).body).toEqual({
      data: { logs: { nodes: [{ actorName: null, proof: { identitySalt: null } }] } },
    });
  });
});

describe('an NDJSON export with proofs', () => {
  const [tenantId, clientId] = [randomUUID(), randomUUID()];
  const exporter = () => person({ grants: [grant(tenantId, `reel.logs.export:CLIENT:${clientId}`)] });
  async function exported(input: object): Promise<string> {
    const { body } = await reel.graphql(
      await exporter(),
      'mutation ($input: ExportLogsInput!) { exportLogs(input: $input) { downloadUrl recordCount } }',
      { input: { format: 'NDJSON', includeProofs: true, ...input } },
      { 'X-Client-Id': clientId },
    );
    expect(body.errors).toBeUndefined();
    // Sealed after the link was made: in neither the file nor its checkpoint.
    await fill(tenantId, clientId, 3);
    return (await fetch(reel.url + body.data.exportLogs.downloadUrl)).text();
  }

  test.each([true, false])('proves itself, data: %s', async (includeData) => {
    await fill(tenantId, randomUUID(), 5);
    await fill(tenantId, clientId, 20);
    const lines = (await exported({ includeData })).split('\n');
    expect(lines.pop()).toBe('');
    const last = JSON.parse(lines.pop()!);
    expect(Object.keys(last)).toEqual(['checkpoint']);
    const note = await open(last.checkpoint);
    expect(note.origin).toBe(`reel.local/${tenantId}`);
    expect(lines.length).toBeGreaterThanOrEqual(20);
    for (const line of lines) {
      const { proof, ...shown } = JSON.parse(line);
      const { entry } = proof;
      expect(entry).toMatchObject(shown);
      expect([Object.keys(proof)[0], proof.leaf_version]).toEqual(['leaf_version', 2]);
      expect('data' in entry).toBe(includeData);
      expect('data' in shown).toBe(includeData);
      const identity = saltedDigest(unbase(proof.identity_salt), identityOf(2, entry));
      expect(identity).toEqual(unbase(proof.identity_digest));
      if (!includeData) expect(proof.data_salt).toBeNull();
      if (entry.data)
        expect(saltedDigest(unbase(proof.data_salt), entry.data)).toEqual(unbase(proof.data_digest));
      const data = proof.data_digest && unbase(proof.data_digest).toString('hex');
      const leaf = leafHashOf(leafOf(2, entry, identity.toString('hex'), data));
      expect(leaf).toEqual(unbase(proof.leaf_hash));
      expect(checkInclusion(leaf, entry.sequence - 1, note.size, proof.path.map(unbase), note.root)).toBe(
        true,
      );
    }
  });

  test('of nothing has a line that says so', async () => {
    const text = await exported({ filter: { modules: ['none'] } });
    expect(Object.keys(JSON.parse(text))).toEqual(['checkpoint']);
  });
});

test('the keys that were signed with before stay published, newest first', async () => {
  const [before] = await keys();
  const other = readVkey('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW')!;
  // Not signed by itself: whoever writes into the table behind Reel's back publishes nothing.
  await reel.own.query("insert into reel_log_signing_keys values ($1, '2026-01-05', 'x')", [
    `${other.name}+${other.keyId}+x`,
  ]);
  expect(await keys()).toEqual([before]);
});
