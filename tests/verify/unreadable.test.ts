import { chmod, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEmbedded } from '../../src/database/embedded/embedded.js';
import { runCommand } from '../support/cli.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reel-flip-'));
  await chmod(folder, 0o755);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const reel = (...args: string[]) => runCommand(args, { REEL_DATA_DIR: folder });

/** Changes one bit of a file, in the middle of its first page. */
async function flip(file: string): Promise<void> {
  const before = await readFile(file);
  const handle = await open(file, 'r+');
  await handle.write(Buffer.of(before[4096]! ^ 0x10), 0, 1, 4096);
  await handle.close();
}

test('a bit flipped in the database files is reported, with the sequences that cannot be read', async () => {
  const seeded = await reel('seed', '--entries', '300', '--days', '1', '--json');
  expect(seeded).toMatchObject({ code: 0 });
  const [{ tenantId }] = JSON.parse(seeded.stdout) as [{ tenantId: string }];
  const database = await startEmbedded(folder);
  const client = new pg.Client({ connectionString: database.superuserUrl });
  await client.connect();
  const { rows } = await client.query(
    `select current_setting('data_directory') || '/' || pg_relation_filepath(tableoid) as file
     from reel_log_entries group by tableoid order by count(*) desc limit 1`,
  );
  await client.end();
  await database.stop();

  expect(await reel('verify', '--tenant', tenantId)).toMatchObject({ code: 0 });
  await flip(rows[0].file);
  const { code, stdout, stderr } = await reel('verify', '--tenant', tenantId);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^reel: \d+ faults? in the log of tenant/)]);
  const lines = stdout.split('\n').slice(0, -1);
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines)
    expect(line).toMatch(/^changed \d+: the entry cannot be read: invalid page in block 0 of/);

  await flip(rows[0].file);
  expect(await reel('verify', '--tenant', tenantId)).toMatchObject({ code: 0 });
});
