import { StartError } from '../errors.js';
import { EMPTY_ROOT } from '../seal/merkle.js';
import type { Report } from '../verify/fault.js';
import { StreamCheck, type StreamSummary } from '../verify/stream/stream-check.js';
import type { CommandContext } from './context.js';
import { linesOf } from './export-file.js';
import type { TreeHead } from './tree-head.js';
import { readKeys } from './verifier-keys.js';

/** Of a batch of 1,000 entries with their proofs. */
const MAX_LINE = 256 * 1024 * 1024;

/** Verifies what a stream's receiver kept, with the public keys alone. */
export async function verifyStream(
  files: readonly string[],
  keyFile: string,
  report: Report,
  context: CommandContext,
): Promise<TreeHead & { received: StreamSummary }> {
  const keys = await readKeys(keyFile);
  const check = new StreamCheck(keys, report);
  let count = 0;
  for (const file of files) {
    let number = 0;
    for await (const lines of linesOf(file, MAX_LINE)) {
      for (const line of lines) {
        number += 1;
        if (line.length > 0 || lines.length > 1) check.add(line.toString('utf8'), `${file}, line ${number}`);
      }
      count += lines.length;
      context.progress(`${count} lines`);
    }
  }
  context.progress('');
  const received = check.end();
  if (count === 0) throw new StartError(`--stream: expected batches in ${files.join(', ')}, got none`);
  const { stream, first, last, entries, removed, parked, isFiltered } = received;
  context.note(
    `stream ${stream}: sequences ${first} to ${last}, ${entries} entries, ${removed} removed by retention, ${parked} parked`,
  );
  if (isFiltered)
    context.note(
      'the stream is filtered: no batch is missing, and each entry is as sealed; that no entry is missing cannot be shown',
    );
  return {
    tenantId: received.tenantId,
    size: check.head?.size ?? 0,
    root: check.head?.root ?? EMPTY_ROOT,
    received,
  };
}
