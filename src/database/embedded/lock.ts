import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../../errors.js';

/**
 * Locks the data directory for this process, so that two servers never run one embedded database. A stale lock, whose
 * process is gone (killed, or the machine was restarted), is replaced. Resolves to a function that releases the lock.
 * Errors: StartError where another process holds it or the directory cannot be written.
 */
export async function lockDataDir(dataDir: string): Promise<() => Promise<void>> {
  const file = join(dataDir, 'server.pid');
  const draft = `${file}.${process.pid}`;
  try {
    await mkdir(dataDir, { recursive: true });
    await writeFile(draft, `${process.pid} ${(await startTimeOf(process.pid)) ?? ''}`, { mode: 0o600 });
    for (let attempt = 0; ; attempt += 1) {
      try {
        // Linked into place once it is complete: a lock without a process id would look stale.
        await link(draft, file);
        return () => rm(file, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3) throw error;
        const holder = await holderOf(file);
        if (holder !== null)
          throw new StartError(
            `REEL_DATA_DIR: expected a directory that no other Reel uses, got ${dataDir}, in use by process ${holder}`,
          );
        await rm(file, { force: true });
      }
    }
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(
      `REEL_DATA_DIR: expected a writable directory, got ${dataDir}: ${(error as Error).message}`,
    );
  } finally {
    await rm(draft, { force: true }).catch(() => {});
  }
}

/** The process that holds the lock; null where it is gone, even if another process has its id by now. */
async function holderOf(file: string): Promise<number | null> {
  const [pid = '', start = ''] = (await readFile(file, 'utf8').catch(() => '')).split(' ');
  const holder = Number(pid);
  if (!(holder > 0) || holder === process.pid || !exists(holder)) return null;
  const found = await startTimeOf(holder);
  return found === null || found === start ? holder : null;
}

/** Start time of a process in clock ticks since boot, `zombie` where it has exited, null where the system does not say. */
async function startTimeOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  // proc_pid_stat(5), fields 3 and 22. The second, the command in brackets, may itself contain spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? 'zombie' : (fields[19] ?? null);
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether a process runs with this id and, as ids are reused, with `argument` in its command line where the system shows that. */
export async function isRunning(pid: number, argument: string): Promise<boolean> {
  if (!exists(pid)) return false;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  return commandLine === null ? process.platform !== 'linux' : commandLine.includes(argument);
}
