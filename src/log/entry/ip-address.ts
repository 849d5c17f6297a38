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

/** The peer of a connection as an entry keeps it: without its zone, IPv4 as IPv4 on a dual-stack socket too. */
export function peerAddress(ip: string | null): string | null {
  if (ip === null) return null;
  const address = parseAddress(ip.split('%')[0] as string);
  return address?.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
