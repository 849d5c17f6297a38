import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileAt } from './file.js';
import { isAbandoned, removeFolder } from './lock.js';
import { load, type Segment } from './segment.js';

const FOLDER_NAME = /^[0-9a-f-]{36}$/;
/** Begins with the name of the folder that it was written in. */
const FILE_NAME = /^[0-9a-f-]{36}\.\d{8}\.log$/;

/**
 * Takes over the files that processes left which have ended: moves their folders, which only one of several processes
 * succeeds in, and then their files, into its own. Answers them in order, folder by folder; `torn` is told of each that
 * does not end with a whole entry.
 */
export async function* adopt(spool: string, own: string, torn: () => void): AsyncGenerator<Segment[]> {
  for (const name of readdirSync(spool)) {
    const [from, to] = [join(spool, name), join(own, name)];
    if (!FOLDER_NAME.test(name) || from === own || !(await isAbandoned(from))) continue;
    try {
      renameSync(from, to);
    } catch {
      // Somebody else did.
      continue;
    }
    yield* adoptFiles(to, own, torn);
  }
}

async function* adoptFiles(folder: string, own: string, torn: () => void): AsyncGenerator<Segment[]> {
  const segments: Segment[] = [];
  for (const name of readdirSync(folder).sort()) {
    const from = join(folder, name);
    // What that process had itself begun to take over.
    if (FOLDER_NAME.test(name)) yield* adoptFiles(from, own, torn);
    if (!FILE_NAME.test(name)) continue;
    renameSync(from, join(own, name));
    const segment = await load(fileAt(join(own, name), 'r+'), torn);
    segment.file.close();
    segments.push(segment);
  }
  removeFolder(folder);
  yield segments;
}
