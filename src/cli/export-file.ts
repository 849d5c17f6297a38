import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { StartError } from '../errors.js';

const NEWLINE = 0x0a;
/** No line of an export is longer: data has at most 64 KiB. */
const MAX_LINE = 4 * 1024 * 1024;
/** A note is some hundreds of bytes. */
const MAX_LAST_LINE = 64 * 1024;

/** The last line of a file, without its line break. Errors: StartError if the file cannot be read. */
export async function lastLine(file: string): Promise<string> {
  try {
    await using handle = await open(file);
    const { size } = await handle.stat();
    const length = Math.min(size, MAX_LAST_LINE);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    const text = buffer.toString('utf8').replace(/\n$/, '');
    const before = text.lastIndexOf('\n');
    // A line that begins before these bytes is longer than any note.
    return before < 0 && size > length ? '' : text.slice(before + 1);
  } catch (error) {
    throw unreadable(file, error);
  }
}

/**
 * Lines, split at `\n` only since JSON may contain U+2028, in batches; a line that is longer than `maxLine` is yielded empty.
 * A file whose name ends in .gz or .zst is decompressed.
 */
export async function* linesOf(file: string, maxLine = MAX_LINE): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  let isTooLong = false;
  /** Completes the line that ends with this part. */
  const endLine = (part: Buffer): Buffer => {
    const line = rest.length === 0 ? part : Buffer.concat([rest, part]);
    const bounded = isTooLong || line.length > maxLine ? Buffer.alloc(0) : line;
    rest = Buffer.alloc(0);
    isTooLong = false;
    return bounded;
  };
  try {
    for await (const chunk of contentOf(file) as AsyncIterable<Buffer>) {
      const lines: Buffer[] = [];
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        lines.push(endLine(chunk.subarray(start, end)));
        start = end + 1;
      }
      isTooLong ||= rest.length > maxLine;
      if (!isTooLong) rest = Buffer.concat([rest, chunk.subarray(start)]);
      yield lines;
    }
  } catch (error) {
    throw unreadable(file, error);
  }
  if (rest.length > 0) yield [endLine(Buffer.alloc(0))];
}

function contentOf(file: string): Readable {
  const content = createReadStream(file, { highWaterMark: 1024 * 1024 });
  const expand = file.endsWith('.gz')
    ? createGunzip()
    : file.endsWith('.zst')
      ? createZstdDecompress()
      : null;
  // An error of either is the reader's.
  return expand ? pipeline(content, expand, () => {}) : content;
}

const unreadable = (file: string, error: unknown) =>
  new StartError(`expected a readable file, got ${(error as NodeJS.ErrnoException).code} for ${file}`);
