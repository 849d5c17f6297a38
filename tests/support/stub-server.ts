import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

/** Starts a server that responds as the test tells it to. */
export async function startStubServer(): Promise<{
  url: string;
  seen: { url: string; authorization: string | undefined }[];
  respondWith: (handler: (request: IncomingMessage, response: ServerResponse) => void) => void;
  server: Server;
}> {
  let handle: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) =>
    response.end();
  const seen: { url: string; authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    seen.push({ url: request.url ?? '', authorization: request.headers.authorization });
    handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const respondWith = (handler: typeof handle) => {
    handle = handler;
  };
  return { url, seen, respondWith, server };
}

export const json =
  (body: unknown, code = 200) =>
  (_request: IncomingMessage, response: ServerResponse) =>
    void response
      .writeHead(code, { 'content-type': 'application/json' })
      .end(typeof body === 'string' ? body : JSON.stringify(body));
