import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MONTHS_AHEAD } from '../../src/database/months.js';
import { runCommand, settingsOf } from '../support/cli.js';
import { createDatabase, type TestDatabase } from '../support/postgres.js';
import { makeDataDir } from '../support/process.js';
import { moduleToken, startReel, type TestReel } from '../support/reel.js';
import { StreamCalls } from '../support/streams.js';

interface Finding {
  about: string;
  isWell: boolean;
  detail: string;
}

const examine = async (settings: Record<string, string>) => {
  const { code, stdout, stderr } = await runCommand(['doctor', '--json'], settings);
  if (stdout === '') throw new Error(stderr);
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  const of = (about: string) => findings.find((each) => each.about === about);
  return { code, findings, of, open: findings.filter(({ isWell }) => !isWell), stderr };
};

let own: TestDatabase;
beforeAll(async () => {
  own = await createDatabase();
  // Months ahead may be missing in what it was copied from.
  await runCommand(['migrate'], settingsOf(own));
});
afterAll(() => own?.drop());

/** The cluster of these tests does without fsync and autovacuum. */
const others = (open: readonly Finding[]) =>
  open.filter(({ about }) => about !== 'durability' && about !== 'statistics');

describe('an installation that is well', () => {
  test('is told so, of each thing, one a line', async () => {
    const { findings, open } = await examine(settingsOf(own));
    expect(others(open)).toEqual([]);
    expect(findings.map(({ about }) => about)).toEqual([
      'settings',
      'database',
      'encryption',
      'search path',
      'migrations',
      'role',
      'clock',
      'durability',
      'connections',
      'partitions',
      'statistics',
      'space',
      'sealing',
      'streams',
      'actions',
      'owner',
      'signing key',
      'witness',
    ]);
    const { stdout } = await runCommand(['doctor'], settingsOf(own));
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(findings.length);
    for (const line of lines)
      expect(line).toMatch(
        /^well {3}[A-Za-z ]+: \S|^to do {2}(?:durability: fsync|statistics: autovacuum is off)/,
      );
  });

  test('as development makes it, ends the command with 0', async () => {
    const dataDir = await makeDataDir();
    try {
      const { code, open } = await examine({ REEL_DATA_DIR: dataDir });
      expect(open).toEqual([]);
      expect(code).toBe(0);
    } finally {
      await rm(dirname(dataDir), { recursive: true, force: true });
    }
  });

  test('holds no password', async () => {
    const { findings } = await examine(settingsOf(own));
    const { password } = new URL(own.ownerUrl);
    expect(password.length).toBeGreaterThan(3);
    expect(JSON.stringify(findings)).not.toContain(password);
  });
});

describe('settings', () => {
  test('of a server in production that are missing', async () => {
    const { code, of, stderr } = await examine({ ...settingsOf(own), REEL_ENV: 'production' });
    expect(code).toBe(1);
    expect(of('settings')?.detail).toMatch(
      /^REEL_JWT_SECRET: expected at least 32 bytes, required in production/,
    );
    expect(of('signing key')?.detail).toContain('reel key --new');
    expect(stderr).toMatch(/^reel: \d+ of 18 to be done\n$/);
  });

  test('that no command can go by end it with 2', async () => {
    const { code, stderr } = await runCommand(['doctor'], { ...settingsOf(own), REEL_PORT: 'x' });
    expect([code, stderr]).toEqual([2, expect.stringContaining('REEL_PORT: expected an integer')]);
  });
});

