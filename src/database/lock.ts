import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../errors.js';

/**
 * Claims the data directory for this process, so that two servers never run one embedded database. A claim whose
 * process is gone (killed, or before a restart of the machine) is taken over. Resolves to the release.
 */
export async function lockDataDir(dataDir: string): Promise<() => Promise<void>> {
  await mkdir(dataDir, { recursive: true });
  const file = join(dataDir, 'server.pid');
  for (let attempt = 0; ; attempt += 1) {
    try {
      const handle = await open(file, 'wx', 0o600);
      await handle.writeFile(String(process.pid));
      await handle.close();
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3)
        throw new StartError(
          `REEL_DATA_DIR: expected a folder that can be written, got ${dataDir}: ${(error as Error).message}`,
        );
      const holder = Number(await readFile(file, 'utf8').catch(() => ''));
      if (holder > 0 && holder !== process.pid && (await isRunning(holder, 'node')))
        throw new StartError(
          `REEL_DATA_DIR: expected a folder that no other Reel uses, got ${dataDir}, in use by process ${holder}`,
        );
      await rm(file, { force: true });
    }
  }
}

/** Whether a process of that number runs and, where the system tells, is of that program: numbers are used again. */
export async function isRunning(pid: number, program: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  return commandLine === null ? process.platform !== 'linux' : commandLine.includes(program);
}
