import { once } from 'node:events';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { badInput } from '../../errors.js';
import { StreamFormat } from '../formats/format.js';
import { FORMATS } from '../formats/formats.js';
import {
  type BatchToSend,
  type CommonSettings,
  type Delivered,
  type Kind,
  StreamKind,
  settingsOf,
  text,
  truth,
  whole,
} from './kind.js';
import { type Outcome, type RefusedEntry } from './outcome.js';

interface SyslogSettings extends CommonSettings {
  host: string;
  port?: number | undefined;
  tls?: boolean | undefined;
  maxBytes?: number | undefined;
}

/** log audit (RFC 5424, table 1). */
const FACILITY = 13;
const SEVERITY = { DEBUG: 7, INFO: 6, WARNING: 4, ERROR: 3, CRITICAL: 2 } as const;
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
  batch: { entries: 500, bytes: 1_048_576, seconds: 0 },
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
    const connect = async (): Promise<Socket> => {
      if (socket && !socket.destroyed && socket.writable) return socket;
      const opened = await egress.socket(host, port, isSecure ? tls : null);
      // An end that comes of itself is seen by its next use.
      opened.on('error', () => {});
      // Nothing is expected; what comes is thrown away.
      opened.resume();
      opened.on('end', () => opened.destroy());
      socket = opened;
      return opened;
    };
    return {
      settleMs: SETTLE_MS,
      get isOpen() {
        return socket !== null && !socket.destroyed && socket.writable;
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

/** The message with the count of its octets before it; null where it is too long even without the entry's data. */
function frameOf(
  { entry, value, text: message }: Delivered,
  { streamId }: BatchToSend,
  format: StreamFormat,
  maxBytes: number,
): Buffer | null {
  const header = headerOf(entry);
  const withStream = (content: Delivered['value'], asText: string): string =>
    format === StreamFormat.REEL && typeof content === 'object'
      ? `${asText.slice(0, -1)},"stream":"${streamId}"}`
      : asText;
  const whole = Buffer.from(`${header} ${withStream(value, message)}`);
  if (whole.length <= maxBytes) return counted(whole);
  const cut = FORMATS[format](
    { ...entry, data: { _omitted: true, _bytes: Buffer.byteLength(JSON.stringify(entry.data)) } },
    { streamId },
  );
  const short = Buffer.from(
    `${header} ${withStream(cut, typeof cut === 'string' ? cut : JSON.stringify(cut))}`,
  );
  return short.length <= maxBytes ? counted(short) : null;
}

const counted = (message: Buffer): Buffer => Buffer.concat([Buffer.from(`${message.length} `), message]);

/** A value of a header: printable ASCII without spaces. */
const headerText = (value: string, max: number): string =>
  value.replace(/[^\x21-\x7e]/g, '_').slice(0, max) || '-';

const HOSTNAME = headerText(hostname(), 255);

/** `<110>1 2026-01-05T10:00:00.123456Z host reel - users.create -`, without structured data. */
const headerOf = ({ severity, createdAt, action }: Delivered['entry']): string =>
  `<${8 * FACILITY + SEVERITY[severity]}>1 ${createdAt} ${HOSTNAME} reel - ${headerText(action, 32)} -`;
