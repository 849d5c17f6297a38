import { readdirSync, readFileSync } from 'node:fs';
import type pg from 'pg';

/** CPU time of one thread of a process, by itself its first, in microseconds (proc_pid_schedstat, in nanoseconds); 0 once it has ended. */
export function microsecondsOf(pid: number, thread = pid): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1_000;
  } catch {
    return 0;
  }
}

/** The processes of a database's server, but for its first. */
async function backends(sql: pg.Pool): Promise<number[]> {
  const { rows } = await sql.query('select pg_backend_pid() as pid');
  const first = parentOf(rows[0].pid as number);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === first);
}

/** proc_pid_stat(5): ppid. */
function parentOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return null;
  }
}

/** What work takes of the CPU, in microseconds: of the process that is called, its threads included, and of the database's processes. */
export async function processorTime(
  pid: number,
  sql: pg.Pool,
  work: () => Promise<void>,
): Promise<{ server: number; database: number }> {
  const pids = await backends(sql);
  const threads = readdirSync(`/proc/${pid}/task`).map(Number);
  const used = () => ({
    server: threads.reduce((sum, thread) => sum + microsecondsOf(pid, thread), 0),
    database: pids.reduce((sum, each) => sum + microsecondsOf(each), 0),
  });
  const before = used();
  await work();
  const after = used();
  return { server: after.server - before.server, database: after.database - before.database };
}
