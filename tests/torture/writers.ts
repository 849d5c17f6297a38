/** Every way in, each with idempotency keys, and calls made again under the same keys until they are answered. */
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Random } from './built.ts';
import { call, graphql, isForNow, TryAgain, Unexpected } from './calls.ts';
import type { Fleet } from './fleet.ts';
import type { Host } from './host.ts';
import type { Ledger, Sent } from './ledger.ts';
import type { Tenant } from './tenants.ts';

const REST = '/api/v1/reel/logs';
/** Far more than budgets.md allows for a recovery, and the machine may be busy. */
const GIVE_UP_MS = 300_000;
const MODULES = ['guardian', 'billing', 'ledger', 'mentor'];
const SEVERITIES = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'];

interface Caller {
  url: string;
  module: string;
  person: string;
  host: Host;
}

/** The ids in the order sent; null for what is to be sent again. Errors: TryAgain, Unexpected. */
type Send = (caller: Caller, sent: readonly Sent[]) => Promise<(string | null)[]>;

interface Way {
  name: string;
  weight: number;
  /** Entries a call at most. */
  most: number;
  /** A person's identity and tenant are those of the credential. */
  byPerson?: true;
  withHostRow?: true;
  send: Send;
}

const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const inputOf = ({ key, tenantId, fields }: Sent, isPerson = false) => ({
  ...Object.fromEntries(Object.entries(fields).map(([name, value]) => [camel(name), value])),
  ...(isPerson ? {} : { tenantId }),
  idempotencyKey: key,
});
const entryOf = ({ key, tenantId, fields }: Sent) => ({
  ...fields,
  tenant_id: tenantId,
  idempotency_key: key,
});

function idsOf(results: readonly { entry?: { id: string } | null; code?: string | number }[]) {
  return results.map((result) => {
    if (result.entry) return result.entry.id;
    if (isForNow(result.code)) return null;
    throw new Unexpected(JSON.stringify(result).slice(0, 500));
  });
}

const createByGraphql =
  (isPerson: boolean): Send =>
  async ({ url, module, person }, [sent]) => {
    const query = 'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }';
    const token = isPerson ? person : module;
    const { createLog } = await graphql(url, token, query, { input: inputOf(sent!, isPerson) });
    return [createLog.id];
  };

const createByRest =
  (isPerson: boolean): Send =>
  async ({ url, module, person }, [sent]) => {
    const { key, tenantId, fields } = sent!;
    const { status, body } = await call(`${url}${REST}`, isPerson ? person : module, {
      method: 'POST',
      headers: { 'idempotency-key': key },
      body: JSON.stringify(isPerson ? fields : { ...fields, tenant_id: tenantId }),
    });
    if (status !== 201) throw new Unexpected(`${status} ${JSON.stringify(body).slice(0, 500)}`);
    return [body.id];
  };

const batch =
  (
    bodyOf: (sent: readonly Sent[]) => string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string>,
  ): Send =>
  async ({ url, module }, sent) => {
    const { status, body } = await call(`${url}${REST}/batch`, module, {
      method: 'POST',
      headers,
      body: bodyOf(sent),
    });
    if (status !== 200) throw new Unexpected(`${status} ${JSON.stringify(body).slice(0, 500)}`);
    const results = body.results as { status: number; detail?: unknown; entry?: { id: string } }[];
    return idsOf(results.map((result) => ({ ...result, code: result.status })));
  };
const jsonBatch = (sent: readonly Sent[]) => JSON.stringify({ entries: sent.map(entryOf) });

