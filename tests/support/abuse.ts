import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { TestDatabase } from './postgres.js';
import { ReelProcess } from './process.js';
import { JWT_SECRET, SERVICE_SECRET } from './reel.js';

/** The server as it runs in production, in a process of its own whose loop and memory are watched. */
export class WatchedReel extends ReelProcess {
  constructor(dataDir: string, own: TestDatabase, settings: Record<string, string> = {}) {
    super(dataDir, {
      REEL_ENV: 'production',
      REEL_DATABASE_URL: own.runtimeUrl,
      REEL_JWT_SECRET: JWT_SECRET,
      REEL_SERVICE_SECRET: SERVICE_SECRET,
      REEL_ORIGIN: 'audit.example.com',
      REEL_SIGNING_KEY: generateKeyPairSync('ed25519')
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString(),
      NODE_OPTIONS: `--import=${resolve(import.meta.dirname, 'loop-watch.ts')}`,
      ...settings,
    });
  }

  /** The longest, in milliseconds of CPU time, that it has held its event loop since this was last asked. */
  async longestHold(): Promise<number> {
    const held = () => [...this.stderr.matchAll(/^loop held ([\d.]+) ms$/gm)];
    const before = held().length;
    this.kill('SIGUSR2');
    while (held().length === before) await setTimeout(10);
    return Number(held().at(-1)![1]);
  }

  /** In MiB: now, and the most that it ever was. */
  async resident(): Promise<{ now: number; most: number }> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8');
    const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1_024;
    return { now: of('VmRSS'), most: of('VmHWM') };
  }
}
