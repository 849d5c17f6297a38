/**
 * `node bench/torture.ts [rounds]`: under load by createLog the server, its database or both are killed with SIGKILL, again
 * and again. Every acknowledged entry must be stored as it was returned, none twice, and the sequence must have no gaps.
 */
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { asOwner, create, makeDataDir, postmasterOf, ReelProcess, storm } from '../tests/support/process.ts';

const TENANT = '0196f2f0-0000-7000-8000-00000000a001';
const CALLERS = 32;

const rounds = Number(process.argv[2] ?? 20);
const dataDir = await makeDataDir();
const acknowledged = new Map<string, string>();
let wrong = 0;
const say = (line: string) => process.stdout.write(`${line}\n`);

for (let round = 1; round <= rounds; round += 1) {
  const reel = new ReelProcess(dataDir);
  const url = await reel.ready();
  const load = storm(url, reel.tokens.module, TENANT, CALLERS, `round-${round}`);
  await setTimeout(200 + Math.random() * 1_500);
  const whom = ['server', 'database', 'both'][round % 3]!;
  const postmaster = await postmasterOf(dataDir);
  if (whom !== 'server') process.kill(postmaster!, 'SIGKILL');
  if (whom === 'database') await setTimeout(300);
  reel.kill('SIGKILL');
  await load.over;
  for (const [key, id] of load.acknowledged) acknowledged.set(key, id);

  const next = new ReelProcess(dataDir);
  const again = await next.ready();
  for (const key of load.open) {
    const { status, body } = await create(again, next.tokens.module, TENANT, key);
    if (status === 201) acknowledged.set(key, body.id as string);
    else wrong += 1;
  }
  const faults = await check();
  wrong += faults.length;
  say(
    `${round}: ${whom} killed, ${load.acknowledged.size} acknowledged, ${load.open.size} asked again, ${faults.length} faults`,
  );
  for (const fault of faults.slice(0, 5)) say(`   ${fault}`);
  const { code } = await next.stop();
  if (code !== 0) {
    wrong += 1;
    say(`   expected the end with 0, got ${code}: ${next.stderr}`);
  }
}
await rm(dirname(dataDir), { recursive: true, force: true });
say(`${rounds} rounds, ${acknowledged.size} entries acknowledged, ${wrong} faults`);
process.exit(wrong === 0 ? 0 : 1);

async function check(): Promise<string[]> {
  while ((await asOwner(dataDir, 'select 1 from reel_log_inbox limit 1')).length > 0) await setTimeout(20);
  const rows = await asOwner(
    dataDir,
    'select resource_id as key, array_agg(id::text) as ids from reel_log_entries group by 1',
  );
  const stored = new Map(rows.map((row) => [row.key as string, row.ids as string[]]));
  const faults = rows
    .filter((row) => (row.ids as string[]).length > 1)
    .map((row) => `${row.key} is there ${(row.ids as string[]).length} times`);
  for (const [key, id] of acknowledged)
    if (stored.get(key)?.[0] !== id) faults.push(`${key} was returned as ${id}, found ${stored.get(key)}`);
  const [sequence] = await asOwner(
    dataDir,
    `select count(*)::int as positions, max(seq)::int as last, count(distinct entry_id)::int as entries,
       (select count(*)::int from reel_log_entries) as stored from reel_log_sequence`,
  );
  if (new Set(Object.values(sequence!)).size !== 1)
    faults.push(`the sequence has gaps: ${JSON.stringify(sequence)}`);
  return faults;
}
