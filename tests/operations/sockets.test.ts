import { describe, expect, test } from 'vitest';
import { violations } from '../support/socket-writes.js';

/** Statements, and how many complaints there are about each. */
const CASES: readonly (readonly [string, number])[] = [
  ['socket.write("x")', 1],
  ['socket.end()', 1],
  ['response.end()', 1],
  ["socket.on('error', () => {}); socket.end()", 0],
  ['careForSocket(socket); socket.end()', 0],
  ["response.on('error', () => {}); socket.end()", 1],
  ["server.on('upgrade', () => {})", 1],
  ['process.stdout.write("x")', 0],
  ['other.end()', 0],
];

const fileWith = (statement: string) => `
  import type { Server, ServerResponse } from 'node:http';
  import type { Duplex } from 'node:stream';
  export function f(socket: Duplex, response: ServerResponse, server: Server, other: { end(): void }) { ${statement} }`;

const fileOf = (at: number) => `src/http/given-${at}.ts`;
/** Of the server, and of the cases beside it, which takes as long as of either. */
const found = violations(Object.fromEntries(CASES.map(([each], at) => [fileOf(at), fileWith(each)])));

describe('a stream that is written to', () => {
  test('has an error listener, everywhere in the server', () => {
    expect(found.filter((line) => !line.startsWith('src/http/given-'))).toEqual([]);
  });

  test.each(CASES)('is found where it has none: %s', (statement, count) => {
    const at = CASES.findIndex(([each]) => each === statement);
    expect(found.filter((line) => line.startsWith(fileOf(at)))).toHaveLength(count);
  });
});
