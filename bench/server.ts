import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { developmentSecrets, embeddedUrls, issueModuleToken, issuePersonToken } from './built.ts';
import { type SeededTenant, type SeedSize, seedTrail } from './seeding.ts';

const root = resolve(import.meta.dirname, '..');
/** What is seeded by name; a number of entries in the environment is for while a benchmark is written. */
const SIZES: Record<string, SeedSize> = {
  '1m': { entries: 1_000_000, other: 500_000 },
  '10m': { entries: 10_000_000, other: 100_000 },
};

/** A server with the seeded trail, in a process of its own, and connections to its database for plain SQL. */
export interface BenchServer {
  url: string;
  pid: number;
  tenant: SeededTenant;
  /** The client with the most entries. */
  clientId: string;
  viewer: Record<string, string>;
  exporter: Record<string, string>;
  /** Headers of a person who may view another tenant. */
  viewerOf(tenantId: string): Promise<Record<string, string>>;
  /** Headers of a person who may manage the streams of a tenant. */
  managerOf(tenantId: string): Promise<Record<string, string>>;
  /** Headers of a person who may export a client of another tenant. */
  exporterOf(tenantId: string, clientId: string): Promise<Record<string, string>>;
  module: Record<string, string>;
  /** Headers of one module. */
  moduleNamed(name: string): Promise<Record<string, string>>;
  runtimeUrl: string;
  /** Statements as the runtime role, in sessions that see the tenant; parsed rows, text protocol, as the server does. */
  sql: pg.Pool;
  owner: pg.Pool;
  close(): Promise<void>;
}

export async function startServer(size: string): Promise<BenchServer> {
  const cache = join(root, '.cache', `bench-${size}`);
  const dataDir = join(cache, 'data');
  // Another server may be running in the same directory: only one can start its database, but both can use it.
  const running = await embeddedUrls(dataDir);
  const joined = running && { REEL_DATABASE_URL: running.runtimeUrl, REEL_MIGRATE_URL: running.ownerUrl };
  const child = spawn(process.execPath, [join(root, 'dist', 'main.js')], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      REEL_PORT: '0',
      REEL_DATA_DIR: dataDir,
      ...joined,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await addressOf(child);
  const { runtimeUrl, ownerUrl } = (await embeddedUrls(dataDir))!;
  const tenants = await seedTrail(cache, sizeOf(size), { runtimeUrl, ownerUrl }).catch(
    async (error: unknown) => {
      child.kill('SIGTERM');
      throw error;
    },
  );
  const tenant = tenants[0]!;
  const session = `-c timezone=UTC -c jit=off -c reel.tenant_id=${tenant.tenantId}`;
  const sql = new pg.Pool({ connectionString: runtimeUrl, max: 10, options: session });
  const owner = new pg.Pool({ connectionString: ownerUrl, max: 2 });
  const { rows } = await sql.query(
    'select client_id from reel_log_counts where span = 1440 and client_id is not null group by 1 order by sum(count) desc limit 1',
  );
  const clientId = rows[0].client_id as string;
  const headers = (token: string) => ({
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
  });
  const secrets = await developmentSecrets(dataDir);
  const person = (
    action: string,
    scope: 'ACCOUNT' | 'CLIENT',
    tenantId = tenant.tenantId,
    client = clientId,
  ) =>
    issuePersonToken(secrets.jwtSecret, {
      id: '0196f2f0-0000-7000-8000-00000000b001',
      email: 'ana@example.com',
      grants: [{ action, scope, tenantId, clientId: scope === 'CLIENT' ? client : null }],
    });
  return {
    url,
    pid: child.pid!,
    tenant,
    clientId,
    viewer: headers(await person('reel.logs.view', 'ACCOUNT')),
    exporter: headers(await person('reel.logs.export', 'CLIENT')),
    viewerOf: async (tenantId) => headers(await person('reel.logs.view', 'ACCOUNT', tenantId)),
    managerOf: async (tenantId) => headers(await person('reel.streams.manage', 'ACCOUNT', tenantId)),
    exporterOf: async (tenantId, client) =>
      headers(await person('reel.logs.export', 'CLIENT', tenantId, client)),
    module: headers(await issueModuleToken(secrets.serviceSecret, '*')),
    moduleNamed: async (name) => headers(await issueModuleToken(secrets.serviceSecret, name)),
    runtimeUrl,
    sql,
    owner,
    close: async () => {
      await Promise.all([sql.end(), owner.end()]);
      const ended = new Promise((done) => child.once('exit', done));
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function sizeOf(name: string): SeedSize {
  const entries = Number(name);
  return SIZES[name] ?? { entries, other: Math.ceil(entries / 2) };
}

function addressOf(server: ChildProcess): Promise<string> {
  return new Promise((done, fail) => {
    let output = '';
    server.stdout!.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const [, url] = /Reel listens on ([^\s"]+)/.exec(output) ?? [];
      if (url) done(url);
    });
    server.once('exit', (code) => fail(new Error(`expected a server, it ended with ${code}`)));
  });
}

/** Resident memory of a process in MiB. */
export function residentMib(pid: number): number {
  const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kib) / 1024);
}

/** CPU seconds that a process has used. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // proc_pid_stat(5): utime and stime, in hundredths of a second.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