describe('the database', () => {
  test('that cannot be reached', async () => {
    const unused = createServer();
    await new Promise<void>((listening) => void unused.listen(0, '127.0.0.1', listening));
    const { port } = unused.address() as AddressInfo;
    await new Promise((closed) => unused.close(closed));
    const { code, of } = await examine({
      REEL_DATABASE_URL: `postgres://reel:secret@127.0.0.1:${port}/reel`,
    });
    expect(code).toBe(1);
    expect(of('database')).toMatchObject({
      isWell: false,
      detail: expect.stringMatching(/REEL_DATABASE_URL: .*ECONNREFUSED/),
    });
    expect(of('database')?.detail).not.toContain('secret');
  });

  test('that is not migrated', async () => {
    const empty = await createDatabase('template0');
    try {
      const { code, of } = await examine(settingsOf(empty));
      expect(code).toBe(1);
      expect(of('migrations')?.detail).toContain('run reel migrate');
    } finally {
      await empty.drop();
    }
  });

  test('whose role may do too much', async () => {
    const { of } = await examine({ ...settingsOf(own), REEL_DATABASE_URL: own.ownerUrl });
    expect(of('role')).toMatchObject({
      isWell: false,
      detail: expect.stringContaining('is the owner of the tables'),
    });
  });

  test('whose owner is another role', async () => {
    const { of } = await examine({ ...settingsOf(own), REEL_MIGRATE_URL: own.runtimeUrl });
    expect(of('owner')).toMatchObject({
      isWell: false,
      detail: expect.stringContaining('expected the owner of the tables'),
    });
  });

  test('whose search path leads elsewhere', async () => {
    await own.query('create schema elsewhere; grant usage on schema elsewhere to public', [], 'superuser');
    const elsewhere = new URL(own.runtimeUrl);
    const role = decodeURIComponent(elsewhere.username);
    const database = elsewhere.pathname.slice(1);
    await own.query(
      `alter role ${role} in database ${database} set search_path = elsewhere`,
      [],
      'superuser',
    );
    try {
      const { of } = await examine(settingsOf(own));
      expect(of('search path')?.detail).toMatch(
        /expected the schema public first, which has the tables, got elsewhere/,
      );
    } finally {
      await own.query(`alter role ${role} in database ${database} reset search_path`, [], 'superuser');
    }
  });

  test('with settings that lose what was acknowledged', async () => {
    const database = new URL(own.runtimeUrl).pathname.slice(1);
    await own.query(`alter database ${database} set synchronous_commit = off`, [], 'superuser');
    try {
      expect((await examine(settingsOf(own))).of('durability')?.detail).toContain(
        'synchronous_commit is off',
      );
    } finally {
      await own.query(`alter database ${database} reset synchronous_commit`, [], 'superuser');
    }
  });

  test('without months ahead', async () => {
    const [row] = await own.query(
      `select to_char(now() at time zone 'UTC' + make_interval(months => ${MONTHS_AHEAD}), 'YYYYMM') as month`,
    );
    await own.query(`drop table reel_log_entries_${row!.month}`);
    const { of } = await examine(settingsOf(own));
    expect(of('partitions')?.detail).toContain('1 of this month and the 2 next are missing');
    expect((await runCommand(['migrate'], settingsOf(own))).code).toBe(0);
    expect((await examine(settingsOf(own))).of('partitions')?.isWell).toBe(true);
  });

  test('with few connections', async () => {
    const role = decodeURIComponent(new URL(own.runtimeUrl).username);
    const other = await createDatabase();
    await own.query(
      `create role narrow login password 'narrow' connection limit 5 in role ${role}`,
      [],
      'superuser',
    );
    try {
      const narrow = new URL(other.runtimeUrl);
      Object.assign(narrow, { username: 'narrow', password: 'narrow' });
      const { of } = await examine({ REEL_DATABASE_URL: narrow.toString() });
      expect(of('connections')?.detail).toContain('expected 22 for each server, got 5');
    } finally {
      await own.query('drop role narrow', [], 'superuser');
      await other.drop();
    }
  });
});

