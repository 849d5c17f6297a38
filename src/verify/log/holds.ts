import { sql } from 'kysely';
import type { Row, Run } from '../../database/run.js';
import { instant } from '../../log/entry/instant.js';
import { OWN_MODULE } from '../../log/entry/module-name.js';
import { idFloor } from '../../log/filter/where.js';
import { type Hold, readHolds } from '../../log/retention/hold.js';
import { OWN_ACTIONS } from '../../log/retention/own-actions.js';
import type { Report } from '../fault.js';
import { placeBefore } from './stored-order.js';

/** What the trail says of a hold that was added or released. */
interface HoldAccount {
  holdId: string;
  isRelease: boolean;
  at: string;
  sequence: number;
  said: Record<string, unknown>;
}

interface AccountRow extends Row {
  action: string;
  resource_id: string | null;
  created_at: string;
  said: string | null;
  seq: string | null;
}

/**
 * Compares each hold with the trail's own accounts of it, which cleanup leaves as long as there is the hold; `next` is
 * the place of entries that have none yet.
 */
export async function verifyHolds(run: Run, tenantId: string, next: number, report: Report): Promise<void> {
  const accounts = await readAccounts(run, tenantId, next);
  const added = new Map(accounts.filter((each) => !each.isRelease).map((each) => [each.holdId, each]));
  const released = new Map(accounts.filter((each) => each.isRelease).map((each) => [each.holdId, each]));
  for (const hold of await readHolds(run, tenantId)) {
    const [addition, release] = [added.get(hold.id), released.get(hold.id)];
    added.delete(hold.id);
    released.delete(hold.id);
    if (!addition && !release) {
      const sequence = await placeAfter(run, tenantId, hold.createdAt, next);
      report({ kind: 'extra', sequence, detail: `hold ${hold.id}: no entry says that it was added` });
      continue;
    }
    for (const { sequence, wrong } of differences(hold, addition, release))
      report({ kind: 'changed', sequence, detail: `hold ${hold.id}: ${wrong.join('; ')}` });
  }
  for (const { holdId, sequence } of new Map([...released, ...added]).values())
    report({ kind: 'missing', sequence, detail: `hold ${holdId}, which this entry tells of, is gone` });
}

async function readAccounts(run: Run, tenantId: string, next: number): Promise<HoldAccount[]> {
  const rows = await run<AccountRow>(sql`
    select e.action, e.resource_id, e.created_at::text as created_at, e.data::text as said,
      (select s.seq from reel_log_sequence s where s.tenant_id = e.tenant_id and s.entry_id = e.id) as seq
    from reel_log_entries e
    where e.tenant_id = ${tenantId}::uuid and e.module = ${OWN_MODULE} and e.action in (${OWN_ACTIONS.hold}, ${OWN_ACTIONS.release})
    order by e.id`);
  return rows.map((row) => ({
    holdId: row.resource_id ?? '',
    isRelease: row.action === OWN_ACTIONS.release,
    at: instant(row.created_at),
    sequence: row.seq === null ? next : Number(row.seq),
    said: JSON.parse(row.said ?? '{}') ?? {},
  }));
}

const TERMS = ['reason', 'from', 'to', 'actorId'] as const;

function differences(
  hold: Hold,
  addition: HoldAccount | undefined,
  release: HoldAccount | undefined,
): { sequence: number; wrong: string[] }[] {
  const found: { sequence: number; wrong: string[] }[] = [];
  if (addition) {
    const wrong: string[] = TERMS.filter((term) => hold[term] !== (addition.said[term] ?? null));
    if (hold.createdAt !== addition.at) wrong.push('when it was added');
    if (hold.releasedAt !== null && !release) wrong.push('no entry says that it was released; the hold does');
    found.push({ sequence: addition.sequence, wrong });
  }
  if (release) {
    const wrong: string[] = TERMS.filter((term) => hold[term] !== (release.said[term] ?? null));
    if (hold.createdAt !== release.said.addedAt) wrong.push('when it was added');
    if (hold.releasedAt !== release.at) wrong.push('when it was released');
    if (!addition) wrong.push('no entry says that it was added');
    found.push({ sequence: release.sequence, wrong });
  }
  return found.filter(({ wrong }) => wrong.length > 0);
}

/** The place of the first entry after an instant. */
async function placeAfter(run: Run, tenantId: string, at: string, next: number): Promise<number> {
  return Number.isNaN(Date.parse(at)) ? next : placeBefore(run, tenantId, idFloor(at), next);
}
