import { appendFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ReelLogErrorCode } from './error.js';

/** An entry that the client did not take, or the server refused for good. */
export interface Rejection {
  code: ReelLogErrorCode;
  reason: string;
  /** By the names of POST /logs/batch. */
  entry: Record<string, unknown>;
}

const NAME = 'rejected.ndjson';
/** Past it the file is put aside, as rejected.1.ndjson, in place of the one before. */
const MAX_BYTES = 64 * 2 ** 20;

/** Appends it to rejected.ndjson in the spool, a line that holds when, why and the entry. Errors: those of the file system. */
export function keepRejected(spool: string, { code, reason, entry }: Rejection): void {
  const path = join(spool, NAME);
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_BYTES) renameSync(path, join(spool, 'rejected.1.ndjson'));
  const line = JSON.stringify({ at: new Date(), code, reason, entry });
  appendFileSync(path, `${line}\n`, { mode: 0o600 });
}
