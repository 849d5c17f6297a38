import { sql } from 'kysely';
import type { Execute, Row } from '../../database/execute.js';
import { instant } from '../../log/entry/instant.js';
import { OWN_MODULE } from '../../log/entry/module-name.js';
import { idFloor } from '../../log/filter/where.js';
import { type Hold, readHolds } from '../../log/retention/hold.js';
import { OWN_ACTIONS } from '../../log/retention/own-actions.js';
import type { Report } from '../fault.js';
import { sequenceAfter } from './sequence-rows.js';

/** An entry of the log that records that a hold was added or released. */
interface HoldRecord {
  holdId: string;
  isRelease: boolean;
  at: string;
  sequence: number;
  data: Record<string, unknown>;
}

interface RecordRow extends Row {
  action: string;
  resource_id: string | null;
  created_at: string;
  data: string | null;
  seq: string | null;
}

/**
 * Compares each hold with the entries that record it, which cleanup spares as long as the hold exists. `next`: reported as
 * the sequence of entries that have none yet.
 */
export async function verifyHolds(
  execute: Execute,
  tenantId: string,
  next: number,
  report: Report,
): Promise<void> {
  const records = await readRecords(execute, tenantId, next);
  const added = new Map(records.filter((each) => !each.isRelease).map((each) => [each.holdId, each]));
  const released = new Map(records.filter((each) => each.isRelease).map((each) => [each.holdId, each]));
  for (const hold of await readHolds(execute, tenantId)) {
    const [addition, release] = [added.get(hold.id), released.get(hold.id)];
    added.delete(hold.id);
    released.delete(hold.id);
    if (!addition && !release) {
      const sequence = await sequenceFrom(execute, tenantId, hold.createdAt, next);
      report({ kind: 'extra', sequence, detail: `hold ${hold.id}: no entry records that it was added` });
      continue;
    }
    for (const { sequence, problems } of differences(hold, addition, release))
      report({ kind: 'changed', sequence, detail: `hold ${hold.id}: ${problems.join('; ')}` });
  }
  for (const { holdId, sequence } of new Map([...released, ...added]).values())
    report({ kind: 'missing', sequence, detail: `hold ${holdId}, which this entry records, is missing` });
}

async function readRecords(execute: Execute, tenantId: string, next: number): Promise<HoldRecord[]> {
  const rows = await execute<RecordRow>(sql`
    select e.action, e.resource_id, e.created_at::text as created_at, e.data::text as data,
      (select s.seq from reel_log_sequence s where s.tenant_id = ${tenantId}::uuid and s.entry_id = e.id) as seq
    from reel_log_entries e
    where e.tenant_id = ${tenantId}::uuid and e.module = ${OWN_MODULE} and e.action in (${OWN_ACTIONS.hold}, ${OWN_ACTIONS.release})
    order by e.id`);
  return rows.map((row) => ({
    holdId: row.resource_id ?? '',
    isRelease: row.action === OWN_ACTIONS.release,
    at: instant(row.created_at),
    sequence: row.seq === null ? next : Number(row.seq),
    data: JSON.parse(row.data ?? '{}') ?? {},
  }));
}

const TERMS = ['reason', 'from', 'to', 'actorId'] as const;

function differences(
  hold: Hold,
  addition: HoldRecord | undefined,
  release: HoldRecord | undefined,
): { sequence: number; problems: string[] }[] {
  const found: { sequence: number; problems: string[] }[] = [];
  if (addition) {
    const problems = termProblems(hold, addition);
    if (hold.createdAt !== addition.at) problems.push(expected('created_at', addition.at, hold.createdAt));
    if (hold.releasedAt !== null && !release)
      problems.push(`released_at is ${hold.releasedAt}, but no entry records a release`);
    found.push({ sequence: addition.sequence, problems });
  }
  if (release) {
    const problems = termProblems(hold, release);
    const { addedAt } = release.data;
    if (hold.createdAt !== addedAt) problems.push(expected('created_at', addedAt, hold.createdAt));
    if (hold.releasedAt !== release.at) problems.push(expected('released_at', release.at, hold.releasedAt));
    if (!addition) problems.push('no entry records that it was added');
    found.push({ sequence: release.sequence, problems });
  }
  return found.filter(({ problems }) => problems.length > 0);
}

const termProblems = (hold: Hold, { data }: HoldRecord): string[] =>
  TERMS.filter((term) => hold[term] !== (data[term] ?? null)).map((term) =>
    expected(term, data[term] ?? null, hold[term]),
  );

const expected = (what: string, recorded: unknown, got: unknown): string =>
  `${what}: expected ${JSON.stringify(recorded)}, got ${JSON.stringify(got)}`;

/** The lowest sequence of an entry from an instant on. */
async function sequenceFrom(execute: Execute, tenantId: string, at: string, next: number): Promise<number> {
  return Number.isNaN(Date.parse(at)) ? next : sequenceAfter(execute, tenantId, idFloor(at), next);
}
