import type { ClientBase } from 'pg';
import { to } from 'pg-copy-streams';

const NEWLINE = 0x0a;

/**
 * What `read` makes of each row of a query, a line by COPY TO in the text format (PostgreSQL's manual, COPY, "Text Format").
 * Rows are read as they come, so that of many only what is made of them takes memory.
 */
export async function copyOut<T>(client: ClientBase, query: string, read: (line: string) => T): Promise<T[]> {
  const rows: T[] = [];
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of client.query(to(`copy (${query}) to stdout`))) {
    const bytes: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      // Line by line, so that one letter past Latin-1 does not widen the text of all.
      rows.push(read(bytes.toString('utf8', start, end)));
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
  return rows;
}

/** One of the columns of a line, which tabs part. */
export function columnOf(field: string): string | null {
  if (!field.includes('\\')) return field;
  return field === '\\N'
    ? null
    : field.replace(/\\(.)/g, (_, escaped: string) => ESCAPES[escaped] ?? escaped);
}

const ESCAPES: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
