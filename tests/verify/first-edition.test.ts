/**
 * What the first release left still reads, verifies and answers. Later releases migrate it as it is; neither it nor what
 * is expected of it changes with them.
 */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runCommand, wrongCounts } from '../support/cli.js';
import {
  BUNDLES,
  type Bundle,
  contents,
  EXPORTS,
  type Fields,
  type FirstEdition,
  fixture,
  NOTES,
  openFirstEdition,
  openStoredNote,
  type Replay,
  replays,
  type TenantContents,
  textOf,
} from '../support/first-edition.js';
import {
  checkConsistency,
  checkInclusion,
  leafHashOf,
  saltedDigest,
} from '../support/independent-verifier.js';
import { grant, moduleToken, person, startReel, type TestReel, viewer } from '../support/reel.js';

const { large, held, waiting } = contents.tenants;
const ENTRY_FIELDS =
  'id module action severity origin actorId actorEmail actorName onBehalfOfId tenantId clientId resourceType resourceId data ipAddress userAgent requestId occurredAt createdAt sequence';
const OPTIONAL =
  'actor_id actor_email actor_name on_behalf_of_id client_id resource_type resource_id data ip_address user_agent request_id'.split(
    ' ',
  );
const snaked = (fields: Fields): Fields =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  );
const isErased = (entry: Fields) => entry.erasedAt !== null;

let first: FirstEdition;
beforeAll(async () => {
  first = await openFirstEdition();
});
afterAll(() => first?.own.drop());

/** The root of each tenant's log by `reel verify`, with every note of it that was kept. */
async function verifyAll(): Promise<string[]> {
  const checks = [
    ...NOTES.map(([name, { id }]) => ['--tenant', id, '--checkpoint', fixture(`notes/${name}.note`)]),
    ['--tenant', waiting.id],
  ];
  const runs = await Promise.all(checks.map((args) => first.command('verify', ...args)));
  for (const [at, run] of runs.entries())
    expect(run).toEqual({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining(`ok tenant ${checks[at]![1]} size `),
    });
  return [...new Set(runs.map(({ stdout }) => stdout))];
}

describe('before a server runs on it', () => {
  test('it is migrated from the level of its release to that of this one', () => {
    expect(first.migration).toEqual({
      before: [
        'Migration20261124000000_trail',
        'Migration20261124000001_seal',
        'Migration20261124000002_retention',
        'Migration20261124000003_kept',
      ],
      // At first the server's role may not even read which migrations were applied.
      codes: [1, 0, 0],
    });
  });

  test('every log verifies, and extends the notes that were kept', async () => {
    expect(await verifyAll()).toEqual(
      [large, held, waiting].map(({ id, sealed, root }) => `ok tenant ${id} size ${sealed} root ${root}\n`),
    );
    expect(await wrongCounts(first.own)).toEqual([]);
  });

  test('a changed row is found', async () => {
    const change = 'update reel_log_entries set action = $2 where id = $1 returning action';
    const { whole } = contents.entries;
    const [row] = await first.own.query('select action from reel_log_entries where id = $1', [whole]);
    await first.own.query(change, [whole, 'invoices.reject'], 'superuser');
    const run = await first.command('verify', '--tenant', large.id);
    await first.own.query(change, [whole, row!.action], 'superuser');
    const { sequence } = BUNDLES[0]![1].entry;
    expect(run).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(`^changed ${sequence}: entry ${whole}: `),
    });
  });
});

