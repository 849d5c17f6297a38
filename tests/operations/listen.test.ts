import { once } from 'node:events';
import { connect } from 'node:net';
import Fastify from 'fastify';
import { expect, test } from 'vitest';
import { listen } from '../../src/http/listen.js';

const CONNECTIONS = 200;

async function ask(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.end('GET / HTTP/1.1\r\nHost: reel\r\nConnection: close\r\n\r\n');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(socket, 'close');
  return text;
}

test('a busy server accepts several connections in each turn of its event loop', async () => {
  const app = Fastify();
  app.get('/', async () => 'here');
  const stop = await listen(app, { host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as { port: number };
  let turns = 0;
  let isBusy = true;
  const work = () => {
    if (!isBusy) return;
    turns += 1;
    for (const end = performance.now() + 5; performance.now() < end; );
    setImmediate(work);
  };
  try {
    const asking = Array.from({ length: CONNECTIONS }, () => ask(port));
    work();
    for (const answer of await Promise.all(asking)) expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*here$/);
    isBusy = false;
    expect(turns).toBeLessThan(CONNECTIONS / 2);
  } finally {
    isBusy = false;
    stop();
    await app.close();
  }
  await expect(ask(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('a port that another server listens on is not shared', async () => {
  const [first, second] = [Fastify(), Fastify()];
  const stop = await listen(first, { host: '127.0.0.1', port: 0 });
  const { port } = first.server.address() as { port: number };
  try {
    await expect(listen(second, { host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  } finally {
    stop();
    await Promise.all([first.close(), second.close()]);
  }
});