const WAYS: readonly Way[] = [
  { name: 'createLog', weight: 3, most: 1, send: createByGraphql(false) },
  { name: "createLog, a person's", weight: 2, most: 1, byPerson: true, send: createByGraphql(true) },
  {
    name: 'createLogs',
    weight: 3,
    most: 20,
    send: async ({ url, module }, sent) => {
      const query = 'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }';
      const { createLogs } = await graphql(url, module, query, { inputs: sent.map((each) => inputOf(each)) });
      return createLogs.map(({ id }: { id: string }) => id);
    },
  },
  {
    name: 'writeLogs',
    weight: 3,
    most: 20,
    send: async ({ url, module }, sent) => {
      const query =
        'mutation ($inputs: [CreateLogInput!]!) { writeLogs(inputs: $inputs) { entry { id } code message } }';
      const { writeLogs } = await graphql(url, module, query, { inputs: sent.map((each) => inputOf(each)) });
      return idsOf(writeLogs);
    },
  },
  { name: 'POST /logs', weight: 3, most: 1, send: createByRest(false) },
  { name: "POST /logs, a person's", weight: 2, most: 1, byPerson: true, send: createByRest(true) },
  { name: 'POST /logs/batch', weight: 2, most: 20, send: batch(jsonBatch, {}) },
  {
    name: 'POST /logs/batch, NDJSON',
    weight: 2,
    most: 20,
    send: batch((sent) => sent.map((each) => JSON.stringify(entryOf(each))).join('\n'), {
      'content-type': 'application/x-ndjson',
    }),
  },
  {
    name: 'POST /logs/batch, gzip',
    weight: 2,
    most: 20,
    send: batch((sent) => gzipSync(jsonBatch(sent)), { 'content-encoding': 'gzip' }),
  },
  {
    name: 'ReelService.writeLogs',
    weight: 2,
    most: 20,
    send: async ({ host }, sent) => host.writeLogs(sent.map((each) => inputOf(each))),
  },
  {
    name: "ReelService.log in a host's transaction",
    weight: 2,
    most: 3,
    withHostRow: true,
    send: async ({ host }, sent) => host.act(sent.map((each) => inputOf(each))),
  },
];
const WEIGHTS = WAYS.flatMap((way) => Array<Way>(way.weight).fill(way));

export interface Writing {
  fleet: Fleet;
  host: Host;
  ledger: Ledger;
  tenants: readonly Tenant[];
  module: string;
  /** Called after each answered call. */
  onCall: () => void;
}

/** One writer: so many calls one after the other, each until it is answered. `name` is unique in the run. */
export async function write(writing: Writing, name: string, calls: number, random: Random): Promise<void> {
  let last: (() => Promise<void>) | null = null;
  for (let number = 0; number < calls; number += 1) {
    const way = random.pick(WEIGHTS);
    const tenant = random.pick(writing.tenants);
    const count = way.most === 1 ? 1 : random.integer(1, way.most);
    const sent = Array.from({ length: count }, (_, index) =>
      entryFor(way, tenant, `${name}-${number}-${index}`, random),
    );
    const answered = () => untilAnswered(writing, way, tenant, sent, random);
    // Both servers at once with the same keys, or an earlier call again: each entry is stored once all the same.
    if (random.chance(0.05)) await Promise.all([answered(), answered()]);
    else await answered();
    if (last !== null && random.chance(0.04)) await last();
    last = answered;
    writing.onCall();
  }
}

async function untilAnswered(
  { fleet, host, ledger, module }: Writing,
  way: Way,
  tenant: Tenant,
  sent: readonly Sent[],
  random: Random,
): Promise<void> {
  let open = sent;
  for (const deadline = Date.now() + GIVE_UP_MS; open.length > 0; ) {
    const url = fleet.pick(random);
    try {
      if (url === null) throw new TryAgain('no server');
      const ids = await way.send({ url, module, person: tenant.person, host }, open);
      if (ids.length !== open.length)
        throw new Unexpected(`${ids.length} results for ${open.length} entries`);
      for (const [index, id] of ids.entries()) if (id !== null) ledger.acknowledge(open[index]!, id);
      open = open.filter((_, index) => ids[index] === null);
      if (open.length === 0) return;
    } catch (error) {
      if (!(error instanceof TryAgain)) {
        ledger.fault(`${way.name} of ${open[0]!.key}: ${error}`);
        return;
      }
      if (Date.now() > deadline) {
        ledger.fault(
          `${way.name} of ${open[0]!.key} was not answered for ${GIVE_UP_MS} ms: ${error.message}`,
        );
        return;
      }
    }
    await setTimeout(20 + 80 * random.fraction());
  }
}

function entryFor(way: Way, tenant: Tenant, key: string, random: Random): Sent {
  const fields: Record<string, unknown> = {
    module: random.pick(MODULES),
    action: `things.${random.pick(['create', 'change', 'remove'])}`,
    severity: random.pick(SEVERITIES),
    resource_type: 'thing',
    resource_id: key,
  };
  if (random.chance(0.6)) fields.client_id = random.pick(tenant.clients);
  if (random.chance(0.7))
    fields.data = { note: random.hex(random.integer(2, 60)), n: random.integer(0, 9), deep: { key } };
  if (!way.byPerson) {
    const actor = random.pick(tenant.actors);
    if (random.chance(0.7)) Object.assign(fields, { actor_id: actor.id, actor_name: actor.name });
    if (random.chance(0.5)) Object.assign(fields, { actor_email: actor.email });
  }
  return { key, tenantId: tenant.id, fields, ...(way.withHostRow ? { withHostRow: true } : {}) };
}