describe('what waits', () => {
  let reel: TestReel;
  const TENANT = randomUUID();
  beforeAll(async () => {
    reel = await startReel();
  });
  afterAll(() => reel?.close());

  test('a stream that fails', async () => {
    const receiver = createServer((_request, response) => void response.writeHead(401).end('no'));
    await new Promise<void>((listening) => void receiver.listen(0, '127.0.0.1', listening));
    const { port } = receiver.address() as AddressInfo;
    try {
      const calls = await StreamCalls.of(reel, TENANT);
      const { id } = await calls.create({ settings: { url: `http://127.0.0.1:${port}/` } });
      await reel.rest(await moduleToken(), 'POST', '/logs', { module: 'm', action: 'a', tenant_id: TENANT });
      await expect.poll(async () => (await calls.get(id)).state, { timeout: 60_000 }).toBe('FAILING');
      const { of, code } = await examine(settingsOf(reel.own));
      expect(code).toBe(1);
      expect(of('streams')?.detail).toContain(`1 of 1 fail: WEBHOOK ${id} (401)`);
    } finally {
      receiver.close();
    }
  });

  test('entries that nobody seals', async () => {
    const other = await createDatabase();
    try {
      // An hour ago, by its id.
      const hex = (Date.now() - 3_600_000).toString(16).padStart(12, '0');
      const id = `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
      await other.query('insert into reel_log_inbox (tenant_id, entry_id, leaf_hash) values ($1, $2, $3)', [
        TENANT,
        id,
        Buffer.alloc(32),
      ]);
      const { of } = await examine(settingsOf(other));
      expect(of('sealing')?.detail).toMatch(/entries of 1 tenants wait to be sealed, the oldest for 60 min/);
    } finally {
      await other.drop();
    }
  });
});

describe('registered actions', () => {
  test('that cannot be redacted, or are checked though there are none', async () => {
    const other = await createDatabase(own);
    try {
      expect((await examine(settingsOf(other))).of('actions')?.detail).toBe('none is registered');
      await other.query(`insert into reel_log_actions (module, action, version, redaction)
        select 'm' || n, 'a.' || n, 1, '[]' from generate_series(1, 7) n`);
      const settings = { ...settingsOf(other), REEL_ACTIONS: 'warn,m1=refuse,nobody=off' };
      expect((await examine(settings)).of('actions')).toMatchObject({
        isWell: true,
        detail: '7 registered, of m1, m2, m3, m4, m5 and 2 more modules',
      });
      const unknown = await examine({ ...settingsOf(other), REEL_ACTIONS: 'm8=refuse' });
      expect(unknown.of('actions')).toMatchObject({
        isWell: false,
        detail: expect.stringContaining('REEL_ACTIONS names m8, which registered nothing'),
      });
      await other.query(
        `update reel_log_actions set redaction = '[{"path": "a", "how": "HMAC"}]' where module = 'm2'`,
      );
      expect((await examine(settings)).of('actions')?.detail).toContain(
        'expected REEL_REDACTION_KEY for the HMACs of m2, got none',
      );
      const keyed = { ...settings, REEL_REDACTION_KEY: 'k'.repeat(32) };
      expect((await examine(keyed)).of('actions')?.isWell).toBe(true);
    } finally {
      await other.drop();
    }
  });
});

describe('others', () => {
  test('a witness, a key set and Mentor that answer, and do not', async () => {
    const answering = createServer((_request, response) => void response.writeHead(405).end());
    await new Promise<void>((listening) => void answering.listen(0, '127.0.0.1', listening));
    const { port } = answering.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/`;
    const settings = {
      ...settingsOf(own),
      REEL_WITNESS_URL: url,
      REEL_JWKS_URL: url,
      REEL_MENTOR: 'http',
      REEL_MENTOR_URL: url,
    };
    const { findings, open } = await examine(settings);
    expect(others(open)).toEqual([]);
    expect(findings.slice(-3).map(({ about, detail }) => [about, detail])).toEqual(
      ['witness', 'key set', 'Mentor'].map((about) => [about, `127.0.0.1:${port} answers`]),
    );
    await new Promise((closed) => answering.close(closed));
    const broken = await examine(settings);
    expect(others(broken.open).map(({ about }) => about)).toEqual(['witness', 'key set', 'Mentor']);
    expect(broken.of('witness')?.detail).toMatch(/does not answer \(ECONNREFUSED\): see REEL_WITNESS_URL/);
  });
});
