import { generateKeyPairSync, randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { toCriteria } from '../../src/log/filter/criteria.js';
import { SequencedReader } from '../../src/log/read/sequenced.js';
import { openCheckpoint } from '../../src/seal/checkpoint.js';
import { CompactRange } from '../../src/seal/compact-range.js';
import { signerOf, vkeyOf } from '../../src/seal/note.js';
import { PROVABLE_COLUMNS } from '../../src/seal/proof-bundle.js';
import { Sealer } from '../../src/seal/sealer.js';
import { Sequencer } from '../../src/seal/sequencer.js';
import { publishKey, readKeys } from '../../src/seal/signing-keys.js';
import { StoredProver } from '../../src/seal/stored-prover.js';
import { checkConsistency, checkInclusion, openNote } from '../support/independent-verifier.js';
import { openTrail, SIGNER, type Trail } from '../support/trail.js';

let trail: Trail;
let prover: StoredProver;
beforeAll(async () => {
  trail = await openTrail();
  prover = new StoredProver(trail.database);
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => trail?.close());

const GATEWAY = { kind: 'module', module: '*', ip: null, agent: null } as const;
const write = async (tenantId: string, count: number) => {
  for (let left = count; left > 0; left -= 1000)
    await trail.service.createMany(
      GATEWAY,
      Array.from({ length: Math.min(left, 1000) }, (_, index) => ({
        module: 'guardian',
        action: 'users.create',
        tenantId,
        resourceId: String(index),
        data: index % 3 === 0 ? { index } : undefined,
      })),
    );
};
const whole = (tenantId: string) => ({ tenantId, clients: null });
const rows = (table: string, tenantId: string, order: string) =>
  trail.own.query(`select * from ${table} where tenant_id = $1 order by ${order}`, [tenantId]);
const leavesOf = async (tenantId: string) =>
  (await rows('reel_log_sequence', tenantId, 'seq')).map((row) => row.leaf_hash as Buffer);
const rootOf = (leaves: readonly Buffer[]) => {
  const compactRange = new CompactRange();
  compactRange.append(leaves);
  return compactRange.root();
};
const unbase = (texts: readonly string[]) => texts.map((text) => Buffer.from(text, 'base64'));

describe('sealing', () => {
  test('each batch has its checkpoint, full tiles are stored once, and the root is that of the leaves', async () => {
    const tenantId = randomUUID();
    for (const count of [3, 300, 1, 10_500]) {
      await write(tenantId, count);
      await trail.sequencer.catchUp(tenantId);
    }
    const leaves = await leavesOf(tenantId);
    expect(leaves.length).toBe(10_804);
    const checkpoints = await rows('reel_log_checkpoints', tenantId, 'tree_size');
    expect(checkpoints.map((each) => Number(each.tree_size))).toEqual([3, 303, 304, 10_304, 10_804]);
    expect(checkpoints.map((each) => Number(each.previous_size))).toEqual([0, 3, 303, 304, 10_304]);
    for (const each of checkpoints) {
      const root = rootOf(leaves.slice(0, Number(each.tree_size)));
      expect(each.root_hash).toEqual(root);
      expect(openNote(each.note as string, SIGNER.name, SIGNER.publicKey)).toMatchObject({
        origin: `reel.local/${tenantId}`,
        size: Number(each.tree_size),
        root,
      });
    }
    const tiles = await rows('reel_log_tiles', tenantId, 'level, tile_index');
    expect(tiles.map((each) => [each.level, Number(each.tile_index)])).toEqual(
      Array.from({ length: 42 }, (_, index) => [0, index]),
    );
    expect(tiles[4]!.hashes).toEqual(Buffer.concat(leaves.slice(1_024, 1_280)));
    expect(trail.sealed.at(-1)).toMatchObject({ tenantId, first: 10_305, last: 10_804 });
    expect(trail.sealed.at(-1)!.note).toBe(checkpoints.at(-1)!.note);
  });

  test('what was read is proven, unless it is not covered, or was erased or removed since', async () => {
    const tenantId = randomUUID();
    for (let batch = 0; batch < 2; batch += 1) {
      await write(tenantId, 3);
      await trail.sequencer.catchUp(tenantId);
    }
    const criteria = toCriteria(whole(tenantId), null, new Date());
    const read = async () => {
      const reader = new SequencedReader(trail.database, criteria, 10, { columns: PROVABLE_COLUMNS });
      return (await reader.next(0, 6)).entries;
    };
    const entries = await read();
    const first = (await prover.checkpointAt(whole(tenantId), 3))!;
    const last = (await prover.checkpointAt(whole(tenantId), 6))!;
    const proven = async (found: typeof entries, checkpoint = last) => [
      ...(await prover.sealedLeaves(checkpoint, whole(tenantId), found)).keys(),
    ];
    expect(await proven(entries)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await proven(entries, first)).toEqual([1, 2, 3]);
    const change = (sql: string) => trail.own.query(sql, [tenantId, entries[1]!.id]);
    await change('update reel_log_entries set erased_at = now() where tenant_id = $1 and id = $2');
    await expect(proven(entries)).rejects.toMatchObject({ code: 'CONFLICT' });
    const again = await read();
    expect(await proven(again)).toHaveLength(6);
    await change('delete from reel_log_entries where tenant_id = $1 and id = $2');
    await expect(proven(again)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await proven(await read())).toEqual([1, 3, 4, 5, 6]);
  });

  test('sequencers that take turns, and one that starts anew, extend the same tree', async () => {
    const tenantId = randomUUID();
    const other = new Sequencer(trail.database, new Sealer(SIGNER));
    for (let turn = 0; turn < 6; turn += 1) {
      await write(tenantId, 200);
      await [trail.sequencer, other, new Sequencer(trail.database, new Sealer(SIGNER))][turn % 3]!.catchUp(
        tenantId,
      );
    }
    const [newest] = await rows('reel_log_checkpoints', tenantId, 'tree_size desc');
    expect(newest!.root_hash).toEqual(rootOf(await leavesOf(tenantId)));
    expect((await rows('reel_log_tiles', tenantId, 'tile_index')).length).toBe(4);
  });

  test('concurrent ones give each entry one sequence, in one tree', async () => {
    const tenantId = randomUUID();
    const others = [1, 2, 3].map(() => new Sequencer(trail.database, new Sealer(SIGNER)));
    await Promise.all([
      ...Array.from({ length: 5 }, () => write(tenantId, 100)),
      ...others.map(async (each) => {
        for (let turn = 0; turn < 5; turn += 1) await each.catchUp(tenantId);
      }),
    ]);
    await others[0]!.catchUp(tenantId);
    const leaves = await leavesOf(tenantId);
    expect(leaves.length).toBe(500);
    for (const each of await rows('reel_log_checkpoints', tenantId, 'tree_size'))
      expect(each.root_hash).toEqual(rootOf(leaves.slice(0, Number(each.tree_size))));
  });

  test('one that dies in a transaction leaves nothing behind, and another takes over', async () => {
    const tenantId = randomUUID();
    await write(tenantId, 700);
    // Its transaction waits for a lock that this one holds, at the last of what it writes.
    const holder = new pg.Client({ connectionString: trail.own.ownerUrl });
    await holder.connect();
    await holder.query('begin');
    await holder.query('select from reel_log_inbox where tenant_id = $1 for update', [tenantId]);
    const dying = trail.sequencer.catchUp(tenantId);
    dying.catch(() => {});
    const waiting = () =>
      trail.own.query(
        "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like 'delete from reel_log_inbox%'",
        [],
        'superuser',
      );
    await expect.poll(async () => (await waiting()).length).toBe(1);
    await trail.own.query('select pg_terminate_backend($1)', [(await waiting())[0]!.pid], 'superuser');
    await expect(dying).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await holder.query('rollback');
    await holder.end();
    for (const table of ['sequence', 'tiles', 'checkpoints'])
      expect(await trail.own.query(`select from reel_log_${table} where tenant_id = $1`, [tenantId])).toEqual(
        [],
      );
    expect(await new Sequencer(trail.database, new Sealer(SIGNER)).catchUp(tenantId)).toBe(700);
    const [newest] = await rows('reel_log_checkpoints', tenantId, 'tree_size');
    expect(newest!.root_hash).toEqual(rootOf(await leavesOf(tenantId)));
  });

  test('entries sequenced before logs were sealed are sealed with the next', async () => {
    const tenantId = randomUUID();
    await write(tenantId, 600);
    await trail.sequencer.catchUp(tenantId);
    for (const table of ['tiles', 'checkpoints'])
      await trail.own.query(`delete from reel_log_${table} where tenant_id = $1`, [tenantId]);
    await write(tenantId, 1);
    await new Sequencer(trail.database, new Sealer(SIGNER)).catchUp(tenantId);
    const [newest] = await rows('reel_log_checkpoints', tenantId, 'tree_size');
    expect(newest).toMatchObject({ tree_size: '601', previous_size: '0' });
    expect(newest!.root_hash).toEqual(rootOf(await leavesOf(tenantId)));
    expect((await rows('reel_log_tiles', tenantId, 'tile_index')).length).toBe(2);
  });

  test('a deleted tile does not stop the log; a changed leaf does, for its tenant alone', async () => {
    const [tenantId, neighbour] = [randomUUID(), randomUUID()];
    await write(tenantId, 300);
    await trail.sequencer.catchUp(tenantId);
    await trail.own.query('delete from reel_log_tiles where tenant_id = $1', [tenantId]);
    await write(tenantId, 1);
    await new Sequencer(trail.database, new Sealer(SIGNER)).catchUp(tenantId);
    const [newest] = await rows('reel_log_checkpoints', tenantId, 'tree_size desc');
    expect(newest!.root_hash).toEqual(rootOf(await leavesOf(tenantId)));

    await trail.own.query(
      "update reel_log_sequence set leaf_hash = sha256('x') where tenant_id = $1 and seq = 300",
      [tenantId],
    );
    await write(tenantId, 1);
    await write(neighbour, 1);
    const faults: unknown[] = [];
    const fresh = new Sequencer(trail.database, new Sealer(SIGNER), undefined, (error) => faults.push(error));
    fresh.start();
    await expect
      .poll(() => trail.own.query('select from reel_log_inbox where tenant_id = $1', [neighbour]))
      .toEqual([]);
    await expect.poll(() => String(faults[0])).toContain('run reel verify to find what was changed');
    await fresh.stop();
    expect(faults.length).toBe(1);
    expect((await leavesOf(tenantId)).length).toBe(301);
  });
});

describe('many tenants', () => {
  const PATIENT = { timeout: 60_000 };
  const sequencing = (faults: unknown[]) => {
    const sequencer = new Sequencer(trail.database, new Sealer(SIGNER), undefined, (error) =>
      faults.push(error),
    );
    onTestFinished(() => sequencer.stop());
    return sequencer;
  };
  const sealed = async (tenantIds: readonly string[]) => {
    const left = await trail.own.query('select from reel_log_inbox where tenant_id = any ($1)', [tenantIds]);
    return left.length === 0;
  };
  /** Other tests have broken logs. */
  const ofThese = (faults: readonly unknown[], tenantIds: readonly string[]) =>
    faults.map(String).filter((fault) => tenantIds.some((tenantId) => fault.includes(tenantId)));
  const counted = async (tenantId: string) =>
    (await rows('reel_log_counts', tenantId, 'span')).map((row) => [row.span, Number(row.count)]);

  test('are sealed together, each in a log of its own, old ones and new ones, counted once', async () => {
    const tenants = Array.from({ length: 300 }, () => randomUUID());
    const faults: unknown[] = [];
    const sequencer = sequencing(faults);
    const together = vi.spyOn(trail.database, 'sealTogether');
    const each = (times: number) =>
      tenants.flatMap((tenantId) =>
        Array.from({ length: times }, () => ({ module: 'guardian', action: 'users.create', tenantId })),
      );
    for (const times of [1, 2]) {
      for (let at = 0; at < tenants.length * times; at += 600)
        await trail.service.createMany(GATEWAY, each(times).slice(at, at + 600));
      if (times === 1) sequencer.start();
      else sequencer.wake();
      await expect.poll(() => sealed(tenants), PATIENT).toBe(true);
    }
    await sequencer.stop();
    expect(ofThese(faults, tenants)).toEqual([]);
    expect(together.mock.calls.length).toBeGreaterThanOrEqual(2);
    for (const tenantId of tenants.slice(0, 5)) {
      const [newest] = await rows('reel_log_checkpoints', tenantId, 'tree_size desc');
      expect(newest).toMatchObject({ tree_size: '3' });
      expect(newest!.root_hash).toEqual(rootOf(await leavesOf(tenantId)));
      expect(await counted(tenantId)).toEqual([15, 1_440, 23_040].map((span) => [span, 3]));
    }
    const [checkpoints] = await trail.own.query(
      'select count(distinct tenant_id)::integer as logs from reel_log_checkpoints where tree_size = 3 and tenant_id = any ($1)',
      [tenants],
    );
    expect(checkpoints).toEqual({ logs: 300 });
  });

  test('among which a broken log is no fault of the others, and is reported alone', async () => {
    const tenants = Array.from({ length: 5 }, () => randomUUID());
    for (const tenantId of tenants) await write(tenantId, 2);
    for (const tenantId of tenants) await trail.sequencer.catchUp(tenantId);
    await trail.own.query("update reel_log_sequence set leaf_hash = sha256('x') where tenant_id = $1", [
      tenants[0],
    ]);
    for (const tenantId of tenants) await write(tenantId, 1);
    const faults: unknown[] = [];
    const sequencer = sequencing(faults);
    const together = vi.spyOn(trail.database, 'sealTogether');
    sequencer.start();
    await expect.poll(() => sealed(tenants.slice(1)), PATIENT).toBe(true);
    await expect.poll(() => ofThese(faults, tenants).length, PATIENT).toBe(1);
    await sequencer.stop();
    expect(together).toHaveBeenCalled();
    expect(ofThese(faults, tenants)[0]).toContain(tenants[0]);
    expect((await leavesOf(tenants[0]!)).length).toBe(2);
  });

  test('are sealed one by one where the tables are distributed', async () => {
    const tenants = [randomUUID(), randomUUID()];
    for (const tenantId of tenants) await write(tenantId, 2);
    const faults: unknown[] = [];
    const sequencer = sequencing(faults);
    const together = vi.spyOn(trail.database, 'sealTogether');
    vi.spyOn(trail.database, 'isDistributed', 'get').mockReturnValue(true);
    sequencer.start();
    await expect.poll(() => sealed(tenants), PATIENT).toBe(true);
    for (const tenantId of tenants) await write(tenantId, 1);
    sequencer.wake();
    await expect.poll(() => sealed(tenants), PATIENT).toBe(true);
    await sequencer.stop();
    expect(together).not.toHaveBeenCalled();
    expect(ofThese(faults, tenants)).toEqual([]);
    expect((await leavesOf(tenants[0]!)).length).toBe(3);
  });

  test('take rows out of the inbox by where they are, whatever the planner takes it to hold', async () => {
    const plan = await trail.own.query(
      'explain delete from reel_log_inbox where ctid = any (\'{"(0,1)","(0,2)"}\'::tid[])',
      [],
      'runtime',
    );
    expect(plan.map((row) => row['QUERY PLAN']).join()).toContain('Tid Scan');
  });
});

describe('proofs', () => {
  test('of entries in full and partial tiles are valid; there are none outside the scope', async () => {
    const [tenantId, clientId] = [randomUUID(), randomUUID()];
    await write(tenantId, 700);
    const mine = await trail.service.log({ module: 'm', action: 'a', tenantId, clientId, data: { a: 1 } });
    await trail.sequencer.catchUp(tenantId);
    const late = await trail.service.log({ module: 'm', action: 'a', tenantId, clientId });
    const entries = await rows('reel_log_sequence', tenantId, 'seq');
    const ids = [0, 1, 255, 256, 511, 512, 699, 700].map((at) => entries[at]!.entry_id as string);
    const proofs = await prover.inclusionProofs(whole(tenantId), [...ids, late.id, randomUUID()]);
    expect([...proofs.keys()].sort()).toEqual([...ids].sort());
    for (const proof of proofs.values()) {
      const { leafIndex, leafHash, path, checkpoint } = proof;
      const root = Buffer.from(checkpoint.rootHash, 'base64');
      expect(
        checkInclusion(Buffer.from(leafHash, 'base64'), leafIndex, checkpoint.treeSize, unbase(path), root),
      ).toBe(true);
      expect(leafHash).toBe((entries[leafIndex]!.leaf_hash as Buffer).toString('base64'));
    }
    const asClient = { tenantId, clients: [clientId] };
    expect([...(await prover.inclusionProofs(asClient, [...ids, mine.id])).keys()]).toEqual([mine.id]);
    expect((await prover.inclusionProofs(whole(randomUUID()), ids)).size).toBe(0);
  });

  test('of one export are for one checkpoint, whatever is sealed meanwhile', async () => {
    const tenantId = randomUUID();
    await write(tenantId, 300);
    await trail.sequencer.catchUp(tenantId);
    await write(tenantId, 300);
    await trail.sequencer.catchUp(tenantId);
    const ids = (await rows('reel_log_sequence', tenantId, 'seq')).map((row) => row.entry_id as string);
    const proofs = await prover.inclusionProofsAt(whole(tenantId), ids.slice(0, 300), 300);
    const note = (await prover.noteAt(whole(tenantId), 300))!;
    const { size, root } = openNote(note, SIGNER.name, SIGNER.publicKey);
    expect([size, proofs.size]).toEqual([300, 300]);
    for (const { leafIndex, leafHash, path, checkpoint } of proofs.values()) {
      expect(checkpoint.note).toBe(note);
      expect(checkInclusion(Buffer.from(leafHash, 'base64'), leafIndex, size, unbase(path), root)).toBe(true);
    }
    expect(await prover.noteAt(whole(tenantId), 601)).toBeNull();
  });

  test('of consistency between any two checkpoints are valid; sizes out of order are rejected', async () => {
    const tenantId = randomUUID();
    expect(await prover.checkpoint(whole(tenantId))).toBeNull();
    expect(await prover.consistencyProof(whole(tenantId), 0, 0)).toEqual({ first: 0, second: 0, path: [] });
    for (const count of [1, 2, 252, 1, 1, 300]) {
      await write(tenantId, count);
      await trail.sequencer.catchUp(tenantId);
    }
    const checkpoints = await rows('reel_log_checkpoints', tenantId, 'tree_size');
    for (const older of checkpoints)
      for (const newer of checkpoints) {
        const [first, second] = [Number(older.tree_size), Number(newer.tree_size)];
        if (first > second) continue;
        const { path } = await prover.consistencyProof(whole(tenantId), first, second);
        const [a, b] = [older.root_hash as Buffer, newer.root_hash as Buffer];
        expect(checkConsistency(first, second, a, b, unbase(path))).toBe(true);
      }
    const refused: [number, number, string][] = [
      [3, 2, 'first'],
      [-1, 2, 'first'],
      [1, 558, 'second'],
      [1, -1, 'second'],
      [1.5, 2, 'first'],
    ];
    for (const [first, second, field] of refused)
      await expect(prover.consistencyProof(whole(tenantId), first, second)).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
        faults: [{ loc: [field] }],
      });
  });
});

