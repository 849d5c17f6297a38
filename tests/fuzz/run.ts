/** `npm run fuzz -- RUNS [SEED]`: tests/fuzz with so many inputs a target (1,000 where none is given). */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const [runs = '1000', seed] = process.argv.slice(2);
for (const number of [runs, seed ?? '1'])
  if (!/^[1-9]\d{0,8}$/.test(number)) {
    process.stderr.write(`expected RUNS and SEED as numbers from 1 on, got ${number.slice(0, 200)}\n`);
    process.exit(2);
  }
const root = join(import.meta.dirname, '..', '..');
const { status } = spawnSync(join(root, 'node_modules', '.bin', 'vitest'), ['run', 'tests/fuzz'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, FUZZ_RUNS: runs, ...(seed === undefined ? {} : { FUZZ_SEED: seed }) },
});
process.exit(status ?? 1);
