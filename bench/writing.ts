import { randomUUID } from 'node:crypto';
import type { WriteDatabase } from '../src/database/database.ts';
import { checkInput, connect, Identifier, insertColumns, prepareEntry, Writer } from './built.ts';
import { graphql, httpThroughput, latency, rounds, send, throughput } from './load.ts';
import type { BenchServer } from './server.ts';
import type { Line } from './table.ts';

const SECONDS = 2;
const author = { kind: 'module', module: '*', ip: null, agent: null } as const;

/** Creating entries, beside the group commit alone and a multi-row INSERT. */
export async function writing(server: BenchServer): Promise<Line[]> {
  const { url, module, runtimeUrl } = server;
  const tenantId = randomUUID();
  const entry = {
    module: 'guardian',
    action: 'users.update',
    tenantId,
    clientId: randomUUID(),
    actorId: randomUUID(),
    actorEmail: 'ana@example.com',
    actorName: 'Ana Souza',
    resourceType: 'user',
    resourceId: '42',
    ipAddress: '203.0.113.7',
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
    requestId: randomUUID(),
    data: { before: { role: 'viewer', active: true }, after: { role: 'editor', active: true } },
  };
  const database = await connect(runtimeUrl, 3);
  const identifier = new Identifier();
  const prepare = () => prepareEntry(checkInput(entry, author), identifier.next());
  const writer = new Writer({
    write: (tenantIds, work) => database.write(tenantIds, work),
    find: async () => new Map(),
    ensureMonth: async () => {},
  });
  const call = graphql(
    url,
    module,
    'mutation ($input: CreateLogInput!) { createLog(input: $input) { id } }',
    { input: entry },
  );
  const many = graphql(
    url,
    module,
    'mutation ($inputs: [CreateLogInput!]!) { createLogs(inputs: $inputs) { id } }',
    {
      inputs: Array.from({ length: 1_000 }, () => entry),
    },
  );
  const snakeEntry = Object.fromEntries(
    Object.entries(entry).map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  );
  const lines = {
    url: `${url}/api/v1/reel/logs/batch`,
    method: 'POST' as const,
    headers: { ...module, 'content-type': 'application/x-ndjson' },
    body: Array.from({ length: 1_000 }, () => JSON.stringify(snakeEntry)).join('\n'),
  };
  try {
    const lone = await rounds({
      bare: () => latency(() => writer.write([prepare()], 'module:guardian'), SECONDS / 2),
      reel: () => latency(() => send(call), SECONDS / 2),
    });
    const busy = await rounds(
      {
        bare16: () => throughput(() => writer.write([prepare()], 'module:guardian'), 16, SECONDS),
        reel16: () => httpThroughput(call, 16, SECONDS),
        bare64: () => throughput(() => writer.write([prepare()], 'module:guardian'), 64, SECONDS),
        reel64: () => httpThroughput(call, 64, SECONDS),
      },
      3,
    );
    const batch = await rounds({
      bare: () =>
        latency(() => insertRows(database, tenantId, Array.from({ length: 1_000 }, prepare)), SECONDS / 2),
      reel: () => latency(() => send(many), SECONDS / 2),
      rest: () => latency(() => send(lines), SECONDS / 2),
    });
    return [
      { what: 'createLog, 1 caller', reel: lone.reel, bare: lone.bare, unit: 'ms' },
      { what: 'createLog, 16 callers', reel: busy.reel16, bare: busy.bare16, unit: '/s' },
      { what: 'createLog, 64 callers', reel: busy.reel64, bare: busy.bare64, unit: '/s', aim: '4,000/s' },
      { what: 'createLogs of 1,000 (bare: one INSERT)', reel: batch.reel, bare: batch.bare, unit: 'ms' },
      {
        what: 'a batch of 1,000 by REST, whole entries back',
        reel: batch.rest,
        bare: batch.bare,
        unit: 'ms',
      },
    ];
  } finally {
    await database.close();
    await remove(server, tenantId);
  }
}

/** Inserts entries into their table alone: without rows in the inbox they are never sealed. */
export async function insertRows(
  database: WriteDatabase,
  tenantId: string,
  prepared: ReturnType<typeof prepareEntry>[],
): Promise<void> {
  const columns = insertColumns();
  const width = columns.length;
  const rows = prepared.map(
    (_, at) => `(${columns.map((__, index) => `$${at * width + index + 1}`).join(',')})`,
  );
  const sql = `insert into reel_log_entries (${columns.join(',')}) values ${rows.join(',')}`;
  const parameters = prepared.flatMap(({ values }) => values);
  await database.write([tenantId], (execute) =>
    execute({ sql, parameters, query: { kind: 'RawNode' }, queryId: {} } as unknown as Parameters<
      typeof execute
    >[0]),
  );
}

/** Leaves the seeded trail and the size of its files as they were. */
export async function remove({ owner }: BenchServer, tenantId: string): Promise<void> {
  for (;;) {
    const { rows } = await owner.query('select 1 from reel_log_inbox where tenant_id = $1 limit 1', [
      tenantId,
    ]);
    if (rows.length === 0) break;
    await new Promise((done) => setTimeout(done, 100));
  }
  for (const table of ['entries', 'inbox', 'sequence', 'tiles', 'checkpoints', 'counts', 'keys', 'search']) {
    await owner.query(`delete from reel_log_${table} where tenant_id = $1`, [tenantId]);
    await owner.query(`vacuum reel_log_${table}`);
  }
}
