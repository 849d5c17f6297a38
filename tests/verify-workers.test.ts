import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportSnapshot } from '../src/database/snapshot.js';
import { type Fault, faultLine } from '../src/seal/fault.js';
import { publishKey, readKeys } from '../src/seal/signing-keys.js';
import { verifyTenant } from '../src/seal/verify.js';
import { openTrail, SIGNER, type Trail } from './trail.js';

// The built ones, since threads run what Node itself can read.
const { VerifyWorkers } = (await import(
  resolve(import.meta.dirname, '../dist/cli/verify-workers.js')
)) as typeof import('../src/cli/verify-workers.js');

/** Two whole pages of 2,048, and an edge. */
const SIZE = 2 * 2048 + 300;
const tenantId = randomUUID();
let trail: Trail;

beforeAll(async () => {
  trail = await openTrail();
  await publishKey(trail.database, SIGNER);
  const author = { kind: 'module', module: '*', ip: null, agent: null } as const;
  for (let at = 0; at < SIZE; at += 100) {
    await trail.service.createMany(
      author,
      Array.from({ length: Math.min(100, SIZE - at) }, (_, index) => ({
        module: 'guardian',
        action: 'users.update',
        tenantId,
        actorEmail: 'Ana@Example.com',
        data: { note: `\t"Straße"\\ \n${at + index}\u2028`, nested: [null, 1.5] },
      })),
    );
    if (at % 1000 === 0) await trail.sequencer.catchUp(tenantId);
  }
  await trail.sequencer.catchUp(tenantId);
});
afterAll(() => trail?.close());

/** What this thread finds alone, and with others beside it, in one snapshot. */
async function verifyBothWays() {
  const keys = await readKeys(trail.database);
  return trail.database.read(tenantId, async (run) => {
    const verify = async (elsewhere?: InstanceType<typeof VerifyWorkers>) => {
      const faults: Fault[] = [];
      const { size, root } = await verifyTenant(run, tenantId, {
        keys,
        report: (fault) => faults.push(fault),
        ...(elsewhere ? { elsewhere } : {}),
      });
      return { size, root: root.toString('hex'), lines: faults.map(faultLine) };
    };
    const alone = await verify();
    await using workers = new VerifyWorkers(await exportSnapshot(run, trail.own.runtimeUrl, tenantId));
    const asked: number[] = [];
    const well: number[] = [];
    const { check } = workers;
    const together = await verify(
      Object.assign(workers, {
        least: 0,
        check: async (after: number, until: number) => {
          asked.push(after);
          const leaves = await check(after, until);
          if (leaves) well.push(after);
          return leaves;
        },
      }),
    );
    return { alone, together, asked, well };
  });
}

const meddle = (statement: string) => trail.own.query(statement, [tenantId], 'superuser');
const ofPlace = (seq: number) =>
  `id = (select entry_id from reel_log_sequence where tenant_id = $1 and seq = ${seq}) and tenant_id = $1`;

describe('a log that is checked by several threads', () => {
  test('is well where nobody meddled with it', async () => {
    const { alone, together, asked, well } = await verifyBothWays();
    expect(alone).toMatchObject({ size: SIZE, lines: [] });
    expect(together).toEqual(alone);
    expect(asked).toEqual([0, 2048, 4096]);
    expect(well.sort()).toEqual([0, 2048, 4096].sort());
  });

  test.each([
    [7, [2048, 4096]],
    [2049, [0, 4096]],
    [SIZE - 1, [0, 2048]],
  ])('tells of the same change at place %i as one alone', async (place, others) => {
    await meddle(`update reel_log_entries set action = action || 'x' where ${ofPlace(place)}`);
    const { alone, together, well } = await verifyBothWays();
    await meddle(`update reel_log_entries set action = rtrim(action, 'x') where ${ofPlace(place)}`);
    expect(alone.lines).toEqual([expect.stringMatching(new RegExp(`^changed ${place}:`))]);
    expect(together).toEqual(alone);
    expect(well.sort()).toEqual(others.sort());
  });

  test('tells of a changed tile, and of a leaf hash that its tile does not have', async () => {
    await meddle(
      `update reel_log_tiles set hashes = set_bit(hashes, 5, 1 - get_bit(hashes, 5)) where tenant_id = $1 and level = 0 and tile_index = 9`,
    );
    await meddle(
      `update reel_log_sequence set leaf_hash = set_bit(leaf_hash, 5, 1 - get_bit(leaf_hash, 5)) where tenant_id = $1 and seq = 300`,
    );
    const { alone, together } = await verifyBothWays();
    expect(alone.lines.map((line) => line.split(' ', 2).join(' '))).toEqual(['changed 300:', 'tile 2305:']);
    expect(together).toEqual(alone);
  });
});
