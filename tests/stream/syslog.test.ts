import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { expect, it, vi } from 'vitest';
import { reelOfFile, tenantWith } from '../support/streams.js';

/** Syslog acknowledges nothing, so each of these waits for what was written to settle: they do so at the same time. */

const FIXTURES = resolve(import.meta.dirname, '..', 'fixtures');
const COUNT = 30;

const own = reelOfFile();

/** A tenant with entries, and a stream of them. */
async function streaming(settings: object, format = 'REEL', more: readonly object[] = []) {
  const entries = Array.from({ length: COUNT }, (_, at) => ({ resource_id: `${at}`, data: { at } }));
  const { whole, ...of } = await tenantWith(own, [...entries, ...more]);
  const stream = await of.stream({ kind: 'SYSLOG', secret: null, format, settings });
  return { ...of, stream, whole: () => whole(stream.id) };
}

const pem = (name: string) => readFileSync(join(FIXTURES, 'tls', name), 'utf8');
/** Messages by octet counting (RFC 6587, section 3.4.1). */
const listen = async (make: (onSocket: (socket: Socket) => void) => ReturnType<typeof createTcpServer>) => {
  const messages: string[] = [];
  const sockets = new Set<Socket>();
  const server = make((socket) => {
    sockets.add(socket);
    let rest = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const space = rest.indexOf(0x20);
        const length = Number(rest.toString('ascii', 0, space));
        if (space < 0 || rest.length < space + 1 + length) break;
        messages.push(rest.toString('utf8', space + 1, space + 1 + length));
        rest = rest.subarray(space + 1 + length);
      }
    });
  });
  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    port,
    messages,
    cut: () => {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
};
const MESSAGE = /^<(\d+)>1 (\S+) (\S+) reel - (\S+) - (.*)$/s;

it.concurrent('gets messages over TLS with certificates of both sides, and is behind by what may be lost', async () => {
  const server = await listen((onSocket) =>
    createTlsServer(
      { key: pem('server.key'), cert: pem('server.pem'), ca: pem('ca.pem'), requestCert: true },
      onSocket,
    ),
  );
  try {
    const { tenant, calls, ids, stream, whole } = await streaming({
      host: 'localhost',
      port: server.port,
      ca: pem('ca.pem'),
      clientCertificate: pem('client.pem'),
      clientKey: pem('client.key'),
    });
    expect(stream.settings.clientKey).toBeNull();
    await vi.waitFor(() => expect(server.messages.length).toBeGreaterThanOrEqual(COUNT), 60_000);
    expect((await calls.get(stream.id)).position).toBe(0);
    await whole();
    const [, priority, at, , name, body] = MESSAGE.exec(server.messages[0]!)!;
    const entry = JSON.parse(body!);
    expect(Number(priority)).toBe(13 * 8 + 6);
    expect(entry).toMatchObject({ id: ids[0], sequence: 1, tenant_id: tenant, stream: stream.id });
    expect([at, name]).toEqual([entry.created_at, 'invoices.create']);
  } finally {
    server.close();
  }
});

it.concurrent('gets CEF over TCP, again from where nothing is known to have been lost, and long data is left out and marked', async () => {
  const server = await listen((onSocket) => createTcpServer(onSocket));
  try {
    const long = { data: { text: 'x'.repeat(20_000) }, actor_name: 'A|b=c\\d' };
    const { whole } = await streaming({ host: '127.0.0.1', port: server.port, tls: false }, 'CEF', [long]);
    await vi.waitFor(() => expect(server.messages.length).toBeGreaterThanOrEqual(COUNT + 1), 60_000);
    server.cut();
    await whole();
    const sequences = server.messages.map((message) => Number(/ cn1=(\d+)/.exec(message)![1]));
    expect(new Set(sequences).size).toBe(COUNT + 2);
    // What was written within five seconds before the connection broke came again.
    expect(sequences.length).toBeGreaterThan(COUNT + 2);
    for (const message of server.messages) expect(Buffer.byteLength(message)).toBeLessThanOrEqual(8_192);
    const cut = server.messages.find(
      (message) => message.includes(' cn1=31 ') || message.endsWith(' cn1=31'),
    )!;
    expect(cut).toContain('"_omitted":true');
    expect(cut).toContain('|A\\|b=c\\\\d invoices.create|3|');
    expect(cut).toContain(' suser=A|b\\=c\\\\d ');
    expect(server.messages[0]).toMatch(
      /<110>1 \S+ \S+ reel - invoices\.create - CEF:0\|Reel\|Reel\|[\d.]+\|invoices\.create\|/,
    );
  } finally {
    server.close();
  }
});
