import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../../errors.js';

/**
 * Claims the data directory for this process, so that two servers never run one embedded database. A claim whose
 * process is gone (killed, or before a restart of the machine) is taken over. Resolves to the release.
 */
export async function lockDataDir(dataDir: string): Promise<() => Promise<void>> {
  const file = join(dataDir, 'server.pid');
  const draft = `${file}.${process.pid}`;
  try {
    await mkdir(dataDir, { recursive: true });
    await writeFile(draft, `${process.pid} ${(await startOf(process.pid)) ?? ''}`, { mode: 0o600 });
    for (let attempt = 0; ; attempt += 1) {
      try {
        // Written whole before it stands there: a claim without a number would be taken for a left-over.
        await link(draft, file);
        return () => rm(file, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3) throw error;
        const holder = await holderOf(file);
        if (holder !== null)
          throw new StartError(
            `REEL_DATA_DIR: expected a folder that no other Reel uses, got ${dataDir}, in use by process ${holder}`,
          );
        await rm(file, { force: true });
      }
    }
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(
      `REEL_DATA_DIR: expected a folder that can be written, got ${dataDir}: ${(error as Error).message}`,
    );
  } finally {
    await rm(draft, { force: true }).catch(() => {});
  }
}

/** The process that holds the claim; null where it is gone, its number perhaps another's by now. */
async function holderOf(file: string): Promise<number | null> {
  const [pid = '', start = ''] = (await readFile(file, 'utf8').catch(() => '')).split(' ');
  const holder = Number(pid);
  if (!(holder > 0) || holder === process.pid || !exists(holder)) return null;
  const found = await startOf(holder);
  return found === null || found === start ? holder : null;
}

/** When a process was started, in a unit of the system's own, where it tells; `ended` where nobody asked for its exit code yet. */
async function startOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  // proc_pid_stat(5): fields 3 and 22; the second, the command's name in brackets, may hold blanks and brackets itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? 'ended' : (fields[19] ?? null);
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether a process of that number runs and, where the system tells, its command line has this in it: numbers are used again. */
export async function isRunning(pid: number, word: string): Promise<boolean> {
  if (!exists(pid)) return false;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  return commandLine === null ? process.platform !== 'linux' : commandLine.includes(word);
}