describe('what was handed out', () => {
  test.each(EXPORTS)('%s verifies by the keys that were kept', async (name) => {
    const [file, keys] = [fixture(`${name}.ndjson`), fixture('keys.txt')];
    const run = await runCommand(['verify', '--export', file, '--key', keys]);
    expect(run).toMatchObject({ code: 0, stdout: expect.stringContaining(`ok tenant ${large.id} size `) });
    const script = join(import.meta.dirname, '..', '..', 'docs', 'examples', 'check-export.mjs');
    const checked = spawnSync(process.execPath, [script, file, keys], { encoding: 'utf8' });
    expect(checked).toMatchObject({ status: 0, stdout: expect.stringMatching(/^ok \d+ entries of /) });
  });

  test.each(BUNDLES)('the proof of entry %s holds by the keys that were kept', (_, bundle) => {
    const { entry, note, path } = bundle;
    const bytes = (text: string) => Buffer.from(text, 'base64');
    const identity = Object.fromEntries(
      ['actor_email', 'actor_name', 'ip_address', 'user_agent'].map((name) => [name, entry[name]]),
    );
    if (bundle.identity_salt !== null)
      expect(saltedDigest(bytes(bundle.identity_salt), identity)).toEqual(bytes(bundle.identity_digest));
    if (bundle.data_salt !== null)
      expect(saltedDigest(bytes(bundle.data_salt), entry.data)).toEqual(bytes(bundle.data_digest!));
    const { data: _data, sequence, actor_email, actor_name, ip_address, user_agent, ...plain } = entry;
    const hex = (text: string | null) => text && bytes(text).toString('hex');
    const [identityDigest, dataDigest] = [hex(bundle.identity_digest), hex(bundle.data_digest)];
    const leaf = leafHashOf({ v: 1, ...plain, identity: identityDigest, data: dataDigest });
    expect(leaf).toEqual(bytes(bundle.leaf_hash));
    const { size, root, origin } = openStoredNote(note);
    expect(origin).toBe(`${contents.origin}/${entry.tenant_id}`);
    expect(checkInclusion(leaf, sequence - 1, size, path.map(bytes), root)).toBe(true);
  });
});

