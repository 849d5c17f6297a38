import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestDatabase } from './postgres.js';
import { refuseUnhandled } from './process.ts';

const REEL = join(resolve(import.meta.dirname, '..', '..'), 'dist', 'cli', 'reel.js');

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

/** Starts the built `reel …` with only these settings. */
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

export const runCommand = (
  args: readonly string[],
  settings: Record<string, string> = {},
): Promise<CommandResult> => startCommand(args, settings).ended;

export const settingsOf = ({ ownerUrl, runtimeUrl }: TestDatabase) => ({
  REEL_DATABASE_URL: runtimeUrl,
  REEL_MIGRATE_URL: ownerUrl,
});

/** Stored counts that differ from those of the entries, of all tenants; expected to be none. */
export const wrongCounts = (own: Pick<TestDatabase, 'query'>) =>
  own.query(`
    with stored as (
      select tenant_id, span, bucket, client_id, module, severity, count from reel_log_counts
    ), real as (
      select e.tenant_id, s.span, date_bin(make_interval(mins => s.span), e.created_at, timestamptz 'epoch') as bucket,
        e.client_id, e.module, e.severity, count(*) as count
      from reel_log_entries e cross join unnest(array[15, 1440, 23040]::smallint[]) s(span)
      where not exists (select from reel_log_inbox i where i.tenant_id = e.tenant_id and i.entry_id = e.id)
      group by 1, 2, 3, 4, 5, 6
    )
    (select 'stored' as side, * from stored except all select 'stored', * from real)
    union all (select 'real', * from real except all select 'real', * from stored)`);
