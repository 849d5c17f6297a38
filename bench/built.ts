/** The built code, with the types of its sources, so that types can be checked before anything is built. */
const built = (path: string): Promise<unknown> => import(new URL(`../dist/${path}.js`, import.meta.url).href);

await import('reflect-metadata');
export const { embeddedUrls } = (await built(
  'database/embedded/embedded',
)) as typeof import('../src/database/embedded/embedded.ts');
export const { connect } = (await built('database/connect')) as typeof import('../src/database/connect.ts');
export const { developmentSecrets } = (await built(
  'auth/secrets',
)) as typeof import('../src/auth/secrets.ts');
export const { issueModuleToken, issuePersonToken } = (await built(
  'auth/token',
)) as typeof import('../src/auth/token.ts');
export const { checkInput } = (await built(
  'log/entry/check-entry',
)) as typeof import('../src/log/entry/check-entry.ts');
export const { Identifier } = (await built(
  'log/entry/identifier',
)) as typeof import('../src/log/entry/identifier.ts');
export const { insertColumns, prepareEntry } = (await built(
  'log/write/prepare',
)) as typeof import('../src/log/write/prepare.ts');
export const { storeEntries } = (await built(
  'log/write/store',
)) as typeof import('../src/log/write/store.ts');
export const { Writer } = (await built('log/write/writer')) as typeof import('../src/log/write/writer.ts');
export const { connectPool } = (await built(
  'database/session',
)) as typeof import('../src/database/session.ts');
export const { sampleEntries, sampleTenants } = (await built(
  'sample/entries',
)) as typeof import('../src/sample/entries.ts');
export const { createReelClient } = (await built(
  'client/client',
)) as typeof import('../src/client/client.ts');
export const { openSpool } = (await built('client/spool')) as typeof import('../src/client/spool.ts');
export const { encodeRecord } = (await built('client/record')) as typeof import('../src/client/record.ts');
