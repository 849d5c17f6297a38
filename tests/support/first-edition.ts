/** The database that the first release left (fixtures/first-edition/README.md), restored for the tests. */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandResult, runCommand, settingsOf } from './cli.js';
import { openNote } from './independent-verifier.js';
import { createDatabase, type TestDatabase } from './postgres.js';

export const fixture = (name: string) => join(import.meta.dirname, '..', 'fixtures', 'first-edition', name);
export const textOf = (name: string) => readFileSync(fixture(name), 'utf8');
const jsonOf = <T>(name: string): T => JSON.parse(textOf(name)) as T;

export type Fields = Record<string, unknown>;

export interface TenantContents {
  id: string;
  entries: number;
  /** Entries that have been given their positions, those removed since among them. */
  sealed: number;
  waiting: number;
  erased: number;
  root: string;
  bySeverity: Record<string, number>;
  byModule: Record<string, number>;
}

interface Contents {
  origin: string;
  tenants: Record<'large' | 'held' | 'waiting', TenantContents>;
  people: { erased: string; held: string };
  hold: string;
  entries: Record<'whole' | 'bare' | 'erased' | 'erasedAlone' | 'browser', string>;
}

export interface Replay {
  name: string;
  replay: 'first entry' | 'CONFLICT';
  api: 'rest' | 'graphql';
  writer: { module: string } | { person: { id: string; email: string; name?: string } };
  tenantId: string;
  key: string;
  body: Fields;
  entryId: string;
}

export interface Bundle {
  entry: Fields & { id: string; tenant_id: string; sequence: number };
  identity_salt: string | null;
  data_salt: string | null;
  identity_digest: string;
  data_digest: string | null;
  leaf_hash: string;
  path: string[];
  note: string;
}

export const contents = jsonOf<Contents>('contents.json');
export const replays = jsonOf<Replay[]>('idempotency.json');
const { large, held } = contents.tenants;
export const NOTES = [
  ['large-first-key', large],
  ['large-second-key', large],
  ['held-first-key', held],
] as const;
export const BUNDLES = ['whole', 'browser', 'erased', 'erased-later'].map(
  (name) => [name, jsonOf<Bundle>(`bundles/${name}.json`)] as const,
);
export const EXPORTS = ['export-before-erasure', 'export-after-erasure'];

/** Opens a note signed by one of the stored keys. Errors: if none has signed it. */
export function openStoredNote(note: string) {
  for (const vkey of textOf('keys.txt').trim().split('\n')) {
    const [name = '', id = '', ...rest] = vkey.split('+');
    const signature = Buffer.from(note.trim().split(' ').at(-1)!, 'base64');
    if (signature.subarray(0, 4).toString('hex') === id)
      return openNote(note, name, Buffer.from(rest.join('+'), 'base64').subarray(1));
  }
  throw new Error('expected a note signed by a stored key');
}

export interface FirstEdition {
  own: TestDatabase;
  /** For a server: a new signing key under the name that the old ones have. */
  settings: Record<string, string>;
  /** Migrations applied in the dump, and the exit codes of `migrate --check`, `migrate` and `migrate --check` on it. */
  migration: { before: unknown[]; codes: (number | null)[] };
  command(...args: string[]): Promise<CommandResult>;
}

/** Restores the dump into a database of its own, and migrates it. */
export async function openFirstEdition(): Promise<FirstEdition> {
  const own = await createDatabase('template0');
  await own.query(textOf('database.sql'));
  const { privateKey } = generateKeyPairSync('ed25519');
  const settings = {
    REEL_SIGNING_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    REEL_ORIGIN: contents.origin,
  };
  const command = (...args: string[]) => runCommand(args, { ...settingsOf(own), ...settings });
  const before = (await own.query('select name from reel_migrations order by id')).map(({ name }) => name);
  const codes: (number | null)[] = [];
  for (const args of [['--check'], [], ['--check']]) codes.push((await command('migrate', ...args)).code);
  return { own, settings, migration: { before, codes }, command };
}
