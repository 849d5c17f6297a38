import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rootOf } from '../../src/seal/compact-range.js';
import { type Fault } from '../../src/verify/fault.js';
import { verifyLog } from '../../src/verify/log/verify-log.js';
import { type Logs, openLogs } from '../support/sealed-logs.js';

let logs: Logs;
beforeAll(async () => {
  logs = await openLogs();
});
afterAll(() => logs?.trail.close());

describe('tiles', () => {
  test.each([
    ['a hash', 'hashes = set_bit(hashes, 2570, 1 - get_bit(hashes, 2570))', 267],
    ['the root', 'root = set_bit(root, 1, 1 - get_bit(root, 1))', 257],
    ['the length', 'hashes = substr(hashes, 2)', 257],
  ])('%s changed is reported', async (_what, change, sequence) => {
    const tenantId = await logs.sealedLog();
    await logs.tamper(
      `update reel_log_tiles set ${change} where tenant_id = $1 and tile_index = 1`,
      tenantId,
    );
    expect((await logs.verify(tenantId)).found).toEqual([`tile ${sequence}`]);
  });

  test('deleted, inserted, moved to another level or exchanged are reported', async () => {
    const tenantId = await logs.sealedLog();
    const findFaults = async () => (await logs.verify(tenantId)).found;
    await logs.tamper(
      'update reel_log_tiles set level = 1 where tenant_id = $1 and tile_index = 1',
      tenantId,
    );
    expect(await findFaults()).toEqual(['tile 257', 'tile 601']);
    await logs.tamper(
      'update reel_log_tiles set level = 0, tile_index = 2 where tenant_id = $1 and level = 1',
      tenantId,
    );
    expect(await findFaults()).toEqual(['tile 257', 'tile 601']);
    await logs.tamper(
      'update reel_log_tiles set tile_index = 1 where tenant_id = $1 and tile_index = 2',
      tenantId,
    );
    expect(await findFaults()).toEqual([]);
    await logs.tamper(
      'update reel_log_tiles t set hashes = o.hashes, root = o.root from reel_log_tiles o where t.tenant_id = $1 and o.tenant_id = $1 and t.tile_index = 0 and o.tile_index = 1',
      tenantId,
    );
    expect((await findFaults()).length).toBeGreaterThan(0);
  });

  test('of a higher level are compared with those below', async () => {
    const tenantId = randomUUID();
    const { CompactRange } = await import('../../src/seal/compact-range.js');
    const { TreeCheck } = await import('../../src/verify/log/tree-check.js');
    const { LeafCheck } = await import('../../src/verify/log/leaf-check.js');
    const { createHash } = await import('node:crypto');
    const leaves = Array.from({ length: 65_536 }, (_, index) =>
      createHash('sha256').update(String(index)).digest(),
    );
    const tiles = new CompactRange().append(leaves);
    const check = async (change: (tile: { hashes: Buffer; root: Buffer }) => void) => {
      const faults: string[] = [];
      const report = ({ kind, sequence }: Fault) => faults.push(`${kind} ${sequence}`);
      const leafCheck = new LeafCheck(
        {
          removedBefore: '~',
          removedRanges: [{ first: 1, last: 65_536 }],
          removedCount: 65_536,
          erasedAt: new Map(),
        },
        report,
        async () => [],
      );
      async function* none() {}
      const tree = new TreeCheck(none(), leafCheck, report, async (level, index) => {
        const tile = tiles.find((each) => each.level === level && each.index === index)!;
        const copy = { hashes: Buffer.from(tile.hashes), root: Buffer.from(tile.root) };
        change(copy);
        return copy;
      });
      for (let start = 0; start < leaves.length; start += 256) {
        const rows = leaves
          .slice(start, start + 256)
          .map((leafHash, at) => ({ sequence: start + at + 1, entryId: tenantId, leafHash, entry: null }));
        await tree.addTile(
          start,
          rows,
          tiles.find((each) => each.level === 0 && each.index === start / 256),
        );
      }
      return faults;
    };
    expect(await check(() => {})).toEqual([]);
    expect(await check(({ hashes }) => hashes.fill(0, 32 * 10, 32 * 10 + 1))).toEqual(['tile 2561']);
    expect(await check(({ root }) => root.fill(0, 0, 1))).toEqual(['tile 1']);
  });
});

