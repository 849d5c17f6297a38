import { AsyncLocalStorage } from 'node:async_hooks';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { TestDatabase } from './postgres.js';
import { refuseUnhandled } from './process.ts';

const BUILT = join(resolve(import.meta.dirname, '..', '..'), 'dist');
const REEL = join(BUILT, 'cli', 'reel.js');

/** The built modules, loaded by Node itself. */
const require = createRequire(import.meta.url);
const built = () => ({
  ...(require(join(BUILT, 'config', 'config.js')) as typeof import('../../src/config/config.js')),
  ...(require(join(BUILT, 'cli', 'context.js')) as typeof import('../../src/cli/context.js')),
  ...(require(join(BUILT, 'cli', 'program.js')) as typeof import('../../src/cli/program.js')),
});

/** Where commands store generated secrets. */
const dataDir = mkdtempSync(join(tmpdir(), 'reel-cli-data-'));
process.once('exit', () => rmSync(dataDir, { recursive: true, force: true }));

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunningCommand {
  child: ChildProcess;
  ended: Promise<CommandResult>;
}

/** Starts the built `reel …` with only these settings, as a process of its own. */
export function startCommand(args: readonly string[], settings: Record<string, string> = {}): RunningCommand {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith('REEL_'));
  const child = spawn(process.execPath, [REEL, ...args], {
    env: { ...Object.fromEntries(others), REEL_DATA_DIR: dataDir, ...settings },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<CommandResult>((done, fail) => {
    child.once('error', fail);
    child.once('close', (code) => {
      try {
        refuseUnhandled(stderr);
        done({ code, stdout, stderr });
      } catch (error) {
        fail(error);
      }
    });
  });
  return { child, ended };
}

/**
 * Runs the built `reel …` with only these settings in this process, as dist/cli/reel.js does: starting one costs more than
 * most commands do. For what only a process shows, such as signals, there is `startCommand`.
 */
export async function runCommand(
  args: readonly string[],
  settings: Record<string, string> = {},
): Promise<CommandResult> {
  const { readConfig, readRemote, createContext, createProgram, exitCodeOf } = built();
  const env = { REEL_DATA_DIR: dataDir, ...settings };
  const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  const code = await written.run(output, async () => {
    const listening = process.stdout.listeners('error');
    const context = createContext({
      config: (reader: 'server' | 'command' = 'command') => readConfig(env, reader),
      remote: () => readRemote(env),
    });
    // It would end this process where a reader closes the pipe, which none can.
    for (const listener of process.stdout.listeners('error'))
      if (!listening.includes(listener)) process.stdout.off('error', listener as () => void);
    const program = await createProgram(context, args[0]);
    try {
      await program.parseAsync(args, { from: 'user' });
      return 0;
    } catch (error) {
      return exitCodeOf(error);
    }
  });
  const text = (chunks: Uint8Array[]) => Buffer.concat(chunks).toString('utf8');
  return { code, stdout: text(output.stdout), stderr: text(output.stderr) };
}

/** What the command that is running here writes. */
const written = new AsyncLocalStorage<Record<'stdout' | 'stderr', Uint8Array[]>>();

for (const name of ['stdout', 'stderr'] as const) {
  const stream = process[name];
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  stream.write = (chunk: string | Uint8Array, ...more: unknown[]): boolean => {
    const output = written.getStore();
    if (output === undefined) return write(chunk, ...more);
    output[name].push(typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk));
    const done = more.findLast((value) => typeof value === 'function') as (() => void) | undefined;
    if (done) process.nextTick(done);
    return true;
  };
}

export const settingsOf = ({ ownerUrl, runtimeUrl }: TestDatabase) => ({
  REEL_DATABASE_URL: runtimeUrl,
  REEL_MIGRATE_URL: ownerUrl,
});

/** Waits until no entry is about to be as many days old as tests clean up at, between their count of what is due and the command. */
export async function noneComesOfAge(own: Pick<TestDatabase, 'query'>): Promise<void> {
  const statement = `select from reel_log_entries, unnest(array[1, 10, 20, 50]) days
    where created_at - now() + make_interval(days => days) between interval '0' and interval '15 seconds'`;
  while ((await own.query(statement)).length > 0) await setTimeout(500);
}

/** Stored counts that differ from those of the entries, of all tenants; expected to be none. */
export const wrongCounts = async (own: Pick<TestDatabase, 'query'>) => [
  ...(await own.query(`
    with stored as (
      select tenant_id, span, bucket, nullif(client_id, '00000000-0000-0000-0000-000000000000') as client_id, module, severity, count
      from reel_log_counts
    ), real as (
      select e.tenant_id, s.span, date_bin(make_interval(mins => s.span), e.created_at, timestamptz 'epoch') as bucket,
        e.client_id, e.module, e.severity, count(*) as count
      from reel_log_entries e cross join unnest(array[15, 1440, 23040]::smallint[]) s(span)
      where not exists (select from reel_log_inbox i where i.tenant_id = e.tenant_id and i.entry_id = e.id)
      group by 1, 2, 3, 4, 5, 6
    )
    (select 'stored' as side, * from stored except all select 'stored', * from real)
    union all (select 'real', * from real except all select 'real', * from stored)`)),
  ...(await own.query(`
    with real as (
      select tenant_id, span, bucket, severity, sum(count)::bigint as count from reel_log_counts group by 1, 2, 3, 4
    )
    (select 'stored' as side, * from reel_log_severity_counts except all select 'stored', * from real)
    union all (select 'real', * from real except all select 'real', * from reel_log_severity_counts)`)),
  ...(await own.query(`
    with real as (
      select e.tenant_id, s.span, date_bin(make_interval(mins => s.span), e.created_at, timestamptz 'epoch') as bucket,
        coalesce(e.client_id, '00000000-0000-0000-0000-000000000000') as client_id, e.module, e.action, e.severity, count(*) as count
      from reel_log_entries e cross join unnest(array[1440, 23040]::smallint[]) s(span)
      where not exists (select from reel_log_inbox i where i.tenant_id = e.tenant_id and i.entry_id = e.id)
      group by 1, 2, 3, 4, 5, 6, 7
    )
    (select 'stored' as side, * from reel_log_action_counts except all select 'stored', * from real)
    union all (select 'real', * from real except all select 'real', * from reel_log_action_counts)`)),
  ...(await own.query(`
    with real as (
      select e.tenant_id, s.span, date_bin(make_interval(mins => s.span), e.created_at, timestamptz 'epoch') as bucket,
        coalesce(e.client_id, '00000000-0000-0000-0000-000000000000') as client_id,
        coalesce(e.actor_id, e.actor_email_folded, e.actor_name, '') as value,
        (case when e.actor_id is not null then 0 when e.actor_email_folded is not null then 1
          when e.actor_name is not null then 2 else -1 end)::smallint as kind, count(*) as count
      from reel_log_entries e cross join unnest(array[1440, 23040]::smallint[]) s(span)
      where not exists (select from reel_log_inbox i where i.tenant_id = e.tenant_id and i.entry_id = e.id)
      group by 1, 2, 3, 4, 5, 6
    )
    (select 'stored' as side, * from reel_log_actor_counts except all select 'stored', * from real)
    union all (select 'real', * from real except all select 'real', * from reel_log_actor_counts)`)),
];
