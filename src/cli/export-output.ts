import { rmSync } from 'node:fs';
import { open, rename, stat } from 'node:fs/promises';
import { StartError } from '../errors.js';
import type { CommandContext } from './context.js';

/**
 * Writes everything to a file, which appears once it is complete, or to stdout. Errors: StartError where it cannot be
 * written; those of `chunks` as they are.
 */
export async function writeOutput(
  chunks: AsyncIterable<Uint8Array | string>,
  output: string | undefined,
  context: CommandContext,
): Promise<void> {
  if (output === undefined) {
    context.expectWholeOutput();
    await writeToStdout(chunks);
    return;
  }
  await refuseSpecialFile(output);
  // Of its own, so that two commands at once do not write into each other's.
  const draft = `${output}.${process.pid}.part`;
  const remove = () => rmSync(draft, { force: true });
  // For an interrupt.
  process.once('exit', remove);
  const where = `--output: ${output}`;
  const unwritten = (error: unknown) => {
    throw unwritable(where, error);
  };
  try {
    await using file = await open(draft, 'w').catch(unwritten);
    for await (const chunk of chunks) await file.appendFile(chunk).catch(unwritten);
    await file.sync().catch(unwritten);
    await rename(draft, output).catch(unwritten);
  } finally {
    remove();
    process.off('exit', remove);
  }
}

/** One write at a time, so that an error is that of the chunk that met it; stdout is not closed. */
async function writeToStdout(chunks: AsyncIterable<Uint8Array | string>): Promise<void> {
  for await (const chunk of chunks)
    await new Promise<void>((written, failed) => {
      process.stdout.write(chunk, (error) => (error ? failed(unwritable('stdout', error)) : written()));
    });
}

async function refuseSpecialFile(output: string): Promise<void> {
  const present = await stat(output).catch(() => null);
  if (present !== null && !present.isFile())
    throw new StartError(
      `--output: expected a regular file, got ${output}, which is ${present.isDirectory() ? 'a directory' : 'none'}`,
    );
}

const unwritable = (named: string, error: unknown): StartError => {
  const { code, message } = error as NodeJS.ErrnoException;
  return new StartError(`${named}: expected to write it to the end, got ${code ?? message}`, {
    cause: error,
  });
};
