const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const IN_BRACKETS = /^\[([^\]]+)\](?::(\d{1,5}))?$/;
const WITH_PORT = /^([\d.]+):(\d{1,5})$/;
/** An address whose last 32 bits PostgreSQL prints in dotted form: IPv4-mapped and IPv4-compatible ones. */
const EMBEDDED = /^::(ffff:)?([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;
/** Of the longest address: bracketed IPv6 with a zone and a port. */
const MAX_CHARACTERS = 100;

/**
 * An address in any spelling, or a CIDR block, as it is stored: dotted IPv4 or RFC 5952, without port, brackets and zone,
 * an IPv4-mapped one as the IPv4 one. Null for anything else.
 */
export function readAddress(text: string): string | null {
  if (text.length > MAX_CHARACTERS) return null;
  const slash = text.indexOf('/');
  if (slash < 0) return readSingle(text);
  const address = parse(text.slice(0, slash));
  const bits = text.slice(slash + 1);
  if (address === null || !/^(?:0|[1-9]\d{0,2})$/.test(bits)) return null;
  const width = address.includes(':') ? 128 : 32;
  const mapped = unmapped(address);
  if (Number(bits) > width) return null;
  return mapped !== address && Number(bits) >= 96 ? `${mapped}/${Number(bits) - 96}` : `${address}/${bits}`;
}

function readSingle(text: string): string | null {
  const [, bare = text, port = '0'] = IN_BRACKETS.exec(text) ?? WITH_PORT.exec(text) ?? [];
  if (Number(port) > 65_535) return null;
  const [address = '', zone] = bare.split('%', 2);
  if (zone === '' || (zone !== undefined && !address.includes(':'))) return null;
  const parsed = parse(address);
  return parsed === null ? null : unmapped(parsed);
}

/** One address as PostgreSQL prints it. */
function parse(text: string): string | null {
  if (IPV4.test(text)) return text;
  if (!/^[0-9a-f:.]*$/i.test(text) || !text.includes(':') || !URL.canParse(`http://[${text}]`)) return null;
  const short = new URL(`http://[${text}]`).hostname.slice(1, -1);
  return short.replace(EMBEDDED, (_, mapped: string | undefined, high: string, low: string) => {
    const bits = Number.parseInt(high, 16) * 0x10000 + Number.parseInt(low, 16);
    return `::${mapped ?? ''}${[24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.')}`;
  });
}

const unmapped = (address: string): string =>
  address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
