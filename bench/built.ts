/** The built code, with the types of its sources, so that types can be checked before anything is built. */
const built = (path: string): Promise<unknown> => import(new URL(`../dist/${path}.js`, import.meta.url).href);

await import('reflect-metadata');
export const { embeddedUrls } = (await built(
  'database/embedded',
)) as typeof import('../src/database/embedded.ts');
export const { connect } = (await built('database/connect')) as typeof import('../src/database/connect.ts');
export const { developmentSecrets } = (await built(
  'auth/secrets',
)) as typeof import('../src/auth/secrets.ts');
export const { issueModuleToken, issuePersonToken } = (await built(
  'auth/token',
)) as typeof import('../src/auth/token.ts');
export const { checkInput } = (await built('log/check-entry')) as typeof import('../src/log/check-entry.ts');
export const { Identifier } = (await built('log/identify')) as typeof import('../src/log/identify.ts');
export const { ENTRY_COLUMNS, prepareEntry } = (await built(
  'log/prepare',
)) as typeof import('../src/log/prepare.ts');
export const { Writer } = (await built('log/writer')) as typeof import('../src/log/writer.ts');
