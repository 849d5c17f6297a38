import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take longest, or longest for their size, by which vitest goes: begun late, they would end alone. */
const LONG = [
  'live-grants',
  'operations/life',
  'operations/deploy',
  'host/package',
  'operations/container',
  'viewer/axe',
  'viewer/streams',
  'torture',
  'stream/killed',
  'client/killed',
  'operations/abuse',
  'operations/database-faults',
  'live-bounds',
  'live-endurance',
  'verify/trust',
  'verify/bit-flip',
];

/** Longest first, and those that share workers before those that do not: a worker is given up where the next file is none of its project's. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId, project }: TestSpecification) => {
      if (project.name === 'alone') return 2;
      return LONG.some((name) => moduleId.endsWith(`/${name}.test.ts`)) ? 0 : 1;
    };
    return (await super.sort(files)).sort((one, other) => place(one) - place(other));
  }
}

// Neither workers nor the commands and servers that tests start, by the hundred, need compile the same code anew each time.
process.env.NODE_COMPILE_CACHE = join(import.meta.dirname, '.cache', 'node');

/**
 * Files that need a process of their own: what those of `web` import asks while it is loaded whether there is a window, and
 * web/reel, which a host of the docs uses, too, counts the apps of a process; those of `operations` measure the turns of the
 * event loop or record the traces of the process, and the last builds the first schema of a process.
 */
const ALONE = [
  'tests/web/**/*.test.ts',
  'tests/docs/module.test.ts',
  'tests/operations/{turns,fair-shares,tracing}.test.ts',
  'tests/api/graphql/schema-built-again.test.ts',
];

const common = {
  // Off UTC by half an hour too, so that whatever leans on the machine's zone shows.
  env: { TZ: 'Asia/Kolkata' },
  restoreMocks: true,
  // Much is made and soon forgotten: with room for that, collecting it takes 7 % less of the cores.
  execArgv: ['--min-semi-space-size=32', '--max-semi-space-size=64'],
  // A bound for what hangs, not for what is slow: machines that build are.
  testTimeout: 120_000,
  expect: { poll: { timeout: 60_000 } },
  hookTimeout: 120_000,
};
// vitest would load graphql twice, as ESM and as CommonJS, whose types do not know each other.
const resolve = {
  alias: [
    { find: 'graphql', replacement: 'graphql/index.js' },
    { find: /^reel\/client$/, replacement: new URL('src/client/index.ts', import.meta.url).pathname },
    { find: /^reel\/client\/(\w+)$/, replacement: new URL('src/client/$1.ts', import.meta.url).pathname },
    { find: 'reel', replacement: new URL('src/index.ts', import.meta.url).pathname },
  ],
};

export default defineConfig({
  test: {
    globalSetup: ['tests/support/setup-postgres.ts'],
    reporters: ['default', './tests/support/reporter.ts'],
    // One more than the two cores it is meant for: many tests wait for processes and for PostgreSQL.
    maxWorkers: 3,
    sequence: { sequencer: LongFirst },
    // An exception or a rejection that nobody handles fails the run.
    dangerouslyIgnoreUnhandledErrors: false,
    projects: [
      // Its files share what a worker has loaded, a third of what they cost, and leave the process as they found it.
      {
        resolve,
        test: {
          ...common,
          name: 'together',
          include: ['tests/**/*.test.ts'],
          exclude: ALONE,
          isolate: false,
        },
      },
      { resolve, test: { ...common, name: 'alone', include: ALONE } },
    ],
  },
});
