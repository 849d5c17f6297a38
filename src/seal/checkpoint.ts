import { decodeBase64, readNote, type Signer, signedBy, signNote, type Verifier } from './note.js';

/** The text of a note about a tenant's log (C2SP tlog-checkpoint). */
export interface CheckpointBody {
  /** Identifies the log: the key's name, a slash, the tenant's id. */
  readonly origin: string;
  readonly treeSize: number;
  /** 32 bytes. */
  readonly rootHash: Buffer;
  /** `2026-01-05T10:00:00.123456Z`. */
  readonly sealedAt: string;
}

export interface OpenedCheckpoint extends CheckpointBody {
  /** The key that signed it. */
  readonly verifier: Verifier;
}

export const originOf = (name: string, tenantId: string): string => `${name}/${tenantId}`;

/** The signed note of a tenant's log. */
export function writeCheckpoint(
  signer: Signer,
  tenantId: string,
  body: Omit<CheckpointBody, 'origin'>,
): string {
  const lines = [
    originOf(signer.name, tenantId),
    body.treeSize,
    body.rootHash.toString('base64'),
    `sealed ${body.sealedAt}`,
  ];
  return signNote(`${lines.join('\n')}\n`, signer);
}

const SEALED = /^sealed (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)$/;

/** Parses the text of a note; null if it is not a checkpoint of Reel. */
export function readCheckpoint(text: string): CheckpointBody | null {
  const [origin = '', size = '', root = '', sealed = '', ...rest] = text.split('\n');
  const rootHash = decodeBase64(root);
  const sealedAt = SEALED.exec(sealed)?.[1];
  const isSize = /^(0|[1-9]\d{0,15})$/.test(size) && Number.isSafeInteger(Number(size));
  if (origin === '' || !isSize || rootHash?.length !== 32 || !sealedAt || rest.join('\n') !== '') return null;
  return { origin, treeSize: Number(size), rootHash, sealedAt };
}

/**
 * A checkpoint with a valid signature by one of the keys, whose name must be the origin's; otherwise why it is not, to follow
 * "the note is".
 */
export function openCheckpoint(note: string, verifiers: readonly Verifier[]): OpenedCheckpoint | string {
  const read = readNote(note);
  const body = read && readCheckpoint(read.text);
  if (!read || !body) return 'not a signed checkpoint';
  const verifier = signedBy(read, verifiers);
  if (!verifier) return 'not signed by a known key';
  if (!body.origin.startsWith(`${verifier.name}/`))
    return `of the log ${body.origin}, signed by ${verifier.name}`;
  return { ...body, verifier };
}
