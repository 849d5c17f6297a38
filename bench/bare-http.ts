/** Responds to every request with the JSON of one object, serialized each time: the cost of HTTP and the bytes alone. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const body: unknown = JSON.parse(readFileSync(process.argv[2]!, 'utf8'));
const server = createServer((request, response) => {
  request.resume().on('end', () => {
    const text = JSON.stringify(body);
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    });
    response.end(text);
  });
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as { port: number }).port));
