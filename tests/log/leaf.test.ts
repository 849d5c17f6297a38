import 'reflect-metadata';
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ActorType } from '../../src/log/entry/actor-type.js';
import { LEAF, LeafVersion, newSalts, type SealableEntry } from '../../src/log/entry/leaf.js';
import { LogOrigin } from '../../src/log/entry/origin.js';
import { LogOutcome } from '../../src/log/entry/outcome.js';
import { LogSeverity } from '../../src/log/entry/severity.js';

const sha256 = (...parts: (string | Uint8Array)[]) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

const text = fc.option(fc.string({ unit: 'binary' }), { nil: null });
const uuid = fc.option(fc.uuid(), { nil: null });
const instant = fc.constantFrom('2026-01-05T10:00:00.123456Z', '0001-01-01T00:00:00.000000Z');
const entries: fc.Arbitrary<SealableEntry> = fc.record({
  id: fc.uuid(),
  tenantId: fc.uuid(),
  module: fc.string({ unit: 'binary', minLength: 1 }),
  action: fc.string({ unit: 'binary', minLength: 1 }),
  severity: fc.constantFrom(...Object.values(LogSeverity)),
  origin: fc.constantFrom(...Object.values(LogOrigin)),
  actorId: text,
  actorType: fc.constantFrom(...Object.values(ActorType)),
  onBehalfOfId: text,
  onBehalfOfName: text,
  resourceName: text,
  outcome: fc.option(fc.constantFrom(...Object.values(LogOutcome)), { nil: null }),
  repaired: fc.constantFrom([], ['data'], ['actor_name', 'data']),
  clientId: uuid,
  resourceType: text,
  resourceId: text,
  requestId: text,
  occurredAt: instant,
  createdAt: instant,
  actorEmail: text,
  actorName: text,
  ipAddress: text,
  userAgent: text,
  data: fc.option(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' })), {
    nil: null,
  }),
});

/** The contract's own words, by the library alone. */
function leafByTheBook(v: number, entry: SealableEntry, identitySalt: Buffer, dataSalt: Buffer) {
  const identity = canonicalize({
    actor_email: entry.actorEmail,
    actor_name: entry.actorName,
    ip_address: entry.ipAddress,
    user_agent: entry.userAgent,
    ...(v === 2 ? { on_behalf_of_name: entry.onBehalfOfName, resource_name: entry.resourceName } : {}),
  }) as string;
  return canonicalize({
    v,
    ...(v === 2
      ? {
          outcome: entry.outcome,
          actor_type: entry.actorType,
          repaired: entry.repaired.length === 0 ? null : entry.repaired,
        }
      : {}),
    id: entry.id,
    tenant_id: entry.tenantId,
    module: entry.module,
    action: entry.action,
    severity: entry.severity,
    origin: entry.origin,
    actor_id: entry.actorId,
    on_behalf_of_id: entry.onBehalfOfId,
    client_id: entry.clientId,
    resource_type: entry.resourceType,
    resource_id: entry.resourceId,
    request_id: entry.requestId,
    occurred_at: entry.occurredAt,
    created_at: entry.createdAt,
    identity: sha256(identitySalt, identity).toString('hex'),
    data: entry.data === null ? null : sha256(dataSalt, canonicalize(entry.data) as string).toString('hex'),
  }) as string;
}

const hex = (digest: Buffer | null) => (digest === null ? null : digest.toString('hex'));

describe('the leaf', () => {
  it.each([1, 2])('of version %i is byte for byte what RFC 8785 makes of it', (version) => {
    const leaf = new LeafVersion(version);
    fc.assert(
      fc.property(entries, (entry) => {
        const salts = newSalts();
        const sealed = leaf.seal(entry, salts);
        const expected = leafByTheBook(version, entry, salts.identitySalt, salts.dataSalt);
        expect(leaf.leafText(entry, hex(sealed.identityDigest)!, hex(sealed.dataDigest))).toBe(expected);
        expect(sealed.leafHash).toEqual(sha256(Buffer.of(0), expected));
        expect(sealed.dataSalt === null).toBe(entry.data === null);
      }),
      { numRuns: 1000 },
    );
  });

  it('stays the same when identity and data are erased and their digests kept', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const { identityDigest, dataDigest, leafHash: sealed } = LEAF.seal(entry);
        const erased = {
          ...entry,
          actorEmail: null,
          actorName: null,
          ipAddress: null,
          userAgent: null,
          onBehalfOfName: null,
          resourceName: null,
          data: null,
        };
        expect(LEAF.hashLeaf(erased, hex(identityDigest)!, hex(dataDigest))).toBe(hex(sealed));
      }),
    );
  });

  it('does not depend on the order of keys in data, nor on the sign of zero', () => {
    const salts = newSalts();
    const [entry] = fc.sample(entries, 1) as [SealableEntry];
    const one = LEAF.seal({ ...entry, data: { b: 0, a: { d: 1, c: [1.0] } } }, salts);
    const other = LEAF.seal({ ...entry, data: { a: { c: [1], d: 1 }, b: -0 } }, salts);
    expect(one.leafHash).toEqual(other.leafHash);
  });

  it('keeps a hash that another program worked out: these bytes never change', () => {
    const entry: SealableEntry = {
      id: '01941f3e-5b40-7000-8000-000000000001',
      tenantId: '6f2b4c0e-0000-4000-8000-000000000001',
      module: 'guardian',
      action: 'users.login',
      severity: LogSeverity.INFO,
      origin: LogOrigin.MODULE,
      actorId: null,
      actorType: ActorType.SYSTEM,
      onBehalfOfId: null,
      onBehalfOfName: null,
      resourceName: null,
      outcome: null,
      repaired: [],
      clientId: null,
      resourceType: 'user',
      resourceId: '42',
      requestId: null,
      occurredAt: '2026-01-05T10:00:00.123456Z',
      createdAt: '2026-01-05T10:00:00.123456Z',
      actorEmail: 'ana@example.com',
      actorName: 'Ana €',
      ipAddress: '::ffff:1.2.3.4',
      userAgent: null,
      data: {
        '\u20ac': 'Euro Sign',
        '\r': 'Carriage Return',
        1: 'One',
        '\ud83d\ude00': 'Smiley',
        '\ufb33': 4.5,
      },
    };
    const salts = { identitySalt: Buffer.alloc(16, 1), dataSalt: Buffer.alloc(16, 2) };
    expect(new LeafVersion(1).seal(entry, salts).leafHash.toString('hex')).toBe(
      '971225437765c71a14eb6ddcd2e74e894a855c7faa7929a286aaa3d56e4d3362',
    );
    expect(new LeafVersion(2).seal(entry, salts).leafHash.toString('hex')).toBe(
      'ab39f580fa03b77e4431d28bf54e005f29c95904b3fdd0aa54dd3ffb7e4b3b01',
    );
  });

  it('salts each part anew', () => {
    const [entry] = fc.sample(entries, 1) as [SealableEntry];
    const data = { same: 1 };
    const [one, two] = [LEAF.seal({ ...entry, data }), LEAF.seal({ ...entry, data })];
    expect(one.identityDigest).not.toEqual(two.identityDigest);
    expect(one.dataDigest).not.toEqual(two.dataDigest);
    expect(one.identitySalt).toHaveLength(16);
    expect(one.dataSalt).not.toEqual(one.identitySalt);
  });
});
