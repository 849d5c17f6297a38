import { hostname } from 'node:os';
import { wholeEntry } from '../../log/entry/stored-entry.js';
import { StreamFormat } from '../formats/format.js';
import { FORMATS } from '../formats/formats.js';
import type { BatchToSend, Delivered } from './kind.js';

/** log audit (RFC 5424, table 1). */
const FACILITY = 13;
const SEVERITY = { DEBUG: 7, INFO: 6, WARNING: 4, ERROR: 3, CRITICAL: 2 } as const;

/** The message with the count of its octets before it; null where it is too long even without the entry's data. */
export function frameOf(
  { entry, text: message }: Delivered,
  { streamId }: BatchToSend,
  format: StreamFormat,
  maxBytes: number,
): Buffer | null {
  const header = headerOf(entry);
  const withStream = (asText: string): string =>
    format === StreamFormat.REEL ? `${asText.slice(0, -1)},"stream":"${streamId}"}` : asText;
  const whole = Buffer.from(`${header} ${withStream(message)}`);
  if (whole.length <= maxBytes) return counted(whole);
  const cut = FORMATS[format](
    { ...wholeEntry(entry), data: { _omitted: true, _bytes: Buffer.byteLength(JSON.stringify(entry.data)) } },
    { streamId },
  );
  const short = Buffer.from(`${header} ${withStream(typeof cut === 'string' ? cut : JSON.stringify(cut))}`);
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
