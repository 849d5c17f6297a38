import { isIP } from 'node:net';

/** An address whose last 32 bits PostgreSQL prints in dotted form: IPv4-mapped and IPv4-compatible ones. */
const EMBEDDED = /^::(ffff:)?([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/**
 * One address as PostgreSQL's host(inet) prints it: dotted IPv4, RFC 5952 IPv6 in lower case, `::ffff:1.2.3.4`.
 * null for anything else: a block, a zone, short, octal or hexadecimal IPv4.
 */
export function parseAddress(text: string): string | null {
  const kind = isIP(text);
  if (kind === 4) return text;
  if (kind !== 6 || text.includes('%')) return null;
  const short = new URL(`http://[${text}]`).hostname.slice(1, -1);
  return short.replace(EMBEDDED, (_, mapped: string | undefined, high: string, low: string) => {
    const bits = Number.parseInt(high, 16) * 0x10000 + Number.parseInt(low, 16);
    return `::${mapped ?? ''}${[24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.')}`;
  });
}

const IN_BRACKETS = /^\[([^\]]+)\](?::(\d{1,5}))?$/;
const WITH_PORT = /^([\d.]+):(\d{1,5})$/;
/** Of the longest address: bracketed IPv6 with a zone and a port. */
const MAX_CHARACTERS = 100;

/**
 * One address in any spelling, as parseAddress returns it: a port, brackets or a zone are removed, and an IPv4-mapped
 * address is the IPv4 one. null for anything else.
 */
export function normalizeAddress(text: string): string | null {
  if (text.length > MAX_CHARACTERS) return null;
  const [, bare = text, port = '0'] = IN_BRACKETS.exec(text) ?? WITH_PORT.exec(text) ?? [];
  if (Number(port) > 65_535) return null;
  const [address = '', zone] = bare.split('%', 2);
  if (zone === '' || (zone !== undefined && !address.includes(':'))) return null;
  return unmapped(parseAddress(address));
}

/** ::ffff:10.0.0.1 as 10.0.0.1. */
const unmapped = (address: string | null): string | null =>
  address?.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;

/** The peer of a connection as stored in an entry: without a zone; an IPv4 peer of a dual-stack socket as IPv4. */
export const peerAddress = (ip: string | null): string | null => (ip === null ? null : normalizeAddress(ip));
