import { sql } from 'kysely';
import type { Execute } from '../../database/execute.js';
import { integerArray } from '../../log/search/grams.js';
import { GROUP_WIDTH, gramsOf } from '../../log/search/groups.js';
import type { Report } from '../fault.js';

/** Rows whose entries are read and computed together. */
const PAGE = 64;

/**
 * Checks that the search index has one row after another from sequence 1 on, as far as it goes: what it does not have yet
 * is looked at entry by entry. With `grams`, computes each from what its entries show as well, which takes longer than
 * everything else.
 */
export async function verifySearchGroups(
  execute: Execute,
  tenantId: string,
  size: number,
  grams: boolean,
  report: Report,
): Promise<void> {
  const [misplaced] = await execute<{ first_seq: string; expected: string }>(sql`
    select first_seq, expected from (
      select first_seq, 1 + ${GROUP_WIDTH}::bigint * (row_number() over (order by first_seq) - 1) as expected
      from reel_log_search where tenant_id = ${tenantId}::uuid
    ) g where first_seq <> expected or expected > ${size - GROUP_WIDTH + 1} order by expected limit 1`);
  const end = misplaced ? Number(misplaced.expected) : Number.POSITIVE_INFINITY;
  if (misplaced) {
    const isPastEnd = end > size - GROUP_WIDTH + 1;
    const expected = isPastEnd ? 'no further row' : `the row of sequence ${end}`;
    report({
      kind: 'changed',
      sequence: Math.max(1, Math.min(end, size)),
      detail: `the search index: expected ${expected}, got that of sequence ${misplaced.first_seq}`,
    });
  }
  if (grams) await verifyGrams(execute, tenantId, end, report);
}

/** Up to the first row that is not where it belongs. */
async function verifyGrams(execute: Execute, tenantId: string, end: number, report: Report): Promise<void> {
  for (let after = 0; ; ) {
    // As array_send writes it, which tells apart all that an integer[] can be.
    const rows = await execute<{ first_seq: string; grams: Buffer }>(sql`
      select first_seq, array_send(grams::integer[]) as grams from reel_log_search
      where tenant_id = ${tenantId}::uuid and first_seq > ${after} order by first_seq limit ${PAGE}`);
    const firsts = rows.map((row) => Number(row.first_seq)).filter((first) => first < end);
    if (firsts.length === 0) return;
    const expected = await gramsOf(execute, tenantId, firsts);
    for (const [index, first] of firsts.entries())
      if (!integerArray(expected[index]!).equals(rows[index]!.grams))
        report({
          kind: 'changed',
          sequence: first,
          detail: `the search index of sequences ${first} to ${first + GROUP_WIDTH - 1} does not match what their entries show`,
        });
    after = firsts.at(-1)!;
  }
}