describe('served', () => {
  let reel: TestReel;
  beforeAll(async () => {
    reel = await startReel(first.settings, first.own);
    await sealed();
  });
  afterAll(() => reel?.close());

  const sealed = () =>
    vi.waitFor(async () => expect(await first.own.query('select from reel_log_inbox')).toEqual([]), {
      timeout: 60_000,
    });

  /** Every entry of a tenant, newest first, as both wires list it. */
  async function listAll({ id, entries }: TenantContents): Promise<{ rest: Fields[]; graphql: Fields[] }> {
    const token = await viewer(id);
    const rest: Fields[] = [];
    const graphql: Fields[] = [];
    for (let page = 1; page === 1 || rest.length < entries; page += 1) {
      const { status, body } = await reel.rest(token, 'GET', `/logs?page_size=100&page=${page}`);
      expect([status, body.total, body.items.length > 0]).toEqual([200, entries, true]);
      rest.push(...body.items);
    }
    let after: string | null = null;
    do {
      const { body } = await reel.graphql(
        token,
        `query ($after: String) { logs(first: 100, after: $after) { nodes { ${ENTRY_FIELDS} erasedAt } pageInfo { hasNextPage endCursor } } }`,
        { after },
      );
      expect(body.errors).toBeUndefined();
      const { nodes, pageInfo } = body.data.logs;
      graphql.push(...nodes);
      after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
    } while (after !== null);
    return { rest, graphql };
  }

  test.each(Object.entries(contents.tenants))('%s: every entry is listed and counted', async (_, tenant) => {
    const { rest, graphql } = await listAll(tenant);
    expect(graphql).toHaveLength(tenant.entries);
    expect(graphql.filter(isErased)).toHaveLength(tenant.erased);
    expect(rest).toMatchObject(graphql.map(({ erasedAt, ...shown }) => snaked(shown)));
    const sequences = graphql.map(({ sequence }) => Number(sequence));
    expect(Math.max(...sequences)).toBe(tenant.sealed + tenant.waiting);
    const { body } = await reel.graphql(
      await viewer(tenant.id),
      '{ logStats { totalEntries entriesBySeverity { key count } entriesByModule { key count } } }',
    );
    const { totalEntries, entriesBySeverity, entriesByModule } = body.data.logStats;
    const byKey = (counts: { key: string; count: number }[]) =>
      Object.fromEntries(counts.map(({ key, count }) => [key, count]));
    expect({
      totalEntries,
      bySeverity: byKey(entriesBySeverity),
      byModule: byKey(entriesByModule),
    }).toEqual({ totalEntries: tenant.entries, bySeverity: tenant.bySeverity, byModule: tenant.byModule });
  });

  test('entries are as they were exported, but for those erased or removed since', async () => {
    const { rest, graphql } = await listAll(large);
    const now = new Map(rest.map((entry) => [entry.id, entry]));
    const erased = new Set(graphql.filter(isErased).map(({ id }) => id));
    const found = { same: 0, erased: 0, removed: 0 };
    for (const line of EXPORTS.flatMap((name) => textOf(`${name}.ndjson`).trim().split('\n').slice(0, -1))) {
      const { entry } = JSON.parse(line).proof as Bundle;
      const blank = { actor_email: null, actor_name: null, ip_address: null, user_agent: null, data: null };
      const before = erased.has(entry.id) ? { ...entry, ...blank } : entry;
      if (now.has(entry.id)) expect(now.get(entry.id)).toMatchObject(before);
      found[!now.has(entry.id) ? 'removed' : erased.has(entry.id) ? 'erased' : 'same'] += 1;
    }
    expect(found).toEqual({ same: 43, erased: 6, removed: 1 });
  });

  test.each(BUNDLES)('entry %s is read and proven as it was', async (name, bundle) => {
    const token = await viewer(large.id);
    const { id } = bundle.entry;
    if (name !== 'erased-later')
      expect(await reel.rest(token, 'GET', `/logs/${id}`)).toMatchObject({ status: 200, body: bundle.entry });
    const { body } = await reel.graphql(
      token,
      'query ($id: UUID!) { log(id: $id) { erasedAt proof { leafIndex leafHash identitySalt identityDigest dataDigest path checkpoint { note treeSize } } } }',
      { id },
    );
    const { erasedAt, proof } = body.data.log;
    expect(erasedAt).toEqual(name.startsWith('erased') ? expect.any(String) : null);
    const base64 = (hex: string | null) => hex && Buffer.from(hex, 'hex').toString('base64');
    expect({
      leaf: proof.leafHash,
      identity: base64(proof.identityDigest),
      data: base64(proof.dataDigest),
      salt: proof.identitySalt,
      sequence: proof.leafIndex + 1,
    }).toEqual({
      leaf: bundle.leaf_hash,
      identity: bundle.identity_digest,
      data: bundle.data_digest,
      salt: erasedAt === null ? bundle.identity_salt : null,
      sequence: bundle.entry.sequence,
    });
  });

  test('an entry shows null for what it has not', async () => {
    const { rest } = await listAll(large);
    const bare = rest.find(({ id }) => id === contents.entries.bare)!;
    const { id, module, action, severity, tenant_id, created_at, origin, occurred_at, sequence, ...others } =
      bare;
    expect({ module, action, severity, origin }).toEqual({
      module: 'aurora',
      action: 'jobs.run',
      severity: 'INFO',
      origin: 'MODULE',
    });
    expect(occurred_at).toBe(created_at);
    for (const name of OPTIONAL) expect([name, others[name]]).toEqual([name, null]);
  });

  test.each([
    ['ὀδυσσεύς', 1],
    ['żółte', 1],
    // Of entries erased since.
    ['García', 0],
    ['forgotten', 0],
  ])('a search for %s finds %i', async (text, count) => {
    const { body } = await reel.rest(
      await viewer(large.id),
      'GET',
      `/logs?search=${encodeURIComponent(text)}`,
    );
    expect(body.total).toBe(count);
  });

  test('the newest checkpoint is proven to extend those that were kept', async () => {
    for (const [name, { id }] of NOTES) {
      const kept = openStoredNote(textOf(`notes/${name}.note`));
      const token = await viewer(id);
      const { body } = await reel.graphql(token, '{ checkpoint { treeSize rootHash } }');
      const { treeSize, rootHash } = body.data.checkpoint;
      const proof = await reel.graphql(
        token,
        'query ($first: Count!, $second: Count!) { consistencyProof(first: $first, second: $second) { path } }',
        { first: kept.size, second: treeSize },
      );
      const bytes = (text: string) => Buffer.from(text, 'base64');
      const path = proof.body.data.consistencyProof.path.map(bytes);
      expect(checkConsistency(kept.size, treeSize, kept.root, bytes(rootHash), path)).toBe(true);
    }
  });

  test('the keys that signed before stay published, behind the new one', async () => {
    const published = await (await fetch(`${reel.url}/.well-known/reel-keys`)).text();
    expect(published.split('\n').slice(1).join('\n')).toBe(textOf('keys.txt'));
  });

  async function send({ writer, api, tenantId, key }: Replay, body: Fields) {
    const token =
      'module' in writer
        ? await moduleToken(writer.module)
        : await person({ ...writer.person, tenants: [tenantId] });
    if (api === 'rest') {
      const sent = await reel.rest(token, 'POST', '/logs', body, { 'idempotency-key': key });
      return sent.status === 409 ? 'CONFLICT' : sent.body.id;
    }
    const { body: answer } = await reel.graphql(
      token,
      'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }',
      { input: { ...body, idempotencyKey: key } },
    );
    return answer.errors ? answer.errors[0].extensions.code : answer.data.createLog.id;
  }

  test.each(replays.map((each) => [each.name, each] as const))(
    'sent again, %s: the answer is of the first time',
    async (_, each) => {
      const count = () => first.own.query('select count(*) from reel_log_entries');
      const before = await count();
      const expected = each.replay === 'first entry' ? each.entryId : each.replay;
      expect(await send(each, each.body)).toBe(expected);
      expect(await send(each, { ...each.body, action: 'something.else' })).toBe('CONFLICT');
      expect(await count()).toEqual(before);
    },
  );

  const eraseHeld = () =>
    first.command('erase', '--tenant', held.id, '--actor', contents.people.held, '--reason', 'x');
  /** Days of an age between what was written in August and September and what came later. */
  const daysSinceOctober = () => String(Math.floor((Date.now() - Date.UTC(2026, 9, 10)) / 86_400_000));
  const heldRows = () =>
    first.own.query(
      'select * from reel_log_entries where tenant_id = $1 and $2 in (actor_id, on_behalf_of_id) order by id',
      [held.id, contents.people.held],
    );

  test('what is on hold can be neither erased nor cleaned up', async () => {
    const before = await heldRows();
    expect(before).toHaveLength(3);
    const erase = await eraseHeld();
    expect(erase).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^erased 0 entries/),
      stderr: expect.stringContaining('on hold'),
    });
    const cleanup = await first.command(
      'cleanup',
      '--tenant',
      held.id,
      '--days',
      daysSinceOctober(),
      '--json',
    );
    expect(JSON.parse(cleanup.stdout)).toMatchObject({ entries: 0, tenants: [] });
    expect(await heldRows()).toEqual(before);
    const list = await first.command('hold', 'list', '--json');
    expect(JSON.parse(list.stdout)).toMatchObject([
      { id: contents.hold, tenantId: held.id, actorId: contents.people.held, releasedAt: null },
    ]);
  });

  test('new entries are sealed after the old ones, and all of it verifies', async () => {
    const inputs = Object.values(contents.tenants).flatMap(({ id }) =>
      Array.from({ length: 20 }, (_, at) => ({
        module: 'ledger',
        action: 'invoices.create',
        tenantId: id,
        actorId: contents.people.erased,
        actorName: 'Ana Ortiz',
        clientId: randomUUID(),
        data: { at },
        idempotencyKey: `new ${at}`,
      })),
    );
    const { body } = await reel.graphql(
      await moduleToken(),
      'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
      { inputs },
    );
    expect(body.errors).toBeUndefined();
    const browser = await person({ grants: [grant(large.id, 'reel.logs.view:ACCOUNT')] });
    const reported = await reel.rest(browser, 'POST', '/logs', { module: 'stage', action: 'pages.open' });
    expect(reported.status).toBe(201);
    await sealed();
    const sizes = [large.sealed + 21, held.sealed + 20, waiting.sealed + waiting.waiting + 20];
    expect(await verifyAll()).toEqual(
      [large, held, waiting].map(({ id }, at) =>
        expect.stringMatching(`^ok tenant ${id} size ${sizes[at]} root \\S{44}\n$`),
      ),
    );
    expect(await wrongCounts(first.own)).toEqual([]);
  });

  test('released, what was held is erased; what is old is cleaned up; and all of it verifies', async () => {
    expect((await first.command('hold', 'release', contents.hold)).code).toBe(0);
    const erase = await eraseHeld();
    expect(erase.code).toBe(0);
    const rows = await heldRows();
    const theirs = rows.filter(({ actor_id }) => actor_id === contents.people.held);
    expect(theirs.map(({ data, erased_at }) => [data, erased_at])).toEqual(
      Array(2).fill([null, expect.any(Date)]),
    );
    const cleanup = await first.command(
      'cleanup',
      '--tenant',
      large.id,
      '--days',
      daysSinceOctober(),
      '--json',
    );
    expect(cleanup.code).toBe(0);
    expect(JSON.parse(cleanup.stdout).entries).toBeGreaterThan(90);
    await sealed();
    expect(await verifyAll()).toHaveLength(3);
    expect(await wrongCounts(first.own)).toEqual([]);
  });
});
