/** The built code with the types of its sources, since Node runs these files itself and can only strip types. */
const built = (path: string): Promise<unknown> =>
  import(new URL(`../../dist/${path}.js`, import.meta.url).href);

await import('reflect-metadata');
export const { startEmbedded } = (await built(
  'database/embedded/embedded',
)) as typeof import('../../src/database/embedded/embedded.ts');
export const { findProcessUser, findPrograms, runProgram } = (await built(
  'database/embedded/programs',
)) as typeof import('../../src/database/embedded/programs.ts');
export const { issueModuleToken, issuePersonToken } = (await built(
  'auth/token',
)) as typeof import('../../src/auth/token.ts');
export const { SeededRandom } = (await built(
  'sample/seeded-random',
)) as typeof import('../../src/sample/seeded-random.ts');
export const { getReelService, LogEntry } = (await built('index')) as typeof import('../../src/index.ts');

/** A generator of `SeededRandom`; every choice of a run is drawn from one. */
export type Random = InstanceType<typeof SeededRandom>;
