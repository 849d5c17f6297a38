import { readFileSync } from 'node:fs';
import type { PoolClient } from 'pg';
import { checkInput, Identifier, insertColumns, prepareEntry, sampleEntries } from './built.ts';
import { median } from './load.ts';
import { type BenchServer, cpuSeconds } from './server.ts';
import type { Line } from './table.ts';

const ENTRIES = Number(process.env.REEL_BENCH_INDEXED ?? 1_000_000);
const ROUNDS = Number(process.env.REEL_BENCH_ROUNDS ?? 3);
const BATCHES = 2;
const BATCH = 1_000;
const TABLE = 'bench_entries';

interface Index {
  name: string;
  /** Its columns, and its condition where it is partial. */
  shown: string;
  mib: number;
}

/**
 * What each index of reel_log_entries costs in writing: multi-row INSERTs with every index, and without one of them, in
 * turns. Entries per second of the backend's own CPU, since that is what an index takes, and since a busy machine falsifies
 * it least. The entries are the seeded ones in a table of their own, repeated up to a million; what is written is rolled back.
 */
export async function indexes(server: BenchServer): Promise<Line[]> {
  const client = await server.owner.connect();
  try {
    await fill(client, server);
    const all = await createIndexes(client);
    const tableMib = await sizeOf(client, `pg_table_size('${TABLE}')`);
    const writing = await openWriting(client, server);
    const rates: number[] = [];
    const without = new Map<string, number[]>(all.map(({ name }) => [name, []]));
    const ratios = new Map<string, number[]>(all.map(({ name }) => [name, []]));
    const none: number[] = [];
    let before = await writing([]);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const { name } of all) {
        const rate = await writing([name]);
        const after = await writing([]);
        without.get(name)!.push(rate);
        ratios.get(name)!.push((before + after) / 2 / rate);
        rates.push(after);
        before = after;
      }
      none.push(await writing(all.map(({ name }) => name)));
    }
    const every = median(rates);
    const total = all.reduce((sum, { mib }) => sum + mib, 0);
    return [
      {
        what: 'all indexes (bare: the primary key alone)',
        reel: every,
        bare: median(none),
        unit: '/s',
        note: `${Math.round(total)} MiB beside a table of ${Math.round(tableMib)} MiB, ${ENTRIES.toLocaleString('en')} entries`,
      },
      ...all.map(({ name, shown, mib }): Line => {
        // Beside its neighbours in time, so that the ratio is of one moment.
        const ratio = median(ratios.get(name)!);
        return {
          what: `${shown} (bare: all but this)`,
          reel: every,
          bare: every / ratio,
          unit: '/s',
          note: `${mib.toFixed(1)} MiB`,
        };
      }),
    ];
  } finally {
    await client.query(`drop table if exists ${TABLE}`);
    client.release();
  }
}

async function fill(client: PoolClient, { tenant }: BenchServer): Promise<void> {
  await client.query(`drop table if exists ${TABLE}`);
  await client.query(
    `create table ${TABLE} (like reel_log_entries including defaults including constraints) with (autovacuum_enabled = off)`,
  );
  const columns = (
    await client.query(
      `select column_name as name from information_schema.columns where table_name = '${TABLE}' and table_schema = current_schema() order by ordinal_position`,
    )
  ).rows.map(({ name }) => name as string);
  const copies = Math.ceil(ENTRIES / tenant.entries);
  // Each copy a millisecond later, and of requests of its own: as many entries a request as before.
  const copied = columns.map((name) => {
    if (name === 'id')
      return `(lpad(to_hex(('x' || replace(left(e.id::text, 13), '-', ''))::bit(48)::bigint + copy), 12, '0') || replace(right(e.id::text, 22), '-', ''))::uuid`;
    if (name === 'request_id') return `e.request_id || ' ' || copy`;
    return `e.${name}`;
  });
  await client.query(
    `insert into ${TABLE} (${columns.join(', ')})
     select ${copied.join(', ')} from reel_log_entries e cross join generate_series(0, $2::integer - 1) copy
     where e.tenant_id = $1 and e.module <> 'reel' limit ${ENTRIES}`,
    [tenant.tenantId, copies],
  );
}

/** The indexes of reel_log_entries, on the bench's table. */
async function createIndexes(client: PoolClient): Promise<Index[]> {
  const { rows } = await client.query<{ definition: string; is_key: boolean }>(
    `select pg_get_indexdef(indexrelid) as definition, indisprimary as is_key from pg_index
     where indrelid = 'reel_log_entries'::regclass order by indisprimary desc, indexrelid`,
  );
  const created: Index[] = [];
  for (const [at, { definition, is_key }] of rows.entries()) {
    const [, on = ''] = / USING (\w+ .*)$/.exec(definition) ?? [];
    const name = `${TABLE}_${at}`;
    await client.query(`create ${is_key ? 'unique ' : ''}index ${name} on ${TABLE} using ${on}`);
    const mib = await sizeOf(client, `pg_relation_size('${name}')`);
    if (!is_key) created.push({ name, shown: on.replace(/^btree /, ''), mib });
  }
  await client.query(`analyze ${TABLE}`);
  return created;
}

const sizeOf = async (client: PoolClient, bytes: string): Promise<number> =>
  Number((await client.query(`select ${bytes} / 1048576.0 as mib`)).rows[0].mib);

/** Writes new entries without the named indexes, which the rollback restores; returns entries per second of CPU. */
async function openWriting(
  client: PoolClient,
  { tenant }: BenchServer,
): Promise<(without: readonly string[]) => Promise<number>> {
  const pid = (await client.query('select pg_backend_pid() as pid')).rows[0].pid as number;
  // Fails here and not in the middle where the database is on another machine.
  readFileSync(`/proc/${pid}/stat`);
  const columns = insertColumns();
  const row = (at: number) =>
    `(${columns.map((_, index) => `$${at * columns.length + index + 1}`).join(',')})`;
  const text = `insert into ${TABLE} (${columns.join(',')}) values ${Array.from({ length: BATCH }, (_, at) => row(at)).join(',')}`;
  const hour = Math.ceil(Date.now() / 3_600_000) * 3_600_000;
  const entries = BATCHES * BATCH;
  const plan = { seed: 'indexes', tenants: 1, entries, from: hour, until: hour + 3_600_000 };
  const sample = { name: 'Bench', id: tenant.tenantId, clientIds: tenant.clientIds, entries };
  const rows = [...sampleEntries(plan, sample)].map(
    ({ identity, author, input }) => prepareEntry(checkInput(input, author), identity).values,
  );
  const id = columns.indexOf('id');
  const identifier = new Identifier();
  /** The same entries under new ids, since rows that were rolled back still stand in the key. */
  const prepare = (): unknown[][] =>
    Array.from({ length: BATCHES }, (_, batch) =>
      rows
        .slice(batch * BATCH, (batch + 1) * BATCH)
        .flatMap((values) => values.with(id, identifier.next().id)),
    );
  return async (without) => {
    const batches = prepare();
    await client.query('begin');
    try {
      for (const name of without) await client.query(`drop index ${name}`);
      const began = cpuSeconds(pid);
      for (const values of batches) await client.query({ name: 'write', text, values });
      return (BATCHES * BATCH) / (cpuSeconds(pid) - began);
    } finally {
      await client.query('rollback');
    }
  };
}
