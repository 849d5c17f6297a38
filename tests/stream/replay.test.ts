import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Egress } from '../../src/stream/egress/egress.js';
import { Senders } from '../../src/stream/senders.js';
import type { StoredStream } from '../../src/stream/store.js';
import { SecretKeeper } from '../../src/stream/stream-secrets.js';
import { noneComesOfAge, runCommand, settingsOf } from '../support/cli.js';
import { createDatabase } from '../support/postgres.js';
import { batchOf, Receiver } from '../support/receiver.js';
import { startReel, type TestReel } from '../support/reel.js';
import { reelOfFile, SECRET, StreamCalls, store, tenantWith } from '../support/streams.js';

const own = reelOfFile();
const folder = mkdtempSync(join(tmpdir(), 'reel-replay-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let receiver: Receiver;
beforeEach(async () => {
  receiver = await Receiver.start();
});
afterEach(() => receiver.close());

const batches = () => receiver.requests.map(batchOf);
const sequences = () => batches().flatMap(({ entries }) => entries.map(({ sequence }) => sequence));
const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1);
const some = (count: number) => Array.from({ length: count }, (_, at) => ({ resource_id: `${at}` }));

/** What `reel verify --stream` says of what was received since some request. */
async function verified(reel: TestReel, from = 0) {
  const [received, keys] = [join(folder, `${randomUUID()}.ndjson`), join(folder, 'keys')];
  writeFileSync(
    received,
    receiver.requests
      .slice(from)
      .map(({ body }) => body)
      .join('\n'),
  );
  writeFileSync(keys, await (await fetch(`${reel.url}/.well-known/reel-keys`)).text());
  return runCommand(['verify', '--stream', received, '--key', keys]);
}

describe('a replay', () => {
  it('begins with what was sealed since a time, as a new run, and is recorded', async () => {
    const { calls, tenant, stream, whole } = await tenantWith(own, some(3));
    const { id } = await stream({ settings: { url: receiver.url } });
    await whole(id);
    const since = new Date().toISOString();
    await store(own.reel, own.token, tenant, some(2));
    await calls.until(id, ({ position }) => expect(position).toBe(6));
    const from = receiver.requests.length;
    await calls.act('replayStream', id, `, since: "${since}"`);
    await calls.until(id, ({ position }) => expect(position).toBe(7));
    const again = batches().slice(from);
    expect(again.flatMap(({ entries }) => entries.map(({ sequence }) => sequence))).toEqual([5, 6, 7]);
    expect(again[0]).toMatchObject({ id: expect.stringContaining(`${id}_2_5_`), previous: 4, first: 5 });
    const { logs } = await calls.ask(
      '{ logs(orderBy: OLDEST_FIRST, filter: { modules: ["reel"] }) { nodes { action data } } }',
    );
    expect(logs.nodes[1]).toMatchObject({ action: 'reel.streams.replayed', data: { after: 4 } });
    for (const args of ['', ', after: 1, since: "2026-01-01T00:00:00Z"', ', after: 100']) {
      const call = `mutation ($id: UUID!) { replayStream(id: $id${args}) { id } }`;
      expect((await calls.refusal(call, { id })).extensions.code).toBe('BAD_USER_INPUT');
    }
  });

  it('has an entry that was erased as it is now, and all of it is proven', async () => {
    const { tenant, calls, ids, stream, whole } = await tenantWith(own, [
      { actor_email: 'bea@example.com', data: { of: 'bea' } },
      ...some(2),
    ]);
    const { id } = await stream({ settings: { url: receiver.url } });
    await whole(id);
    expect(batches()[0]!.entries[0]).toMatchObject({ actor_email: 'bea@example.com', data: { of: 'bea' } });
    const erased = await runCommand(
      ['erase', '--tenant', tenant, '--entry', ids[0]!, '--reason', 'asked'],
      settingsOf(own.reel.own),
    );
    expect(erased.code).toBe(0);
    const from = receiver.requests.length;
    await calls.act('replayStream', id, ', after: 0');
    await calls.until(id, ({ lagEntries, position }) => {
      expect(position).toBeGreaterThanOrEqual(6);
      expect(lagEntries).toBe(0);
    });
    const [first, ...rest] = batches()
      .slice(from)
      .flatMap(({ entries }) => entries);
    expect(first).toMatchObject({ id: ids[0], sequence: 1, actor_email: null, data: null });
    expect(rest.map(({ action }) => action)).toContain('reel.logs.erased');
    expect(await verified(own.reel, from)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ok tenant /),
    });
  });

  it('lists what retention removed, and the rest is proven', async () => {
    const database = await createDatabase();
    const seeded = await runCommand(
      ['seed', '--entries', '120', '--days', '100', '--json'],
      settingsOf(database),
    );
    const [{ tenantId }] = JSON.parse(seeded.stdout);
    await noneComesOfAge(database);
    const reel = await startReel({}, database);
    try {
      const cleaned = await runCommand(['cleanup', '--days', '50', '--json'], settingsOf(database));
      const { entries: removed } = JSON.parse(cleaned.stdout);
      expect(removed).toBeGreaterThan(0);
      const calls = await StreamCalls.of(reel, tenantId);
      const { id } = await calls.create({ settings: { url: receiver.url }, after: 0 });
      await calls.until(id, ({ lagEntries, position }) => {
        expect(position).toBeGreaterThan(120);
        expect(lagEntries).toBe(0);
      });
      const gone = new Set(
        batches().flatMap(({ removed: ranges = [] }) =>
          ranges.flatMap(([first, last]) => upTo(last).slice(first - 1)),
        ),
      );
      expect(gone.size).toBe(removed);
      const { position } = await calls.get(id);
      expect([...gone, ...sequences()].toSorted((a, b) => a - b)).toEqual(upTo(position));
      const { code, stderr } = await verified(reel);
      expect(stderr).toContain(`${removed} removed by retention`);
      expect(code).toBe(0);
    } finally {
      await reel.close();
    }
  });
});