describe('checkpoints', () => {
  test.each([
    ['tree_size', 'tree_size = 305', 'checkpoint 305'],
    ['previous_size', 'previous_size = 5', 'checkpoint 306'],
    ['root_hash', 'root_hash = set_bit(root_hash, 8, 1 - get_bit(root_hash, 8))', 'checkpoint 306'],
    ['sealed_at', "sealed_at = sealed_at + interval '1 microsecond'", 'checkpoint 306'],
    ['the text of the note', "note = replace(note, E'\\n306\\n', E'\\n307\\n')", 'checkpoint 306'],
    [
      'the signature',
      "note = overlay(note placing case substr(note, length(note) - 10, 1) when 'A' then 'B' else 'A' end from length(note) - 10)",
      'checkpoint 306',
    ],
  ])('whose %s was changed are reported', async (_what, change, expected) => {
    const tenantId = await logs.sealedLog();
    await logs.tamper(
      `update reel_log_checkpoints set ${change} where tenant_id = $1 and tree_size = 306`,
      tenantId,
    );
    const { found } = await logs.verify(tenantId);
    expect(found).toContain(expected);
    expect(found.filter((each) => !each.startsWith('checkpoint'))).toEqual([]);
  });

  test.each([1, 306, 600])('the one of size %i deleted is reported', async (size) => {
    const tenantId = await logs.sealedLog();
    await logs.tamper(
      'delete from reel_log_checkpoints where tenant_id = $1 and tree_size = $2',
      tenantId,
      size,
    );
    expect((await logs.verify(tenantId)).found).toContain(`checkpoint ${size}`);
  });

  test('all deleted are reported', async () => {
    const tenantId = await logs.sealedLog();
    await logs.tamper('delete from reel_log_checkpoints where tenant_id = $1', tenantId);
    expect((await logs.verify(tenantId)).found).toEqual(['checkpoint 600']);
  });

  test("another tenant's, and one signed by another key, are reported", async () => {
    const [tenantId, other] = [await logs.sealedLog([5]), await logs.sealedLog([5])];
    await logs.tamper(
      `update reel_log_checkpoints t set root_hash = o.root_hash, sealed_at = o.sealed_at, note = o.note
       from reel_log_checkpoints o where t.tenant_id = $1 and o.tenant_id = $2`,
      tenantId,
      other,
    );
    expect((await logs.verify(tenantId)).lines).toEqual([
      expect.stringContaining(`checkpoint 5: its note is of the log reel.local/${other}`),
    ]);
    const faults: Fault[] = [];
    await logs.trail.database.read(other, (execute) =>
      verifyLog(execute, other, { parallel: execute, keys: [], report: (fault) => faults.push(fault) }),
    );
    expect(faults).toEqual([
      { kind: 'checkpoint', sequence: 5, detail: 'its note is not signed by a known key' },
    ]);
  });

  test('a rewritten log is reported by its checkpoint, even if all its rows are consistent', async () => {
    const tenantId = await logs.sealedLog([5, 5]);
    const leaf = (await logs.column(tenantId, 'leaf_hash', 'sequence'))[0] as Buffer;
    // An entry exchanged for another tenant's, its leaf hash with it.
    const donor = await logs.sealedLog([1]);
    await logs.tamper(
      `update reel_log_sequence t set leaf_hash = o.leaf_hash from reel_log_sequence o
       where t.tenant_id = $1 and t.seq = 7 and o.tenant_id = $2`,
      tenantId,
      donor,
    );
    const [{ entry_id: id }] = (await logs.trail.own.query(
      'select entry_id from reel_log_sequence where tenant_id = $1 and seq = 7',
      [tenantId],
    )) as [{ entry_id: string }];
    await logs.tamper('delete from reel_log_entries where id = $1', id);
    await logs
      .tamper(
        `insert into reel_log_entries select $2::uuid, id, module, action, severity, origin from reel_log_entries where false and tenant_id = $1`,
        donor,
        tenantId,
      )
      .catch(() => {});
    const { found } = await logs.verify(tenantId);
    expect(found).toEqual(expect.arrayContaining(['checkpoint 10']));
    expect(leaf.length).toBe(32);
  });

  test('a trusted checkpoint is extended by the log, or reported if it is not', async () => {
    const tenantId = await logs.sealedLog();
    const leaves = (await logs.column(tenantId, 'leaf_hash', 'sequence')) as Buffer[];
    const trusted = (size: number) => ({ size, root: rootOf(leaves.slice(0, size)) });
    for (const size of [1, 6, 100, 256, 590, 595, 600])
      expect((await logs.verify(tenantId, trusted(size))).found).toEqual([]);
    const wrong = { size: 306, root: rootOf(leaves.slice(0, 305)) };
    expect((await logs.verify(tenantId, wrong)).lines).toEqual([
      expect.stringContaining(
        'checkpoint 306: the log does not extend the trusted checkpoint: expected the root ',
      ),
    ]);
    expect((await logs.verify(tenantId, { ...trusted(600), size: 601 })).found).toEqual(['checkpoint 601']);
  });
});

describe('counts', () => {
  test.each([
    ['count', 'count = count + 1'],
    ['bucket', 'bucket = bucket + make_interval(mins => span)'],
    ['span', 'span = 1455 - span'],
    ['module', "module = 'other'"],
    ['severity', 'severity = 4'],
    ['client_id', 'client_id = gen_random_uuid()'],
  ])('whose %s was changed are reported', async (_what, change) => {
    const tenantId = await logs.sealedLog([10]);
    await logs.tamper(
      `update reel_log_counts set ${change} where ctid in (
         select c.ctid from reel_log_counts c where tenant_id = $1 and span = 15 order by client_id limit 1)`,
      tenantId,
    );
    const { found } = await logs.verify(tenantId);
    expect(found.length).toBeGreaterThan(0);
    for (const each of found) expect(each).toMatch(/^count ([1-9]|10)$/);
  });

  test('deleted are reported with the first entry they cover', async () => {
    const tenantId = await logs.sealedLog([10]);
    await logs.tamper(
      `delete from reel_log_counts where tenant_id = $1 and client_id = (
         select client_id from reel_log_entries e join reel_log_sequence s on s.entry_id = e.id where s.tenant_id = $1 and seq = 6)`,
      tenantId,
    );
    expect((await logs.verify(tenantId)).found).toEqual(['count 6', 'count 6', 'count 6']);
  });
});
