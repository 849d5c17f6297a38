import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const PREFIX = 'reel-hosts-';
/** In a run's folder: the id of its process. */
const RUN = 'run.pid';
/** Of the database, in a run's folder. */
const POSTMASTER = join('cluster', 'postgres', 'data', 'postmaster.pid');
const STOP_MS = 30_000;

/** A folder for all that a run makes, its database included, by which a later run finds what was left behind. */
export async function openScratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), PREFIX));
  // PostgreSQL runs as another user.
  await chmod(folder, 0o755);
  await writeFile(join(folder, RUN), String(process.pid));
  return folder;
}

/** Ends the databases of runs that were killed, and removes their folders, which it returns. */
export async function removeLeftBehind(): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(tmpdir(), name);
    const run = await numberIn(join(folder, RUN));
    // Without the file it is not a run's, or not yet.
    if (run === null || isThere(run)) continue;
    await stopDatabase(folder);
    await rm(folder, { recursive: true, force: true });
    removed.push(folder);
  }
  return removed;
}

/** At once, since nobody needs its data any more. */
async function stopDatabase(folder: string): Promise<void> {
  const postmaster = await numberIn(join(folder, POSTMASTER));
  if (postmaster === null) return;
  // The id may be another process' by now.
  const command = await readFile(`/proc/${postmaster}/cmdline`, 'utf8').catch(() => '');
  if (!command.includes(folder)) return;
  process.kill(postmaster, 'SIGQUIT');
  const until = Date.now() + STOP_MS;
  while (isThere(postmaster)) {
    if (Date.now() > until)
      throw new Error(`expected the database in ${folder} to end, got process ${postmaster} still`);
    await pause(50);
  }
}

async function numberIn(file: string): Promise<number | null> {
  const [line = ''] = (await readFile(file, 'utf8').catch(() => '')).split('\n');
  return /^\d+$/.test(line) ? Number(line) : null;
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
