import { readFile } from 'node:fs/promises';
import { StartError } from '../errors.js';
import { readNote, readPublicPem, readVkey, type Verifier, verifierOf } from '../seal/note.js';

/**
 * The keys of a file, for a note: an Ed25519 public key as PEM, or verifier keys, one per line, as /.well-known/reel-keys
 * returns them. A PEM has no name: it is tried under each name that signed the note. Errors: StartError.
 */
export async function readKeyFile(file: string, note: string | null): Promise<Verifier[]> {
  return (await readKeys(file))(note);
}

/** The same for any number of notes. */
export async function readKeys(file: string): Promise<(note: string | null) => Verifier[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new StartError(`--key: expected a readable file, got ${error.code} for ${file}`);
  });
  if (text.includes('-----BEGIN')) {
    const key = pemOf(text, file);
    return (note) => namedBy(note, key);
  }
  const keys = vkeysOf(text);
  if (keys === null)
    throw new StartError(
      `--key: expected an Ed25519 public key as PEM, or verifier keys, one per line, in ${file}`,
    );
  return () => keys;
}

function pemOf(text: string, file: string): Buffer {
  try {
    return readPublicPem(text);
  } catch (error) {
    throw new StartError(
      `--key: expected an Ed25519 public key as PEM in ${file}: ${(error as Error).message}`,
    );
  }
}

function namedBy(note: string | null, publicKey: Buffer): Verifier[] {
  const names = new Set(readNote(note ?? '')?.signatures.map(({ name }) => name));
  return [...names].map((name) => verifierOf(name, publicKey));
}

function vkeysOf(text: string): Verifier[] | null {
  const lines = text.split('\n').map((line) => line.trim());
  const keys = lines.filter((line) => line !== '').map(readVkey);
  return keys.length > 0 && keys.every((key) => key !== null) ? keys : null;
}
