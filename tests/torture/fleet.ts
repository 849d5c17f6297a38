import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { startCommand } from '../support/cli.ts';
import { ReelProcess } from '../support/process.ts';
import type { Random } from './built.ts';
import type { Cluster } from './cluster.ts';

const START_MS = 300_000;

interface Server {
  process: ReelProcess | null;
  /** null while it is down. */
  url: string | null;
}

/** Two servers in production settings at one database, and the commands with the same settings. */
export class Fleet {
  readonly jwtSecret = randomBytes(32).toString('base64url');
  readonly serviceSecret = randomBytes(32).toString('base64url');
  readonly streamKey = randomBytes(32).toString('base64');
  readonly servers: Server[] = [0, 1].map(() => ({ process: null, url: null }));
  /** What servers printed that are gone, for the report of a fault. */
  readonly logs: string[] = [];
  /** Those that a SIGKILL ended, whatever else they were told. */
  private readonly killed = new WeakSet<ReelProcess>();
  private readonly cluster: Cluster;
  private readonly origin: string;
  private signingKey = '';

  constructor(cluster: Cluster, origin: string) {
    this.cluster = cluster;
    this.origin = origin;
  }

  get settings(): Record<string, string> {
    return {
      REEL_ENV: 'production',
      REEL_DATABASE_URL: this.cluster.runtimeUrl,
      REEL_MIGRATE_URL: this.cluster.ownerUrl,
      REEL_JWT_SECRET: this.jwtSecret,
      REEL_SERVICE_SECRET: this.serviceSecret,
      REEL_SIGNING_KEY: this.signingKey,
      REEL_ORIGIN: this.origin,
      REEL_BROWSER_ENTRIES_PER_MINUTE: '100000',
      REEL_STREAM_KEY: this.streamKey,
      REEL_STREAM_ALLOW: '127.0.0.0/8,::1',
    };
  }

  /** Runs `reel …`, in development settings where a command is refused in production. */
  command(args: readonly string[], env: 'production' | 'development' = 'production') {
    return startCommand(args, { ...this.settings, REEL_ENV: env }).ended;
  }

  /** The URL of one that answers, any of them; null if none does. */
  pick(random: Random): string | null {
    const up = this.servers.filter(({ url }) => url !== null);
    return up.length === 0 ? null : random.pick(up).url;
  }

  /** Starts one that is down; tried again while the database is down or recovering. */
  async start(index: number): Promise<void> {
    const server = this.servers[index]!;
    if (server.process !== null) return;
    for (const deadline = Date.now() + START_MS; ; await setTimeout(100)) {
      const started = new ReelProcess(this.cluster.dataDir, { ...this.settings, REEL_PORT: '0' });
      server.process = started;
      try {
        server.url = await started.ready();
        return;
      } catch (error) {
        started.kill('SIGKILL');
        this.forget(index);
        if (Date.now() > deadline) throw error;
      }
    }
  }

  async startAll(): Promise<void> {
    await Promise.all(this.servers.map((_, index) => this.start(index)));
  }

  /** kill -9. */
  async kill(index: number): Promise<void> {
    const { process: running } = this.servers[index]!;
    if (running === null) return;
    this.killed.add(running);
    running.kill('SIGKILL');
    this.forget(index);
    await running.ended;
  }

  /** SIGSTOP for a while; its connections stay, and nobody answers on them. */
  async pause(index: number, milliseconds: number): Promise<void> {
    const { process: running } = this.servers[index]!;
    running?.kill('SIGSTOP');
    await setTimeout(milliseconds);
    running?.kill('SIGCONT');
  }

  /** SIGTERM; the exit code, which should be 0, as it is taken to be where it was killed meanwhile. */
  async stop(index: number): Promise<number | null> {
    const { process: running } = this.servers[index]!;
    if (running === null) return 0;
    this.servers[index]!.url = null;
    const { code } = await running.stop();
    if (this.servers[index]!.process === running) this.forget(index);
    return this.killed.has(running) ? 0 : code;
  }

  /** A new signing key, made by `reel key --new`, for every server and command that starts from now on. */
  async newSigningKey(): Promise<void> {
    const { code, stdout, stderr } = await startCommand(['key', '--new'], {
      REEL_ORIGIN: this.origin,
    }).ended;
    if (code !== 0) throw new Error(`expected reel key --new to end with 0, got ${code}: ${stderr}`);
    this.signingKey = stdout;
  }

  killAll(): void {
    for (const { process: running } of this.servers) running?.kill('SIGKILL');
  }

  private forget(index: number): void {
    const { process: gone } = this.servers[index]!;
    if (gone !== null) {
      this.logs.push(`${gone.stdout.slice(-20_000)}${gone.stderr}`);
      if (this.logs.length > 6) this.logs.shift();
    }
    this.servers[index] = { process: null, url: null };
  }
}
