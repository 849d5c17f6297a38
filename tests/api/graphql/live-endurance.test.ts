import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { createClient as createEventClient } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startCommand } from '../../support/cli.js';
import { freePort } from '../../support/free-port.js';
import { createDatabase, type TestDatabase } from '../../support/postgres.js';
import { create, makeDataDir, ReelProcess } from '../../support/process.js';
import { JWT_SECRET, moduleToken, SERVICE_SECRET, viewer } from '../../support/reel.js';

/** LIVE_BREAKS breaks more of them. */
const BREAKS = Number(process.env.LIVE_BREAKS ?? 20);
const RESTARTS: readonly NodeJS.Signals[] = ['SIGKILL', 'SIGTERM'];
const WRITERS = 4;
const SIGNING_KEY = generateKeyPairSync('ed25519')
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();
const QUERY = 'subscription ($after: Count) { logAdded(after: $after) { sequence resourceId } }';

interface Seen {
  sequence: number;
  resourceId: string;
}

let own: TestDatabase;
let port: number;
let reel: ReelProcess;
let wire: Wire;
beforeAll(async () => {
  own = await createDatabase();
  port = await freePort();
  reel = await start();
  wire = await Wire.to(port);
}, 60_000);
afterAll(async () => {
  wire?.close();
  await reel?.stop();
  await own?.drop();
});

async function start(): Promise<ReelProcess> {
  const server = new ReelProcess(await makeDataDir(), {
    REEL_PORT: String(port),
    REEL_DATABASE_URL: own.runtimeUrl,
    REEL_JWT_SECRET: JWT_SECRET,
    REEL_SERVICE_SECRET: SERVICE_SECRET,
    REEL_SIGNING_KEY: SIGNING_KEY,
  });
  await server.ready();
  return server;
}

/** What stands between followers and the server, and can be torn at any byte. */
class Wire {
  readonly url: string;
  private readonly ends = new Set<Socket>();

  private constructor(private readonly server: Server) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async to(port: number): Promise<Wire> {
    const server = createServer((near) => {
      const far = connect(port, '127.0.0.1');
      for (const [end, other] of [
        [near, far],
        [far, near],
      ] as const) {
        wire.ends.add(end);
        end
          .on('error', () => {})
          .on('close', () => {
            wire.ends.delete(end);
            other.destroy();
          });
        end.pipe(other);
      }
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const wire = new Wire(server);
    return wire;
  }

  /** Tears every connection, some of them in the middle of a frame. */
  tear(): void {
    for (const end of this.ends) end.resetAndDestroy();
  }

  close(): void {
    this.server.close();
    this.tear();
  }
}

class Follower {
  readonly seen: Seen[] = [];
  /** Connections that had brought an entry before they broke. */
  breaks = 0;
  private isOver = false;
  private dispose = () => {};
  readonly done: Promise<void>;

  constructor(
    private readonly token: string,
    private readonly kind: 'websocket' | 'event stream',
  ) {
    this.done = this.follow();
  }

  async stop(): Promise<void> {
    this.isOver = true;
    this.dispose();
    await this.done;
  }

  private async follow(): Promise<void> {
    while (!this.isOver) {
      const before = this.seen.length;
      const client = this.open();
      this.dispose = () => void client.dispose();
      const query = { query: QUERY, variables: { after: this.seen.at(-1)?.sequence ?? 0 } };
      try {
        for await (const { data } of client.iterate<{ logAdded: Seen }>(query)) {
          if (!data) break;
          this.seen.push(data.logAdded);
        }
      } catch {
        // Broken, as it is meant to.
      }
      client.dispose();
      if (this.seen.length > before && !this.isOver) this.breaks += 1;
      await setTimeout(10);
    }
  }

  private open() {
    if (this.kind === 'event stream')
      return createEventClient({
        url: `${wire.url}/graphql`,
        headers: { Authorization: `Bearer ${this.token}` },
        retryAttempts: 0,
      });
    return createClient({
      url: `${wire.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: `Bearer ${this.token}` },
      retryAttempts: 0,
    });
  }
}

/** Writes entries without a pause, each as often as it takes to be told that it is stored. */
function writing(token: string, tenantId: string) {
  let isOver = false;
  const keys: string[] = [];
  const writer = async (name: number) => {
    for (let count = 0; !isOver; count += 1) {
      const key = `${name}-${count}`;
      keys.push(key);
      for (;;) {
        const status = await create(`http://127.0.0.1:${port}`, token, tenantId, key).then(
          (answer) => answer.status,
          () => 0,
        );
        if (status === 201) break;
        await setTimeout(20);
      }
    }
  };
  const over = Promise.all(Array.from({ length: WRITERS }, (_, name) => writer(name)));
  return {
    keys,
    stop: async () => {
      isOver = true;
      await over;
    },
  };
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
const linesOf = (text: string) =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Seen);

test('through broken connections and restarts each follower gets every entry once, in order', async () => {
  const tenantId = randomUUID();
  const token = await viewer(tenantId);
  const load = writing(await moduleToken(), tenantId);
  const followers = [new Follower(token, 'websocket'), new Follower(token, 'event stream')];
  const command = startCommand(['tail', '--url', wire.url, '--token', token, '--after', '0']);
  let printed = '';
  command.child.stdout?.on('data', (text: string) => (printed += text));

  const restarts = [...RESTARTS];
  const [fewest, most] = [Math.min, Math.max].map((of) => () => of(...followers.map(({ breaks }) => breaks)));
  while (fewest!() < BREAKS) {
    // On a slow machine nobody would get anything before the next tear.
    const before = followers.map(({ seen }) => seen.length);
    await vi.waitUntil(() => followers.every(({ seen }, at) => seen.length > before[at]!), {
      timeout: 60_000,
      interval: 10,
    });
    await setTimeout(Math.random() * 100);
    wire.tear();
    const due = (BREAKS / (RESTARTS.length + 1)) * (RESTARTS.length - restarts.length + 1);
    const signal = most!() >= due ? restarts.shift() : undefined;
    if (signal === undefined) continue;
    await reel.stop(signal);
    reel = await start();
  }
  await load.stop();
  const written = load.keys.length;
  const last = () => [...followers.map(({ seen }) => seen.at(-1)), linesOf(printed).at(-1)];
  await expect.poll(() => last().map((entry) => entry?.sequence)).toEqual([written, written, written]);
  await Promise.all(followers.map((follower) => follower.stop()));
  command.child.kill('SIGINT');
  await command.ended;

  expect(restarts).toEqual([]);
  for (const { breaks } of followers) expect(breaks).toBeGreaterThanOrEqual(BREAKS);
  for (const seen of [...followers.map((follower) => follower.seen), linesOf(printed)]) {
    expect(seen.map(({ sequence }) => sequence)).toEqual(upTo(written));
    expect(seen.map(({ resourceId }) => resourceId).sort()).toEqual([...load.keys].sort());
  }
}, 180_000);
