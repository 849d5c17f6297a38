import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { embeddedUrls } from '../../bench/built.ts';

const MAIN = resolve(import.meta.dirname, '..', '..', 'dist', 'main.js');
const REST = '/api/v1/reel';

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** The built server as a process of its own, with only these REEL_ variables. */
export class ReelProcess {
  stdout = '';
  stderr = '';
  readonly dataDir: string;
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;
  /** The line after which nothing more is printed. */
  private readonly last: RegExp;

  constructor(dataDir: string, settings: Record<string, string> = {}) {
    this.dataDir = dataDir;
    const { PATH, HOME, TZ, NODE_COMPILE_CACHE } = process.env;
    const env = { PATH, HOME, TZ, NODE_COMPILE_CACHE, REEL_PORT: '0', REEL_DATA_DIR: dataDir, ...settings };
    const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.child = child;
    this.last = settings.REEL_ENV === 'production' ? /"msg":"Reel listens on [^"]+"/ : /^More: .+$/m;
    this.ended = once(child, 'close').then(([code, signal]) => {
      refuseUnhandled(this.stderr);
      return { code, signal, stdout: this.stdout, stderr: this.stderr };
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Null while it runs. */
  get exitCode(): number | null {
    return this.child.exitCode;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Resolves with the URL once everything is printed; a first start may take 60 seconds. */
  async ready(): Promise<string> {
    const deadline = Date.now() + 60_000;
    while (!this.last.test(this.stdout)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null || Date.now() > deadline)
        throw new Error(`expected a server that is ready, got ${this.stdout}${this.stderr}`);
      await setTimeout(20);
    }
    return /Reel listens on ([^\s"]+)/.exec(this.stdout)![1]!;
  }

  /** The text after a label, or on the line below it. */
  printed(label: string): string {
    const lines = this.stdout.split('\n');
    const at = lines.findIndex((line) => line.startsWith(label));
    const rest = lines[at]?.slice(label.length).replace(/^:?\s*/, '') ?? '';
    return /^\(|^$/.test(rest) ? (lines[at + 1] ?? '') : rest;
  }

  get tokens(): { person: string; module: string } {
    return { person: this.printed("A person's token"), module: this.printed("A module's token") };
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.kill(signal);
    return this.ended;
  }
}

/**
 * Fails whoever waits for a process, or the whole run where nobody does, if it ended by an exception or a rejection that
 * nobody handled, or warned of one: then Node prints the place and its own version.
 */
export function refuseUnhandled(stderr: string): void {
  if (
    /^Node\.js v\d+|UnhandledPromiseRejection|MaxListenersExceededWarning|error that nothing handled/m.test(
      stderr,
    )
  )
    throw new Error(`expected a process that handles every error, got ${stderr.slice(-4_000)}`);
}

/** A data directory that the embedded database's user can reach. */
export async function makeDataDir(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'reel-life-'));
  await chmod(directory, 0o755);
  return join(directory, 'data');
}

/** A line of the embedded database's pid file as a number; null if there is no such file. */
async function pidFileOf(dataDir: string, line: number): Promise<number | null> {
  const file = await readFile(join(dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8').catch(() => null);
  return file === null ? null : Number(file.split('\n')[line]);
}

/** The pid of the embedded database's postmaster; null if there is no pid file. */
export const postmasterOf = (dataDir: string) => pidFileOf(dataDir, 0);

/** The port that it listens on. */
export const portOf = (dataDir: string) => pidFileOf(dataDir, 3);

/** Whether the process runs; a zombie has no command line. */
export async function isAlive(pid: number): Promise<boolean> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')) !== '';
}

/** Runs a statement on the data directory's running database as the owner, who sees every tenant. */
export async function asOwner(dataDir: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: (await embeddedUrls(dataDir))!.ownerUrl });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

export interface Storm {
  /** Idempotency keys of requests that returned 201, with the entry's id. */
  acknowledged: Map<string, string>;
  /** Keys of requests without a response, or refused; their entries may be stored or not. */
  open: Set<string>;
  /** Statuses other than 201. */
  statuses: Set<number>;
  /** Resolves when every caller has stopped. */
  over: Promise<void>;
  stop(): void;
}

/** Callers that each create entry after entry, each under its own key, until one is refused. */
export function storm(url: string, token: string, tenantId: string, callers: number, name: string): Storm {
  const [acknowledged, open, statuses] = [new Map<string, string>(), new Set<string>(), new Set<number>()];
  let going = true;
  const caller = async (number: number) => {
    for (let count = 0; going; count += 1) {
      const key = `${name}-${number}-${count}`;
      open.add(key);
      try {
        const { status, body } = await create(url, token, tenantId, key);
        if (status === 201) {
          acknowledged.set(key, body.id as string);
          open.delete(key);
        } else {
          statuses.add(status);
          return;
        }
      } catch {
        return;
      }
    }
  };
  const over = Promise.all(Array.from({ length: callers }, (_, number) => caller(number))).then(() => {});
  return {
    acknowledged,
    open,
    statuses,
    over,
    stop: () => {
      going = false;
    },
  };
}

export async function create(url: string, token: string, tenantId: string, key: string) {
  const response = await fetch(`${url}${REST}/logs`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    },
    body: JSON.stringify({
      module: 'guardian',
      action: 'users.create',
      tenant_id: tenantId,
      resource_id: key,
    }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
