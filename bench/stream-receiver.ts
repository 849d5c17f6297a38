/** Takes batches of streams in a process of its own, and tells its parent of each: when it had come whole, and what was in it. */
import { createServer } from 'node:http';

/** `at`: milliseconds since the epoch. `ids`: of the entries, where the path asks for them. */
export interface Arrival {
  path: string;
  at: number;
  first: number;
  last: number;
  bytes: number;
  ids: string[];
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    response.writeHead(204).end();
    const at = performance.timeOrigin + performance.now();
    const body = Buffer.concat(chunks);
    const head = body.toString('latin1', 0, 300);
    const [, first, last] = /"first":(\d+),"last":(\d+)/.exec(head) ?? [];
    const path = request.url ?? '/';
    const ids = path.startsWith('/live')
      ? [...body.toString('latin1').matchAll(/[[}],?\{"id":"([0-9a-f-]{36})","module"/g)].map(([, id]) => id!)
      : [];
    process.send!({
      path,
      at,
      first: Number(first),
      last: Number(last),
      bytes: body.length,
      ids,
    } satisfies Arrival);
  });
});
server.listen(0, '127.0.0.1', () => process.send!((server.address() as { port: number }).port));
