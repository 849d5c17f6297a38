import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type BenchServer, cpuSeconds } from './server.ts';

const root = resolve(import.meta.dirname, '..');
/** Enough for some million entries; a command that takes longer hangs. */
const TIMEOUT_MS = 30 * 60_000;

export interface CommandRun {
  output: string;
  /** Wall-clock time, from start to end. */
  seconds: number;
  cpuSeconds: number;
  /** Peak resident memory. */
  peakMib: number;
}

/** Runs `reel …` on the server's database in a process of its own. Errors: it ended with anything but 0. */
export async function runReel({ runtimeUrl }: BenchServer, ...words: string[]): Promise<CommandRun> {
  const started = performance.now();
  const child = spawn(process.execPath, [join(root, 'dist', 'cli', 'reel.js'), ...words], {
    cwd: root,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, REEL_DATABASE_URL: runtimeUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const used = { cpuSeconds: 0, peakMib: 0 };
  const watch = setInterval(() => {
    // Between its end and the notice of it there is nothing left to read.
    if (child.pid === undefined || child.exitCode !== null) return;
    try {
      used.peakMib = peakMib(child.pid) ?? used.peakMib;
      used.cpuSeconds = cpuSeconds(child.pid);
    } catch {}
  }, 10);
  try {
    const ended = await new Promise<number | string>((done, fail) =>
      child.once('error', fail).once('close', (code, signal) => done(code ?? signal!)),
    );
    const seconds = (performance.now() - started) / 1000;
    if (ended !== 0)
      throw new Error(
        `expected reel ${words.join(' ')} to end with 0, got ${ended}: ${output.slice(-2_000)}`,
      );
    return { output, seconds, ...used };
  } finally {
    clearInterval(watch);
  }
}

/** Of a process that has not ended yet (proc_pid_status(5): VmHWM). */
function peakMib(pid: number): number | null {
  const [, kib] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return kib === undefined ? null : Math.round(Number(kib) / 1024);
}
