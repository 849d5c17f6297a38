import type { z } from 'zod';
import { badInput } from '../../errors.js';
import { StreamFormat } from '../formats/format.js';
import { BATCH } from './http-kind.js';
import { type Kind, StreamKind } from './kind.js';
import type { RefusedEntry } from './outcome.js';
import { settingsOf, text, truth, whole } from './settings.js';
import { syslogConnection } from './syslog-connection.js';
import { frameOf } from './syslog-message.js';

const SETTINGS = settingsOf({
  host: text(255),
  port: whole(1, 65_535).optional(),
  tls: truth.optional(),
  maxBytes: whole(2_048, 65_536).optional(),
});

/** Syslog acknowledges nothing: so long a connection has to stand after what was written. */
const SETTLE_MS = 5_000;
const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]{0,252})|\[?[0-9a-f:.]+\]?)$/i;

/** RFC 5424 over TLS (RFC 5425), or over TCP with octet counting (RFC 6587). */
export const syslog: Kind<z.infer<typeof SETTINGS>> = {
  name: StreamKind.SYSLOG,
  formats: [StreamFormat.REEL, StreamFormat.OCSF, StreamFormat.ECS, StreamFormat.CEF],
  settings: SETTINGS,
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
    const connection = syslogConnection(() => egress.socket(host, port, isSecure ? tls : null));
    return {
      settleMs: SETTLE_MS,
      get connection() {
        return connection.number;
      },
      async send(batch, signal) {
        const refused: RefusedEntry[] = [];
        const frames: Buffer[] = [];
        for (const [index, each] of batch.entries.entries()) {
          const frame = frameOf(each, batch, format, maxBytes);
          if (frame) frames.push(frame);
          else refused.push({ index, reason: `more than ${maxBytes} bytes without its data` });
        }
        await connection.write(Buffer.concat(frames), signal);
        return { kind: 'done', answer: 'written', refused, isFinal: true };
      },
      close: () => connection.close(),
    };
  },
};
