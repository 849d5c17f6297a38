/** The bare side of following.ts: a plain websocket server that sends the same bytes to all, entry by entry. */
import { type WebSocket, WebSocketServer } from 'ws';

/** Entries per second, for so long; replied to with when each was due. `text` is a response of Reel's, in which sequence and number are replaced. */
export interface Broadcast {
  rate: number;
  seconds: number;
  text: string;
  actions: string[];
}

const now = () => performance.timeOrigin + performance.now();
const everything = new Set<WebSocket>();
const some = new Map<string, Set<WebSocket>>();

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
server.on('connection', (socket) => {
  socket.on('message', (message) => {
    const { type, payload } = JSON.parse(String(message));
    if (type === 'connection_init') return socket.send('{"type":"connection_ack"}');
    const [action] = payload.variables.filter.actions ?? [];
    if (action === undefined) everything.add(socket);
    else some.set(action, (some.get(action) ?? new Set()).add(socket));
  });
});
server.on('listening', () => process.send!((server.address() as { port: number }).port));

process.on('message', ({ rate, seconds, text, actions }: Broadcast) => {
  const sent: number[] = [];
  const began = performance.now();
  const origin = now();
  const beat = setInterval(() => {
    const due = Math.min(rate * seconds, Math.floor(((performance.now() - began) * rate) / 1000));
    while (sent.length < due) {
      const number = sent.length;
      const bytes = Buffer.from(
        text
          .replace(/"sequence":\d+/, `"sequence":${number + 1}`)
          .replace(/"resourceId":"\d+/, `"resourceId":"${number}`),
      );
      sent.push(origin + (number * 1_000) / rate);
      for (const socket of everything) socket.send(bytes, { binary: false });
      for (const socket of some.get(actions[number % actions.length]!) ?? [])
        socket.send(bytes, { binary: false });
    }
    if (sent.length < rate * seconds) return;
    clearInterval(beat);
    process.send!(sent);
  }, 10);
});
process.once('disconnect', () => process.exit());
