import { readFileSync } from 'node:fs';
import type { LogEntry } from '../../log/entry/log-entry.entity.js';
import type { Format } from './format.js';
import { messageOf } from './ocsf.js';

const SEVERITY = { DEBUG: 1, INFO: 3, WARNING: 5, ERROR: 7, CRITICAL: 10 } as const;
const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Of the header: backslash and pipe; line breaks are not allowed there. */
const inHeader = (text: string): string => text.replace(/[\\|]/g, '\\$&').replace(/[\r\n]+/g, ' ');
/** Of the extension: backslash, equals sign, line breaks. */
const inExtension = (text: string): string => text.replace(/[\\=]/g, '\\$&').replace(/\r\n|\r|\n/g, '\\n');

/** Common Event Format, revision 25; the data as JSON in cs6. */
export const cefFormat: Format = (entry, { streamId }) => {
  const header = ['CEF:0', 'Reel', 'Reel', version, entry.action, messageOf(entry)];
  const fields = Object.entries(extensionOf(entry, streamId)).flatMap(([name, value]) =>
    value === null || value === undefined ? [] : [`${name}=${inExtension(String(value))}`],
  );
  return `${header.map((part, at) => (at === 0 ? part : inHeader(part))).join('|')}|${SEVERITY[entry.severity]}|${fields.join(' ')}`;
};

const named = (label: string, name: string, value: unknown) =>
  value === null ? {} : { [`${label}Label`]: name, [label]: value };

function extensionOf(entry: LogEntry, streamId: string): Record<string, unknown> {
  const { ipAddress, resourceType, resourceId, data } = entry;
  const isIpv6 = ipAddress?.includes(':') ?? false;
  return {
    rt: Date.parse(entry.createdAt),
    start: Date.parse(entry.occurredAt),
    externalId: entry.id,
    act: entry.action,
    outcome: entry.outcome,
    suid: entry.actorId,
    suser: entry.actorName ?? entry.actorEmail,
    src: isIpv6 ? null : ipAddress,
    ...(isIpv6 ? named('c6a2', 'Source IPv6 Address', ipAddress) : {}),
    sourceServiceName: entry.module,
    requestClientApplication: entry.userAgent,
    ...named('cs1', 'Tenant', entry.tenantId),
    ...named('cs2', 'Client', entry.clientId),
    ...named('cs3', 'Stream', streamId),
    ...named(
      'cs4',
      'Resource',
      resourceType || resourceId ? [resourceType, resourceId].filter(Boolean).join('/') : null,
    ),
    ...named('cs5', 'Request', entry.requestId),
    ...named('cn1', 'Sequence', entry.sequence),
    ...named('cs6', 'Data', data === null ? null : JSON.stringify(data)),
  };
}
