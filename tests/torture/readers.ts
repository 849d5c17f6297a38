/** Readers, who must see what was acknowledged before they asked, in positions that never change. */
import { setTimeout } from 'node:timers/promises';
import type { Random } from './built.ts';
import { call, graphql, TryAgain } from './calls.ts';
import type { Fleet } from './fleet.ts';
import type { Ledger } from './ledger.ts';
import type { Tenant } from './tenants.ts';

export interface Reading {
  fleet: Fleet;
  ledger: Ledger;
  tenants: readonly Tenant[];
  signal: AbortSignal;
}

interface Entry {
  id: string;
  sequence: number | null;
}

type Look = (url: string, tenant: Tenant, ledger: Ledger, random: Random) => Promise<void>;

const newestByGraphql: Look = async (url, tenant, ledger) => {
  const query = '{ logs(first: 100) { nodes { id sequence } } }';
  const { logs } = await graphql(url, tenant.person, query);
  place(ledger, tenant, logs.nodes);
};

const pageByRest: Look = async (url, tenant, ledger, random) => {
  const path = `${url}/api/v1/reel/logs?page_size=50&page=${random.integer(1, 8)}`;
  const { status, body } = await call(path, tenant.person);
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body).slice(0, 300)}`);
  place(ledger, tenant, body.items);
};

/** By cursor, oldest first, from anywhere. */
const walk: Look = async (url, tenant, ledger, random) => {
  const query =
    'query ($after: String) { logs(first: 100, after: $after, orderBy: OLDEST_FIRST) { nodes { id sequence } pageInfo { endCursor hasNextPage } } }';
  let after: string | null = null;
  for (let page = random.integer(1, 4); page > 0; page -= 1) {
    const { logs } = await graphql(url, tenant.person, query, { after });
    place(ledger, tenant, [...logs.nodes].reverse());
    after = logs.pageInfo.endCursor;
    if (!logs.pageInfo.hasNextPage) return;
  }
};

/** Each server must see at once what either has acknowledged. */
const oneByOne: Look = async (url, tenant, ledger) => {
  for (const { id, key } of ledger.of(tenant.id).slice(-3)) {
    const query = 'query ($id: UUID!) { log(id: $id) { id resourceId sequence } }';
    const { log } = await graphql(url, tenant.person, query, { id });
    if (log?.resourceId !== key)
      ledger.fault(`${key} was acknowledged as ${id} and then read as ${JSON.stringify(log)}`);
    else place(ledger, tenant, [log]);
  }
};

const statistics: Look = async (url, tenant, ledger) => {
  const known = ledger.of(tenant.id).length;
  const { logStats } = await graphql(url, tenant.person, '{ logStats { totalEntries precision } }');
  if (logStats.precision === 'EXACT' && logStats.totalEntries < known)
    ledger.fault(`${tenant.name}: ${known} were acknowledged and then ${logStats.totalEntries} counted`);
};

const LOOKS: readonly Look[] = [newestByGraphql, pageByRest, walk, oneByOne, oneByOne, statistics];

/** So many looks, or fewer where it is told to stop. */
export async function read(
  { fleet, ledger, tenants, signal }: Reading,
  looks: number,
  random: Random,
): Promise<void> {
  for (let number = 0; number < looks && !signal.aborted; number += 1) {
    const url = fleet.pick(random);
    const [look, tenant] = [random.pick(LOOKS), random.pick(tenants)];
    try {
      if (url !== null) await look(url, tenant, ledger, random);
    } catch (error) {
      if (!(error instanceof TryAgain)) ledger.fault(`reading ${tenant.name}: ${error}`);
    }
    await setTimeout(20 + 200 * random.fraction());
  }
}

/** A page, newest first: each entry once, ids falling, and so the positions of those that have one. */
function place(ledger: Ledger, tenant: Tenant, page: readonly Entry[]): void {
  for (const [index, { id, sequence }] of page.entries()) {
    if (index > 0 && page[index - 1]!.id <= id)
      ledger.fault(`${tenant.name}: ${id} stands after ${page[index - 1]!.id} on a page, newest first`);
    if (sequence !== null) ledger.place(tenant.id, id, sequence);
  }
}
