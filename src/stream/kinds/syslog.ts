import { once } from 'node:events';
import type { Socket } from 'node:net';
import { badInput } from '../../errors.js';
import { StreamFormat } from '../formats/format.js';
import { BATCH } from './http-kind.js';
import { type CommonSettings, type Kind, StreamKind, settingsOf, text, truth, whole } from './kind.js';
import type { Outcome, RefusedEntry } from './outcome.js';
import { frameOf } from './syslog-message.js';

interface SyslogSettings extends CommonSettings {
  host: string;
  port?: number | undefined;
  tls?: boolean | undefined;
  maxBytes?: number | undefined;
}

/** Syslog acknowledges nothing: so long a connection has to stand after what was written. */
const SETTLE_MS = 5_000;
const DRAIN_MS = 30_000;
const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]{0,252})|\[?[0-9a-f:.]+\]?)$/i;

/** RFC 5424 over TLS (RFC 5425), or over TCP with octet counting (RFC 6587). */
export const syslog: Kind<SyslogSettings> = {
  name: StreamKind.SYSLOG,
  formats: [StreamFormat.REEL, StreamFormat.OCSF, StreamFormat.ECS, StreamFormat.CEF],
  settings: settingsOf({
    host: text(255),
    port: whole(1, 65_535).optional(),
    tls: truth.optional(),
    maxBytes: whole(2_048, 65_536).optional(),
  }),
  destination: ['host', 'port'],
  batch: BATCH,
  proofs: false,
  check: ({ host, tls = true }, egress) => {
    if (!HOST.test(host)) throw badInput('settings.host', 'a host name or an address', host);
    egress.checkHost('settings.host', host);
    if (!tls) egress.checkPlain('settings.tls', host);
  },
  checkSecret: (secret) => {
    if (secret !== null)
      throw badInput('secret', 'none, since syslog has no secret', `${secret.length} characters`);
  },
  open: ({ settings, format, tls, egress }) => {
    const { host, tls: isSecure = true, port = isSecure ? 6514 : 601, maxBytes = 8_192 } = settings;
    let socket: Socket | null = null;
    let connections = 0;
    const isOpen = () => socket !== null && !socket.destroyed && socket.writable;
    const connect = async (): Promise<Socket> => {
      if (socket && isOpen()) return socket;
      const opened = await egress.socket(host, port, isSecure ? tls : null);
      // An end that comes of itself is seen by its next use.
      opened.on('error', () => {});
      // Nothing is expected; what comes is thrown away.
      opened.resume();
      opened.on('end', () => opened.destroy());
      socket = opened;
      connections += 1;
      return opened;
    };
    return {
      settleMs: SETTLE_MS,
      get connection() {
        return isOpen() ? connections : null;
      },
      async send(batch, signal): Promise<Outcome> {
        const refused: RefusedEntry[] = [];
        const frames: Buffer[] = [];
        for (const [index, each] of batch.entries.entries()) {
          const frame = frameOf(each, batch, format, maxBytes);
          if (frame) frames.push(frame);
          else refused.push({ index, reason: `more than ${maxBytes} bytes without its data` });
        }
        const opened = await connect();
        if (!opened.write(Buffer.concat(frames))) {
          const bound = AbortSignal.any([signal, AbortSignal.timeout(DRAIN_MS)]);
          const closed = once(opened, 'close', { signal: bound }).then(() => {
            throw Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' });
          });
          closed.catch(() => {});
          await Promise.race([once(opened, 'drain', { signal: bound }), closed]).catch((error) => {
            opened.destroy();
            throw error;
          });
        }
        return { kind: 'done', answer: 'written', refused };
      },
      close: () => socket?.destroy(),
    };
  },
};
