import { sql } from 'kysely';
import type { Execute, Row, Statement } from '../database/execute.js';
import { readNote, readVkey, type Signer, signedBy, signNote, type Verifier, vkeyOf } from './note.js';

/** Runs a statement outside any tenant: keys belong to the installation. */
export interface KeyDatabase {
  system<R extends Row = Row>(statement: Statement): Promise<R[]>;
}

interface KeyRow extends Row {
  vkey: string;
  /** Null if it is infinite. */
  added_at: string | null;
  note: string;
}

/** Adds the signer's key to those that are published, if it is not there yet. */
export async function publishKey(database: KeyDatabase, signer: Signer, now = new Date()): Promise<void> {
  const addedAt = now.toISOString();
  const note = signNote(`${vkeyOf(signer)}\nadded ${addedAt}\n`, signer);
  await database.system(sql`
    insert into reel_log_signing_keys (vkey, added_at, note) values (${vkeyOf(signer)}, ${addedAt}::timestamptz, ${note})
    on conflict do nothing`);
}

const SELECT_KEYS = sql`
  select vkey, to_char(added_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as added_at, note
  from reel_log_signing_keys k order by k.added_at desc, vkey`;

/** Every published key, newest first, without those whose row does not match the note that the key signed. */
export async function readKeys(database: KeyDatabase): Promise<Verifier[]> {
  return (await database.system<KeyRow>(SELECT_KEYS)).map(readKey).filter((key) => key !== null);
}

/** Vkeys of the rows that do not match the note that the key signed. */
export async function readAlteredKeys(execute: Execute): Promise<string[]> {
  return (await execute<KeyRow>(SELECT_KEYS)).filter((row) => readKey(row) === null).map(({ vkey }) => vkey);
}

function readKey({ vkey, added_at, note }: KeyRow): Verifier | null {
  const verifier = readVkey(vkey);
  const signed = readNote(note);
  if (!verifier || !signed || !signedBy(signed, [verifier])) return null;
  const [name, added] = signed.text.split('\n');
  return name === vkey && added === `added ${added_at?.replace(/000Z$/, 'Z')}` ? verifier : null;
}
