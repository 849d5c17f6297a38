import { randomUUID } from 'node:crypto';
import type { Execute } from '../src/database/execute.ts';
import { checkInput, connect, Identifier, prepareEntry, storeEntries } from './built.ts';
import { median, rounds } from './load.ts';
import { microsecondsOf } from './processor-time.ts';
import type { BenchServer } from './server.ts';
import type { Line } from './table.ts';
import { remove } from './writing.ts';

const ENTRIES = 2_000;
const author = { kind: 'module', module: '*', ip: null, agent: null } as const;

/**
 * CPU that storing an entry takes: of this process to send it, and of the one connection's PostgreSQL; by prepared statements
 * beside plain ones.
 */
export async function inserting(server: BenchServer): Promise<Line[]> {
  const database = await connect(server.runtimeUrl, 1);
  const identifier = new Identifier();
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
  const prepare = (count: number) =>
    Array.from({ length: count }, () => prepareEntry(checkInput(entry, author), identifier.next()));
  const plainly = (execute: Execute): Execute =>
    Object.assign((...statement: Parameters<Execute>) => execute(...statement)) as Execute;
  const store = (count: number, way: (execute: Execute) => Execute) => {
    const entries = prepare(count);
    return database.write([tenantId], (execute) => storeEntries(way(execute), entries));
  };
  const [backend] = await database.write([tenantId], (execute) =>
    execute<{ pid: number }>({
      sql: 'select pg_backend_pid() as pid',
      parameters: [],
    } as unknown as Parameters<Execute>[0]),
  );
  const lines: Line[] = [];
  try {
    for (const count of [1, 8, 64, 1_000]) {
      const calls = Math.ceil(ENTRIES / (count === 1 ? 10 : count));
      const servers: [number[], number[]] = [[], []];
      const measured = (at: 0 | 1, way: (execute: Execute) => Execute) => async () => {
        for (let warm = 0; warm < 6; warm += 1) await store(count, way);
        const [own, its] = [process.cpuUsage(), microsecondsOf(backend!.pid)];
        for (let call = 0; call < calls; call += 1) await store(count, way);
        const { user, system } = process.cpuUsage(own);
        servers[at]!.push((user + system) / calls / count);
        return (microsecondsOf(backend!.pid) - its) / calls / count;
      };
      const postgres = await rounds({ bare: measured(0, plainly), reel: measured(1, (execute) => execute) });
      const [bare, reel] = [median(servers[0]), median(servers[1])];
      const what = `${count.toLocaleString('en')} at once (bare: plain statements)`;
      lines.push(
        { what: `${what}, CPU of server`, reel, bare, unit: 'µs' },
        { what: `${what}, CPU of PostgreSQL`, reel: postgres.reel, bare: postgres.bare, unit: 'µs' },
      );
    }
    return lines;
  } finally {
    await database.close();
    await remove(server, tenantId);
  }
}