describe('a stream', () => {
  it('without proofs has none, and one with another format neither proofs nor checkpoint', async () => {
    const { stream, whole } = await tenantWith(own, some(3));
    await whole((await stream({ settings: { url: receiver.url, proofs: false } })).id);
    for (const batch of batches()) {
      expect(batch.checkpoint).toEqual(expect.stringContaining(batch.tenant_id));
      for (const entry of batch.entries) expect(entry).not.toHaveProperty('proof');
    }
    const { id } = await stream({ format: 'OCSF', settings: { url: receiver.url } });
    await whole(id);
    const formatted = batches().filter((batch) => batch.stream === id);
    for (const batch of formatted) expect(batch).not.toHaveProperty('checkpoint');
    expect(formatted[0]!.entries[0]).toMatchObject({ class_uid: 6003 });
  });

  it('waits for as long as its receiver asks for, shows the last 20 attempts, and tells where it was disabled', async () => {
    const { calls, tenant, stream, whole } = await tenantWith(own, some(2));
    const { id } = await stream({ settings: { url: receiver.url, batchEntries: 1 } });
    await whole(id);
    await store(own.reel, own.token, tenant, some(25));
    await calls.until(id, ({ position }) => expect(position).toBe(28));
    const { attempts } = await calls.get(id);
    expect(attempts.map(({ last }: { last: number }) => last)).toEqual(upTo(28).toReversed().slice(0, 20));
    receiver.behaviour = () => ({ status: 429, headers: { 'retry-after': '600' }, body: 'slowly' });
    await store(own.reel, own.token, tenant, some(1));
    await calls.until(id, ({ lastError }) => expect(lastError).toBe('429 slowly'));
    const [row] = await own.reel.own.query(
      'select extract(epoch from retry_at - now())::int as seconds from reel_streams where id = $1',
      [id],
    );
    expect(row!.seconds).toBeGreaterThan(540);
    expect(row!.seconds).toBeLessThanOrEqual(600);
    const metrics = await (await fetch(`${own.reel.url}/metrics`)).text();
    expect(metrics).toMatch(new RegExp(`^reel_stream_lag_entries\\{[^}]*${id}[^}]*\\} 1$`, 'm'));
    expect(metrics).toMatch(new RegExp(`^reel_stream_lag_seconds\\{[^}]*${id}[^}]*\\} [\\d.]+$`, 'm'));
    expect(metrics).toMatch(
      new RegExp(
        `^reel_stream_error\\{[^}]*${id}[^}]*429[^}]*\\} 1$|^reel_stream_error\\{[^}]*429[^}]*${id}[^}]*\\} 1$`,
        'm',
      ),
    );
    receiver.behaviour = () => ({ status: 410 });
    await calls.act('resumeStream', id);
    await calls.until(id, ({ state }) => expect(state).toBe('DISABLED'));
    const { logs } = await calls.ask(
      '{ logs(filter: { modules: ["reel"] }) { nodes { action severity data } } }',
    );
    expect(logs.nodes[0]).toEqual({
      action: 'reel.streams.disabled',
      severity: 'WARNING',
      data: { answer: '410' },
    });
  });

  it('signs with the secret before, too, for 24 hours after it was changed', async () => {
    const before = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
    const changedAt = Date.now();
    const keeper = new SecretKeeper([Buffer.alloc(32, 1).toString('base64')], []);
    const egress = new Egress({ allow: [], proxy: null, isDevelopment: true });
    const [tenantId, id] = [randomUUID(), randomUUID()];
    const previous = { secret: before, until: changedAt + 24 * 3_600_000 };
    const secret = keeper.seal(tenantId, id, { secret: SECRET, previous, headers: {}, clientKey: null });
    const settings = { url: receiver.url };
    const stored = {
      tenantId,
      id,
      kind: 'WEBHOOK',
      format: 'REEL',
      settings,
      secret,
    } as unknown as StoredStream;
    const batch = {
      id: 'b',
      streamId: id,
      tenantId,
      previous: 0,
      first: 1,
      last: 1,
      entries: [],
      checkpoint: null,
      about: {},
    };
    let now = changedAt;
    const senders = new Senders(egress, keeper, () => now);
    const signedBy = async () => {
      await senders.send(stored, batch, AbortSignal.timeout(60_000));
      const { headers, body } = receiver.requests.at(-1)!;
      const signatures = String(headers['webhook-signature']).split(' ');
      return [SECRET, before].filter((each) =>
        signatures.some((signature) => {
          try {
            new Webhook(each).verify(body, { ...headers, 'webhook-signature': signature } as never);
            return true;
          } catch {
            return false;
          }
        }),
      );
    };
    try {
      expect(await signedBy()).toEqual([SECRET, before]);
      now = previous.until - 1;
      expect(await signedBy()).toEqual([SECRET, before]);
      now = previous.until;
      expect(await signedBy()).toEqual([SECRET]);
    } finally {
      senders.close();
    }
  });
});
