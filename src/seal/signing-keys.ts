import { sql } from 'kysely';
import type { Row, Run, Statement } from '../database/run.js';
import { readNote, readVkey, type Signer, signedBy, signNote, type Verifier, vkeyOf } from './note.js';

/** Runs a statement; the keys are the installation's, not a tenant's. */
export interface KeyDatabase {
  system<R extends Row = Row>(statement: Statement): Promise<R[]>;
}

interface KeyRow extends Row {
  vkey: string;
  /** Null where it is infinite. */
  added_at: string | null;
  note: string;
}

/** Adds the key that is signed with to those that are published; once. */
export async function publishKey(database: KeyDatabase, signer: Signer, now = new Date()): Promise<void> {
  const addedAt = now.toISOString();
  const note = signNote(`${vkeyOf(signer)}\nadded ${addedAt}\n`, signer);
  await database.system(sql`
    insert into reel_log_signing_keys (vkey, added_at, note) values (${vkeyOf(signer)}, ${addedAt}::timestamptz, ${note})
    on conflict do nothing`);
}

const READING = sql`
  select vkey, to_char(added_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as added_at, note
  from reel_log_signing_keys k order by k.added_at desc, vkey`;

/** Every published key, newest first; none whose row is not as its key has signed it. */
export async function readKeys(database: KeyDatabase): Promise<Verifier[]> {
  return (await database.system<KeyRow>(READING)).map(readKey).filter((key) => key !== null);
}

/** Rows that are not as their key has signed them, as vkeys. */
export async function readUnsignedKeys(run: Run): Promise<string[]> {
  return (await run<KeyRow>(READING)).filter((row) => readKey(row) === null).map(({ vkey }) => vkey);
}

function readKey({ vkey, added_at, note }: KeyRow): Verifier | null {
  const verifier = readVkey(vkey);
  const said = readNote(note);
  if (!verifier || !said || !signedBy(said, [verifier])) return null;
  const [name, added] = said.text.split('\n');
  return name === vkey && added === `added ${added_at?.replace(/000Z$/, 'Z')}` ? verifier : null;
}