test('a key is rotated by adding one: the older stays published and its checkpoints valid', async () => {
  const tenantId = randomUUID();
  const pem = () =>
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const [first, second] = [signerOf('reel.local', pem()), signerOf('reel.local', pem())];
  await publishKey(trail.database, first, new Date('2026-01-05T10:00:00.000Z'));
  await write(tenantId, 3);
  await new Sequencer(trail.database, new Sealer(first)).catchUp(tenantId);
  await publishKey(trail.database, second, new Date('2026-02-05T10:00:00.000Z'));
  await publishKey(trail.database, first, new Date('2026-03-05T10:00:00.000Z'));
  await write(tenantId, 3);
  await new Sequencer(trail.database, new Sealer(second)).catchUp(tenantId);
  const keys = await readKeys(trail.database);
  expect(keys.map(vkeyOf)).toEqual([vkeyOf(second), vkeyOf(first)]);
  const notes = (await rows('reel_log_checkpoints', tenantId, 'tree_size')).map((row) => row.note as string);
  expect(notes.map((note) => openCheckpoint(note, keys))).toMatchObject([
    { treeSize: 3, verifier: { keyId: first.keyId } },
    { treeSize: 6, verifier: { keyId: second.keyId } },
  ]);
  // Whoever changes a row of the keys only takes the key away.
  await trail.own.query(
    "update reel_log_signing_keys set added_at = '2026-04-05' where vkey = $1",
    [vkeyOf(first)],
    'superuser',
  );
  expect((await readKeys(trail.database)).map(vkeyOf)).toEqual([vkeyOf(second)]);
});
