import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { ActorType } from '../../src/log/entry/actor-type.js';
import { LogOutcome } from '../../src/log/entry/outcome.js';
import { publishKey, readKeys } from '../../src/seal/signing-keys.js';
import { type Fault, faultLine } from '../../src/verify/fault.js';
import { verifyLog } from '../../src/verify/log/verify-log.js';
import { openTrail, SIGNER } from './trail.js';

const GATEWAY = { kind: 'module', module: '*', ip: null, agent: null } as const;

/** A database with sealed logs, to be tampered with and verified. */
export async function openLogs() {
  const trail = await openTrail();
  await publishKey(trail.database, SIGNER);

  /** A sealed log: 600 entries in batches of 1, 5, 300, 284 and 10, so two full tiles and a partial one. */
  async function sealedLog(batches: readonly number[] = [1, 5, 300, 284, 10]): Promise<string> {
    const tenantId = randomUUID();
    for (const count of batches) {
      await trail.service.createMany(
        GATEWAY,
        Array.from({ length: count }, (_, index) => ({
          module: 'guardian',
          action: 'users.update',
          tenantId,
          clientId: randomUUID(),
          actorId: randomUUID(),
          actorEmail: 'Ana@Example.com',
          actorName: 'Ana',
          onBehalfOfId: randomUUID(),
          onBehalfOfName: 'Cleo',
          actorType: ActorType.AGENT,
          outcome: LogOutcome.SUCCESS,
          resourceType: 'user',
          resourceId: String(index),
          resourceName: 'Ana',
          data: { b: 'Straße', a: [1.5, { c: null }], index },
          ipAddress: '10.0.0.1',
          userAgent: 'curl/8',
          requestId: randomUUID(),
          occurredAt: '2026-01-05T10:00:00.123456Z',
        })),
      );
      await trail.sequencer.catchUp(tenantId);
    }
    return tenantId;
  }

  async function verify(tenantId: string, trusted: { size: number; root: Buffer } | null = null) {
    const faults: Fault[] = [];
    const keys = await readKeys(trail.database);
    const verified = await trail.database.read(tenantId, (execute) =>
      verifyLog(execute, tenantId, {
        parallel: execute,
        keys,
        trusted,
        report: (fault) => faults.push(fault),
      }),
    );
    expect(verified.faults).toBe(faults.length);
    return {
      ...verified,
      lines: faults.map((fault) => faultLine(fault)),
      found: faults.map(({ kind, sequence }) => `${kind} ${sequence}`),
    };
  }

  const tamper = async (statement: string, ...parameters: unknown[]) => {
    await trail.own.query(statement, parameters, 'superuser');
  };
  const column = async (tenantId: string, name: string, table = 'entries') =>
    (
      await trail.own.query(`select ${name} as value from reel_log_${table} where tenant_id = $1`, [tenantId])
    ).map(({ value }) => value);

  return { trail, sealedLog, verify, tamper, column };
}

export type Logs = Awaited<ReturnType<typeof openLogs>>;
