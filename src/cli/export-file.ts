import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { StartError } from '../errors.js';

const NEWLINE = 0x0a;
/** No line of an export is longer: data is of 64 KiB at the most. */
const MAX_LINE = 4 * 1024 * 1024;
/** A note is some hundreds of bytes. */
const MAX_LAST_LINE = 64 * 1024;

/** The last line of a file, without its end. Errors: StartError where the file cannot be read. */
export async function lastLine(file: string): Promise<string> {
  try {
    await using handle = await open(file);
    const { size } = await handle.stat();
    const length = Math.min(size, MAX_LAST_LINE);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    const text = buffer.toString('utf8').replace(/\n$/, '');
    return text.slice(text.lastIndexOf('\n') + 1);
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Lines at `\n` and nowhere else, since JSON may hold U+2028, some at a time; one that is too long comes cut. */
export async function* linesOf(file: string): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(file, {
      highWaterMark: 1024 * 1024,
    }) as AsyncIterable<Buffer>) {
      const lines: Buffer[] = [];
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        const line = chunk.subarray(start, end);
        lines.push(start === 0 && rest.length > 0 ? Buffer.concat([rest, line]) : line);
        start = end + 1;
      }
      rest = start === 0 ? Buffer.concat([rest, chunk]) : chunk.subarray(start);
      rest = rest.subarray(0, MAX_LINE);
      yield lines;
    }
  } catch (error) {
    throw unreadable(file, error);
  }
  if (rest.length > 0) yield [rest];
}

const unreadable = (file: string, error: unknown) =>
  new StartError(
    `expected a file that can be read, got ${(error as NodeJS.ErrnoException).code} for ${file}`,
  );
