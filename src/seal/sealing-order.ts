/** A tenant with entries to seal. */
export interface WaitingLog {
  tenantId: string;
  /** When the oldest of them was accepted, in milliseconds since the epoch. */
  oldestAt: number;
  /** How many there are; counted no further than FAR. */
  entries: number;
}

/** A tenant's turn: at most so many of its oldest entries. */
export interface Take {
  tenantId: string;
  most: number;
}

/** Entries of one turn, at most, and where others wait, who are not to wait long for its end. */
export const MOST_OF_A_TURN = 5_000;
const MOST_BESIDE_OTHERS = 2_500;
/** Tenants with up to so many entries are sealed together, in one transaction. */
const FEW = 500;
/** How far a tenant's entries are counted. */
export const FAR = FEW + 1;
/** Tenants of one transaction. */
const TOGETHER = 256;
/** Entries of all tenants' turns in a round, unless that leaves each less than LEAST: about what is sealed in two seconds. */
const ROUND = 50_000;
const LEAST = 16;

/**
 * Who is sealed next, in groups of one transaction each: those first whose oldest entry waits longest, or, if a tenant had
 * a turn since that entry came (`servedAt`), whose turn is longest ago. So each tenant has a turn in each round, and the
 * more of them there are the fewer entries it takes: nobody waits for another's backlog.
 */
export function sealingOrder(
  waiting: readonly WaitingLog[],
  servedAt: ReadonlyMap<string, number>,
): Take[][] {
  const share = shareOf(waiting.length);
  const since = ({ tenantId, oldestAt }: WaitingLog) => Math.max(oldestAt, servedAt.get(tenantId) ?? 0);
  const groups: Take[][] = [];
  let [open, size]: [Take[] | null, number] = [null, 0];
  for (const { tenantId, entries } of waiting.toSorted((a, b) => since(a) - since(b))) {
    const most = Math.min(share, entries > FEW ? MOST_OF_A_TURN : Math.max(entries, LEAST));
    if (most > FEW) {
      groups.push([{ tenantId, most }]);
      continue;
    }
    if (open === null || open.length === TOGETHER || size + most > MOST_OF_A_TURN) {
      [open, size] = [[], 0];
      groups.push(open);
    }
    open.push({ tenantId, most });
    size += most;
  }
  return groups;
}

function shareOf(tenants: number): number {
  if (tenants <= 1) return MOST_OF_A_TURN;
  return Math.min(MOST_BESIDE_OTHERS, Math.max(LEAST, Math.floor(ROUND / tenants)));
}
