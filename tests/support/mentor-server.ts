import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

/** A server that answers as the test at hand says. */
export async function pretend(): Promise<{
  url: string;
  seen: { url: string; authorization: string | undefined }[];
  answer: (as: (request: IncomingMessage, response: ServerResponse) => void) => void;
  server: Server;
}> {
  let as: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) =>
    response.end();
  const seen: { url: string; authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    seen.push({ url: request.url ?? '', authorization: request.headers.authorization });
    as(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const answer = (next: typeof as) => {
    as = next;
  };
  return { url, seen, answer, server };
}

export const json =
  (body: unknown, code = 200) =>
  (_request: IncomingMessage, response: ServerResponse) =>
    void response
      .writeHead(code, { 'content-type': 'application/json' })
      .end(typeof body === 'string' ? body : JSON.stringify(body));
